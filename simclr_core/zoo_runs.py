"""The failure zoo at work: makes the pictures, trains and judges each entry of `ZOO`, and collects what is on disk.

A run of the zoo is a run directory like any other, `OUT/zoo-NAME-SEED` (`zoo.run_name`); the app opens it. Its changed pictures
lie in `OUT/zoo-pictures`, so that the app shows what the encoder saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simclr_core.augment import Draws, apply
from simclr_core.errors import ConfigError, RunError, sentence
from simclr_core.learner import Learner
from simclr_core.model import SimClr
from simclr_core.pipeline import finish_run, judge_again, load_for
from simclr_core.progress import Progress, silent
from simclr_core.records import ImageSet
from simclr_core.sources import load_images
from simclr_core.store import RunDir, read_json, read_metrics, write_atomic
from simclr_core.train import STATE, Training
from simclr_core.zoo import CIFAR, EVERY, PREFIX, STOPPED, TEST, TRAIN, ZOO, Specimen, as_they_are, run_name


class Unpaired(Learner):
    """View k of an image is paired with the views of the image k places before it: positives share nothing."""

    def _views(self, pixels: Tensor, draws: list[Draws], part: slice) -> Tensor:
        return torch.cat([apply(pixels.roll(k, 0)[part], d[part], size=self.size) for k, d in enumerate(draws)])


class BiasHead(Learner):
    """z = h + b: a linear head whose matrix stays the identity."""

    def _network(self) -> SimClr:
        model = super()._network()
        (linear,) = model.projection_head
        with torch.no_grad():
            linear.weight.copy_(torch.eye(model.feature_dim))
        linear.weight.requires_grad_(False)
        return model


LEARNERS: dict[str, type[Learner]] = {"": Learner, "unpaired": Unpaired, "bias_head": BiasHead}


# -- pictures ------------------------------------------------------------------------------------------------------------
def write_pictures(path: Path, parts: Mapping[str, ImageSet]) -> None:
    """Two parts as a compressed npz that the source `npz` reads."""
    arrays: dict[str, Any] = {f"{name}_x": part.image for name, part in parts.items()}
    arrays |= {f"{name}_y": part.label for name, part in parts.items() if part.label is not None}
    buffer = BytesIO()
    np.savez_compressed(buffer, classes=np.array(parts["train"].class_names), **arrays)
    write_atomic(path, buffer.getvalue())


def pictures_of(name: str, specimen: Specimen, source: str, out: Path) -> str:
    """The spec of an entry's pictures, made where they are not there yet; entries that change nothing share a file."""
    stem = specimen.pictures if specimen.run is as_they_are else name
    path = out.resolve() / f"{PREFIX}pictures" / f"{stem}.npz"
    if not path.exists():
        most = {"train": TRAIN, "test": TEST}
        parts = {s: specimen.run(load_images(source, split=s).sample(n)) for s, n in most.items()}
        write_pictures(path, parts)
    return f"npz:{path}"


# -- one run -------------------------------------------------------------------------------------------------------------
def train_one(name: str, specimen: Specimen, run: RunDir, spec: str, seed: int) -> None:
    """Train and evaluate; a trainer that stops with a sentence leaves it in the run's status."""
    config = specimen.config(spec, seed)
    images = load_for(config, "train")
    about = {"zoo": name, "seed": seed}
    with run.locked():
        training = Training(config, images, run=run, resume=run.exists, learner=LEARNERS[specimen.learner])
        try:
            for _ in training:
                pass
        except RunError as error:
            run.write_status(state="failed", message=str(error), result=about)
            return
        result = finish_run(run, images)
        assert run.latest_checkpoint is not None
        (run.latest_checkpoint / STATE).unlink()  # nobody goes on from here
        run.write_status(state="done", message="", progress=1.0, result=about | result)


def row_of(specimen: Specimen, run: RunDir) -> dict[str, Any]:
    """What came out of one run, small enough to keep: verdicts, accuracies, the last loss."""
    result = read_json(run.path / "status.json")["result"]
    spaces = read_json(run.path / "embeddings" / "report.json").get("spaces", {})
    verdicts = {s: spaces[s]["verdict"] if spaces else STOPPED for s in ("h", "z")}
    losses = [row["loss"] for row in read_metrics(run.metrics_path)]
    return {
        "zoo": result["zoo"],
        "seed": result["seed"],
        "verdicts": verdicts,
        "right": specimen.right(verdicts),
        "knn_accuracy": result.get("knn_accuracy"),
        "knn_accuracy_untrained": result.get("knn_accuracy_untrained"),
        "loss": losses[-1] if losses else None,
    }


# -- all of them ---------------------------------------------------------------------------------------------------------
def entries(cifar: str | None = None) -> dict[str, tuple[Specimen, str]]:
    """Every entry with the source of its pictures; CIFAR-10 where a spec of it is given."""
    found = {name: (specimen, specimen.pictures) for name, specimen in ZOO.items()}
    return found | ({CIFAR.pictures: (CIFAR, cifar)} if cifar else {})


def visit(
    out: Path, names: Sequence[str], seeds: int, *, cifar: str | None = None, progress: Progress = silent
) -> Iterator[dict[str, Any]]:
    """Train what has not been trained, judge again what has; yields each run's row.

    Raises:
        ConfigError: an unknown name. RunError: a directory is taken by a run of other settings.
    """
    known = entries(cifar)
    for name in names:
        if name not in known:
            raise ConfigError(sentence("--only", f"any of {', '.join(known)}", name, "cifar needs --cifar SPEC"))
    todo = [(name, seed) for seed in range(seeds) for name in names]
    for i, (name, seed) in enumerate(todo):
        specimen, source = known[name]
        run = RunDir(out / run_name(name, seed))
        progress(i / len(todo), f"{name}, seed {seed}")
        if "result" not in run.status():
            train_one(name, specimen, run, pictures_of(name, specimen, source, out), seed)
        elif (run.path / "embeddings" / "report.json").exists():
            judge_again(run)
        yield row_of(specimen, run)


def on_disk(out: Path) -> list[dict[str, Any]]:
    """The rows of every finished run of the zoo in a folder, in the order of the entries."""
    rows = []
    for name, specimen in EVERY.items():
        runs = [RunDir(path) for path in out.glob(f"{PREFIX}{name}-*")]
        rows += sorted((row_of(specimen, r) for r in runs if "result" in r.status()), key=lambda row: row["seed"])
    return rows
