"""The failure zoo: `ZOO`, encoders that fail in ways known beforehand, and healthy ones beside them. No torch.

An entry says what is done to the pictures and to the settings, in which space the failure lives, and which verdicts would name it
rightly. These verdicts were written down before anything was trained (docs/zoo.md keeps what changed since, and why).
`zoo_runs` trains and judges, `zoo_tables` writes down what came out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simclr_core.config import RunConfig, with_overrides
from simclr_core.records import ImageSet, Space
from simclr_core.registry import Choice
from simclr_core.texts import beside

TRAIN, TEST = 3072, 1000  # pictures of each part, at most, before an entry's change
PREFIX = "zoo-"
HEALTHY = "healthy"
STOPPED = "stopped"  # no verdict: the trainer itself refused to go on, with a sentence
COLLAPSES = ("complete", "dimensional", "cone", "cluster")  # what no healthy run may be called
BATCH, STEPS = 64, 144
BASE = (
    f"train.batch_size={BATCH}",
    f"train.epochs={STEPS * BATCH // TRAIN}",
    "train.threads=1",
    "train.device=cpu",
    "train.precision=fp32",
    "train.checkpoint_every=1000000",
)
Change = Callable[[ImageSet], ImageSet]


# -- what is done to the pictures ------------------------------------------------------------------------------------------
def as_they_are(images: ImageSet) -> ImageSet:
    """No change."""
    return images


def few(most: int) -> Change:
    """At most so many training pictures; as many as ever to judge by."""
    return lambda images: images.sample(most) if images.split == "train" else images


def doubled(images: ImageSet) -> ImageSet:
    """Half of the pictures, each twice."""
    return images.take(np.tile(np.arange(len(images) // 2), 2))


def half_grey(images: ImageSet) -> ImageSet:
    """A random half of the pictures replaced by plain grey."""
    image = images.image.copy()
    image[np.random.default_rng(0).permutation(len(image))[: len(image) // 2]] = 128
    return replace(images, image=image)


def tinted(images: ImageSet) -> ImageSet:
    """Every picture mixed half and half with a colour of its own, drawn evenly from the RGB cube."""
    colour = np.random.default_rng(0).integers(0, 256, (len(images), 1, 1, 3))
    return replace(images, image=((images.image + colour) // 2).astype(np.uint8))


def only_class(name: str) -> Change:
    """The pictures of one class."""

    def change(images: ImageSet) -> ImageSet:
        return images.take(np.flatnonzero(images.label == images.class_names.index(name)))

    return change


# -- an entry ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen(Choice[Change]):
    """An entry of `ZOO`: `run` changes the pictures, `help` says why this fails.

    Attributes:
        pictures: the source that is changed.
        settings: what differs from `BASE`, as `--set` takes it.
        learner: a name of `zoo_runs.LEARNERS`, "" for the usual one.
        space: where the failure lives.
        accepted: verdicts on that space that name it rightly; empty where no verdict does, and nothing is counted.
        control: a healthy run, which no verdict of `COLLAPSES` may meet in either space.
    """

    run: Change = as_they_are
    pictures: str = "demo"
    settings: tuple[str, ...] = ()
    learner: str = ""
    space: Space = "z"
    accepted: tuple[str, ...] = ()
    control: bool = False

    def config(self, images: str, seed: int) -> RunConfig:
        """The run's settings on these pictures (a spec)."""
        return with_overrides(RunConfig(images=images), [*BASE, *self.settings, f"train.seed={seed}"])

    def right(self, verdicts: Mapping[str, str]) -> bool | None:
        """Whether the verdicts (space → id) name the failure, or leave a healthy run in peace; None where nothing is counted."""
        if self.control:
            return not any(verdict in (*COLLAPSES, STOPPED) for verdict in verdicts.values())
        return verdicts[self.space] in self.accepted if self.accepted else None


def run_name(name: str, seed: int = 0) -> str:
    """The directory's name of an entry's run, by which a page finds it among the runs there are."""
    return f"{PREFIX}{name}-{seed}"


CHANGES: dict[str, Change] = {
    "batch_2": few(400),
    "tinted": tinted,
    "short": few(4 * BATCH),
    "doubled": doubled,
    "half_grey": half_grey,
    "one_class": only_class("Trouser"),
}
EVERY = {name: Specimen(run=CHANGES.get(name, as_they_are), **entry) for name, entry in beside(__file__).items()}
CIFAR = EVERY["cifar"]
ZOO = {name: entry for name, entry in EVERY.items() if entry is not CIFAR}


# -- what came out -------------------------------------------------------------------------------------------------------
Row = Mapping[str, Any]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows with their totals: failures named of those counted, healthy runs called no collapse, of all."""
    failures = [row["right"] for row in rows if not EVERY[row["zoo"]].control and row["right"] is not None]
    controls = [row["right"] for row in rows if EVERY[row["zoo"]].control]
    confusion = {
        name: {
            space: dict(Counter(row["verdicts"][space] for row in rows if row["zoo"] == name)) for space in ("z", "h")
        }
        for name in dict.fromkeys(row["zoo"] for row in rows)
    }
    totals = {"failures": len(failures), "named": sum(failures), "healthy": len(controls), "spared": sum(controls)}
    return totals | {"confusion": confusion, "runs": list(rows)}
