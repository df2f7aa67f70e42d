"""What an operation costs: orbits under a whole recipe, under one operation alone, without it, and at growing strengths.

Every recipe is drawn from the same seed, so that what two recipes share is drawn alike and their difference is told picture by
picture. Torch loads when the first view is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from simclr_core.config import AugmentConfig
from simclr_core.means import Mean, mean
from simclr_core.operations import STRENGTHS, ablation, at_strength
from simclr_core.orbits import Orbits, orbits
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import EmbeddingTable, ImageSet, PairTable, Space

if TYPE_CHECKING:
    from simclr_core.checkpoints import Encoder

K = TypeVar("K")
Length = Literal["between", "radius"]
LENGTHS: tuple[Length, ...] = ("between", "radius")
InSpaces = Mapping[Space, Orbits]
Measure = Callable[[AugmentConfig], InSpaces]
QUESTIONS = ("ablation", "sweep", "readout")  # what a person can ask; the last is `simclr_core.readout`'s
PICTURES = 256  # enough for an interval of a few per cent of a mean distance


@dataclass(frozen=True, kw_only=True, eq=False)
class Ablation:
    """Orbits under a recipe, and under each of its operations alone and left out, by the operation's name."""

    whole: InSpaces
    alone: Mapping[str, InSpaces]
    without: Mapping[str, InSpaces]

    def adds(self, name: str, space: Space, length: Length) -> Mean:
        """By how much the operation lengthens a distance in the company of the others; negative where it shortens it."""
        return mean(getattr(self.whole[space], length) - getattr(self.without[name][space], length))


def orbits_of(pictures: EmbeddingTable, pairs: PairTable) -> InSpaces:
    """The orbits of the same pictures, in the same order, encoded as they are and as views."""
    return {s: orbits(pictures.space(s), pairs.all_views(s)) for s in pairs.spaces if s in pictures.spaces}


def measure_with(encoder: Encoder, images: ImageSet, *, views: int = 2, seed: int = 0) -> Measure:
    """How an encoder sees these pictures under any recipe: recipe → orbits in h and z. On the CPU, one draw a seed."""
    from simclr_core.encode import encode, encode_pairs

    pictures = encode(encoder, images, device="cpu")
    return lambda augment: orbits_of(pictures, encode_pairs(encoder, images, augment=augment, seed=seed, views=views))


def _each(recipes: Mapping[K, AugmentConfig], measure: Measure, progress: Progress) -> dict[K, InSpaces]:
    found = {}
    for i, (name, recipe) in enumerate(recipes.items()):
        found[name] = measure(recipe)
        if progress((i + 1) / len(recipes), "views"):
            raise Stopped
    return found


def ablate(augment: AugmentConfig, measure: Measure, *, progress: Progress = silent) -> Ablation:
    """Which operation of a recipe costs the most distance.

    Args:
        augment: the recipe; operations that it does not use are left out.
        measure: from `measure_with`.
        progress: heard after every recipe; stopping raises `Stopped`.
    """
    found = _each(ablation(augment), measure, progress)
    parts = {kind: {name: o for (k, name), o in found.items() if k == kind} for kind in ("alone", "without")}
    return Ablation(whole=found[("whole", "")], **parts)


def sweep(name: str, measure: Measure, *, progress: Progress = silent) -> dict[float, InSpaces]:
    """The orbits under one operation alone, in every view, by its strength from 0 to 1; see `OPERATIONS`."""
    return _each({s: at_strength(name, s) for s in STRENGTHS}, measure, progress)


def ablation_to_json(found: Ablation) -> dict[str, Any]:
    """By space: the summary of the whole recipe, and of each operation alone, left out, and what it adds."""
    return {
        space: {
            "whole": whole.summary(),
            "operations": {
                name: {
                    "alone": found.alone[name][space].summary(),
                    "without": found.without[name][space].summary(),
                    "adds": {length: found.adds(name, space, length)._asdict() for length in LENGTHS},
                }
                for name in found.alone
            },
        }
        for space, whole in found.whole.items()
    }


def sweep_to_json(found: Mapping[float, InSpaces]) -> dict[str, Any]:
    """By space, a list: each strength with the summary of its orbits."""
    spaces = next(iter(found.values()))
    return {space: [{"strength": s} | by_space[space].summary() for s, by_space in found.items()] for space in spaces}
