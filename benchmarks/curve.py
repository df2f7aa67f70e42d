"""Accuracy against training time: kNN of h at several moments of a run, and the drawing of such curves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from simclr_core.config import RunConfig
from simclr_core.forward import BATCH, embed, image_tensor, unit_interval
from simclr_core.knn import knn_accuracy
from simclr_core.records import ImageSet
from simclr_core.report_svg import frame, line, ticks
from simclr_core.train import Training, estimate

Point = dict[str, float]
TRIED = 12  # steps by which a run's speed is known before it starts
STYLE = (
    "svg{font:11px sans-serif;color:#222;background:#fff}.grid{stroke:#ddd}text{fill:currentColor}"
    ".line0{stroke:#0072b2}.line1{stroke:#d55e00;stroke-dasharray:6 3}.line2{stroke:#009e73;stroke-dasharray:2 3}"
    ".line3{stroke:#cc79a7}polyline{fill:none;stroke-width:2}.fill0{fill:#0072b2}.fill1{fill:#d55e00}.fill2{fill:#009e73}"
    ".fill3{fill:#cc79a7}@media(prefers-color-scheme:dark){svg{color:#eee;background:#111}.grid{stroke:#444}}"
)


def features(model: Any, images: ImageSet, size: int | None, device: torch.device) -> np.ndarray:
    """h of every picture as it is, encoded in evaluation mode."""
    parts = []
    for start in range(0, len(images), BATCH):
        pixels = image_tensor(images.image[start : start + BATCH], device)
        parts.append(embed(model, unit_interval(pixels, size))[0])
    return np.concatenate(parts)


def accuracy(model: nn.Module, bank: ImageSet, query: ImageSet, size: int | None, device: torch.device) -> float:
    """Share of the queries that the 20 nearest bank pictures in h classify rightly; votes weigh exp(cosine / 0.1)."""
    assert bank.label is not None
    assert query.label is not None
    was = model.training
    h = [features(model.eval(), images, size, device) for images in (bank, query)]
    model.train(was)
    return knn_accuracy(h[0], bank.label, h[1], query.label)


def epochs_within(config: RunConfig, images: ImageSet, minutes: float) -> int:
    """Whole epochs that fit into a budget at the speed of a few steps on this machine now; at least 1."""
    one = replace(config, train=replace(config.train, epochs=1))
    return max(1, int(60 * minutes / estimate(one, images, TRIED)))


def follow(training: Training, bank: ImageSet, query: ImageSet, looks: int) -> Iterator[Point]:
    """Train to the end and look so many times on the way, and before it: step, seconds by the clock and of the processor,
    kNN accuracy. Only training counts as time: neither loading pictures nor looking."""
    size, device = training.config.image_size, training.learner.device
    spent = 0.0

    def point() -> Point:
        knn = accuracy(training.model, bank, query, size, device)
        return {"step": training.step, "seconds": training.seconds, "processor_seconds": spent, "knn": knn}

    yield point()
    marks = [round(training.steps * (k + 1) / looks) for k in range(looks)]
    began = time.process_time()
    for report in training:
        if report.step >= marks[0]:
            spent += time.process_time() - began
            yield point()
            marks = [m for m in marks if m > report.step] or [training.steps + 1]
            began = time.process_time()


def seconds_to(points: Sequence[Point], goal: float) -> float | None:
    """Training seconds at the first look that reached an accuracy; None where none did."""
    return next((p["seconds"] for p in points if p["knn"] >= goal), None)


def drawing(runs: Mapping[str, Sequence[Point]]) -> str:
    """Curves of kNN accuracy over minutes, as an SVG that stands alone."""
    longest = max(p["seconds"] for points in runs.values() for p in points) / 60
    minutes = 1.03 * longest  # room for the last number
    values = [p["knn"] for points in runs.values() for p in points]
    high = np.ceil(10 * max(values)) / 10
    low = min(np.floor(10 * min(values)) / 10, high - 0.1)
    lines = [
        line(i, [(p["seconds"] / 60 / minutes, (p["knn"] - low) / (high - low)) for p in points])
        for i, points in enumerate(runs.values())
    ]
    levels = [((v - low) / (high - low), f"{v:.2f}") for v in np.arange(low, high + 0.01, 0.05)]
    times = [(share / 1.03, f"{share * longest:.1f}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    inside = ticks(levels, upright=True) + ticks(times, upright=False) + "".join(lines)
    title = "CIFAR-10: kNN accuracy of h over training minutes"
    drawn = str(frame(inside, title, "training minutes", list(runs)))  # as plain text: the style is not to be escaped
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{STYLE}</style>", 1
    )
