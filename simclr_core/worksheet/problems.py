"""The work sheet's numeric exercises: the matrix as printed or drawn from a seed, the right numbers.

A problem is a similarity matrix with a temperature; it is worked in stages: numerator and denominator of an anchor's
softmax, the positive's share p, its −ln, the pull on the positive, and the batch's mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from simclr_core import similarity as sim
from simclr_core.errors import ConfigError, sentence
from simclr_core.presets import PRESETS
from simclr_core.registry import Label, Params, check_fields, number
from simclr_core.worksheet.texts import TEXTS

PRINTED = 0  # the seed that stands for the sheet as it is printed
SEED_HIGH = 999_999
IMAGES_LOW, IMAGES_HIGH, IMAGES = 2, 5, 3
TEMPERATURES = (0.1, 0.2, 0.5, 1.0)
ANCHOR_STAGES = ("numerator", "denominator", "p", "loss")
STAGES: dict[str, Label] = TEXTS["stages"]
# Unit directions drawn towards one side, so that negatives are seldom easy; views near their image's direction.
_DIM, _CONE, _SPREAD = 6, 0.5, 0.15
# Two decimals move an entry by 0.005 at most, so no eigenvalue by more than 0.005 (2N − 1) = 0.045 at N = 5: shrinking
# all cosines by 0.05 first, which lifts every eigenvalue to 0.05 or more, keeps each rounded matrix positive definite.
_SHRINK = 0.05


class Worked(NamedTuple):
    """A problem worked to its end. Arrays hold one number an anchor, (2N,); losses in nats, pull in nats per cosine."""

    numerator: np.ndarray
    denominator: np.ndarray
    p: np.ndarray
    loss: np.ndarray
    pull: np.ndarray
    mean: float

    def at(self, stage: str, anchor: int = 0) -> float:
        """The number of a stage; `anchor` counts from 0 and does not matter for the mean."""
        found = getattr(self, stage)
        return float(found if stage == "mean" else found[anchor])


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One matrix at one temperature.

    Attributes:
        similarity: (2N, 2N), views in turn, so that rows 1 and 2 are one image's.
        temperature: τ > 0.
        anchors: rows that are asked about, from 0.
        stages: what is asked of each anchor.
        asks_mean: whether the batch loss is asked too.
    """

    similarity: np.ndarray
    temperature: float
    anchors: tuple[int, ...] = (0, 2)
    stages: tuple[str, ...] = ANCHOR_STAGES
    asks_mean: bool = True

    @property
    def partner(self) -> np.ndarray:
        """(2N,) row of each view's positive."""
        return sim.interleaved_partner(len(self.similarity) // 2)

    @cached_property
    def right(self) -> Worked:
        """The right numbers, with all digits of a small loss (`similarity.nt_xent_rows`)."""
        ask = (self.similarity, self.partner, self.temperature)
        e = terms(self)
        loss = sim.nt_xent_rows(*ask)
        p = sim.softmax_rows(self.similarity, self.temperature)[rows(self), self.partner]
        return Worked(positives(self, e), e.sum(axis=1), p, loss, sim.positive_pull(*ask), float(loss.mean()))

    @property
    def items(self) -> list[tuple[str, int]]:
        """What is asked, in order: (stage, anchor)."""
        asked = [(stage, anchor) for anchor in self.anchors for stage in self.stages]
        return [*asked, ("mean", 0)] if self.asks_mean else asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet(Params):
    """Which sheet is worked on.

    Raises:
        ConfigError: a field outside its range, or a printed sheet with other than its own size and temperature.
    """

    seed: int = number(PRINTED, 0, SEED_HIGH, Label("Sheet number", "题单编号"), integer=True)
    images: int = number(IMAGES, IMAGES_LOW, IMAGES_HIGH, Label("Images N", "图像数 N"), integer=True)
    temperature: float = number(
        TEMPERATURES[0], TEMPERATURES[0], TEMPERATURES[-1], Label("Temperature τ", "温度系数 τ")
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.temperature not in TEMPERATURES:
            rule = f"one of {', '.join(map(str, TEMPERATURES))}"
            raise ConfigError(sentence("temperature", rule, self.temperature, "choose one of these"))
        if self.seed == PRINTED and (self.images, self.temperature) != (IMAGES, TEMPERATURES[0]):
            found = f"{self.images} images at {self.temperature:g}"
            raise ConfigError(
                sentence("sheet 0", "the printed one: 3 images at 0.1", found, "give another sheet number")
            )

    @property
    def id(self) -> str:
        """What tells this sheet from others: "0" for the printed one, else "seed-images-temperature"."""
        return "0" if self.seed == PRINTED else f"{self.seed}-{self.images}-{self.temperature:g}"

    @property
    def similarity(self) -> np.ndarray:
        """(2N, 2N) cosines, two decimals."""
        return PRESETS["sheet"].similarity if self.seed == PRINTED else drawn_matrix(self.seed, self.images)

    @property
    def other_temperature(self) -> float:
        """What exercise 2 changes the temperature to."""
        return 0.5 if self.temperature < 0.5 else 0.1

    def problems(self) -> dict[str, Problem]:
        """The numeric exercises by number; the same objects each time."""
        return _problems(self)


@lru_cache(maxsize=32)
def _problems(sheet: Sheet) -> dict[str, Problem]:
    s, tau = sheet.similarity, sheet.temperature
    s.flags.writeable = False
    alone: dict[str, Any] = {"anchors": (0,), "stages": (*ANCHOR_STAGES, "pull"), "asks_mean": False}
    return {
        "1": Problem(similarity=s, temperature=tau),
        "2": Problem(similarity=s, temperature=sheet.other_temperature),
        "3": Problem(similarity=s[:2, :2], temperature=tau, **alone),
    }


def drawn_matrix(seed: int, images: int) -> np.ndarray:
    """Cosines of random unit vectors, two views an image, to two decimals; always those of some real unit vectors.

    Args:
        seed: the same one gives the same matrix everywhere.
        images: N; up to 5 the smallest eigenvalue stays above 0 (the bound stands with `_SHRINK`).

    Returns:
        (2N, 2N) symmetric, diagonal 1.
    """
    draw = np.random.default_rng((seed, images))
    centre = draw.normal(size=(images, 1, _DIM))
    centre = centre / np.linalg.norm(centre, axis=2, keepdims=True) + _CONE * np.eye(_DIM)[0]
    views = centre + _SPREAD * draw.normal(size=(images, 2, _DIM))
    s = np.round((1 - _SHRINK) * sim.cosine_matrix(views.reshape(2 * images, _DIM)), 2) + 0.0  # no −0
    np.fill_diagonal(s, 1)
    return s


def half_share_images(temperature: float, *, positive: float = 0.9, dim: int = 128) -> float:
    """Images N in a batch at which random negatives take half of an anchor's softmax: (2N−2) E e^(s/τ) = e^(s₊/τ).

    Cosines of random directions in `dim` dimensions are nearly normal with variance 1/dim, so E e^(s/τ) ≈ e^(1/(2 dim τ²)).
    """
    return 1 + 0.5 * float(np.exp(positive / temperature - 1 / (2 * dim * temperature**2)))


def rows(q: Problem) -> np.ndarray:
    """Row numbers, to pick one entry of each row with."""
    return np.arange(len(q.similarity))


def terms(q: Problem, temperature: float | None = None) -> np.ndarray:
    """e^(s/τ) of every candidate, (2N, 2N); 0 on the diagonal."""
    e = np.exp(q.similarity / (temperature or q.temperature))
    np.fill_diagonal(e, 0)
    return e


def positives(q: Problem, values: np.ndarray) -> np.ndarray:
    """The positive's entry of each row, (2N,)."""
    return values[rows(q), q.partner]
