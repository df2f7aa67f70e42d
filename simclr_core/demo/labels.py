"""Measure exercise 6 of the work sheet on the bundled pictures: `python -m simclr_core.demo.labels [OUT.json]`.

Three ways to a classifier, at three shares of the labels, five draws each: the network trained on the labels from
scratch, a linear classifier on the untrained network, a linear classifier on the bundled SimCLR encoder. Training from
scratch is short, so once, with all labels, it also gets `LONGER` times the steps: what the short one leaves undone.
Nothing is chosen by looking at the test pictures; every way has one fixed setting. Torch loads in `measure` alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simclr_core.means import mean
from simclr_core.probes import LinearParams, ProbeResult, fine_tune, label_efficiency
from simclr_core.registry import Label
from simclr_core.work import say

HERE = Path(__file__).parent
RESULT, RUN = HERE / "labels.json", HERE / "run"
SHARES = (0.01, 0.1, 1.0)
DRAWS = 5
STEPS = 300  # of 128 pictures: 4.8 times through all 8,000, under a minute each on one thread
LONGER = 5
PACKAGES = ("torch", "numpy", "scikit-learn")
ARMS = {  # in the order of the figure
    "supervised": Label("supervised from scratch", "从零开始的监督训练"),
    "longer": Label("supervised from scratch, 5 times the steps", "从零开始的监督训练，步数为 5 倍"),
    "untrained": Label("frozen untrained network + linear", "冻结的未训练网络 + 线性分类器"),
    "simclr": Label("frozen SimCLR encoder + linear", "冻结的 SimCLR 编码器 + 线性分类器"),
}


class Summary(NamedTuple):
    """One way at one share of the labels: accuracy in [0, 1].

    Attributes:
        half: half width of the 95 % interval of the mean over draws (Student's t); None where there is one draw.
    """

    arm: str
    share: float
    n_train: int
    draws: int
    mean: float
    half: float | None
    lowest: float
    highest: float


def summaries(results: list[dict[str, Any]]) -> list[Summary]:
    """Mean and interval over the draws of each way and share, in the order of `ARMS` and `SHARES`."""
    found = []
    for arm in ARMS:
        for share in SHARES:
            rows = [r for r in results if r["arm"] == arm and r["labels"] == share]
            if not rows:
                continue
            a = np.array([r["accuracy"] for r in rows])
            low, high = float(a.min()), float(a.max())
            found.append(Summary(arm, share, rows[0]["n_train"], len(a), float(a.mean()), mean(a).half, low, high))
    return found


def read() -> dict[str, Any] | None:
    """What was measured, or None where nothing was."""
    return json.loads(RESULT.read_text()) if RESULT.exists() else None


def _results() -> Iterator[tuple[str, ProbeResult]]:
    """Draw i sees labels drawn with seed i; an untrained or freshly trained network also starts from weights of seed i."""
    from simclr_core.checkpoints import Encoder, load_encoder
    from simclr_core.encode import encode
    from simclr_core.finetune import untrained
    from simclr_core.sources import load_images

    encoder = load_encoder(str(RUN))
    train, test = (load_images("demo", split=split) for split in ("train", "test"))

    def started(seed: int) -> Encoder:
        config = replace(encoder.config, train=replace(encoder.config.train, seed=seed))
        return untrained(replace(encoder, config=config))

    def linear(frozen: Encoder, shares: tuple[float, ...], draws: int, seed: int) -> list[ProbeResult]:
        a, b = (encode(frozen, images, device="cpu") for images in (train, test))
        assert a.h is not None
        assert b.h is not None
        assert a.label is not None
        assert b.label is not None
        return label_efficiency(a.h, a.label, b.h, b.label, shares=shares, draws=draws, seed=seed)

    for result in linear(encoder, SHARES, DRAWS, 0):
        yield "simclr", result
    for draw in range(DRAWS):
        for result in linear(started(draw), SHARES, 1, draw):
            yield "untrained", result
        for share in SHARES:
            how: dict[str, Any] = {"method": "supervised", "steps": STEPS}
            yield "supervised", fine_tune(started(draw), train, test, share=share, seed=draw, **how)
    yield "longer", fine_tune(started(0), train, test, method="supervised", steps=LONGER * STEPS)


def measure() -> dict[str, Any]:
    """Run all of it on one CPU thread: about fifteen minutes, five of them the fits to all labels."""
    import torch

    torch.set_num_threads(1)  # so that every machine of one kind gets the same bits
    began, rows = time.monotonic(), []
    for arm, result in _results():
        rows.append({"arm": arm} | asdict(result))
        say(f"{arm}, {result.labels:.0%} of labels, draw {result.seed}: {result.accuracy:.4f}")
    run = json.loads((RUN / "config.json").read_text())
    return {
        "schema": 1,
        "images": "demo",
        "data_digest": run["data_digest"],
        "run_id": run["run_id"],
        "shares": SHARES,
        "draws": DRAWS,
        "supervised": {
            "steps": STEPS,
            "longer": LONGER,
            "batch": 128,
            "optimizer": "AdamW",
            "lr": 0.001,
            "weight_decay": 0.05,
        },
        "linear": asdict(LinearParams()),
        "packages": {name: version(name) for name in PACKAGES},
        "seconds": round(time.monotonic() - began),
        "results": rows,
    }


def main() -> None:
    """Measure into the package, or into the file named."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    out.write_text(json.dumps(measure(), indent=1) + "\n")


if __name__ == "__main__":
    main()
