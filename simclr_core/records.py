"""The arrays that flow from images to a verdict: frozen records, numpy only, checked at construction.

Legend: n images, h w pixels, dh width of the backbone's output h, dz width of the projection head's output z,
k neighbours, dims 2 or 3 axes of a map. Cosines are in [−1, 1]; distances are 1 − cosine in [0, 2].
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from simclr_core.errors import DataError, sentence

Space = Literal["h", "z"]
Split = Literal["train", "test", "all"]
Severity = Literal["ok", "warn", "fail"]
SPACES: tuple[Space, ...] = ("h", "z")
SPLITS: tuple[Split, ...] = ("train", "test", "all")


def _same_length(n: int, **columns: np.ndarray | None) -> None:
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise DataError(sentence(name, f"as long as the other columns ({n} rows)", len(column), "align the rows"))


def require_finite(name: str, x: np.ndarray) -> None:
    """Refuse NaN and infinity with the number of bad rows and the first of them."""
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        found = f"{len(bad)} rows with NaN or infinity (first: row {bad[0]})"
        raise DataError(f"`{name}` must be finite, got {found}; drop these rows or find what made them")


def picture_hash(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Sixteen bytes that two pictures share only if every pixel agrees."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def rows_of(index: Int[np.ndarray, " n"], wanted: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """The row of each wanted number of a picture in a column of n ≥ 1 such numbers; −1 where it is not there."""
    order = np.argsort(index, kind="stable")
    rows = order[np.minimum(np.searchsorted(index[order], wanted), len(order) - 1)]
    return np.where(index[rows] == wanted, rows, -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Pictures of one size, three channels, with what is known about them.

    `index` is each picture's row in the whole source, so that splits of one source never share an index.
    `notices` say openly what was done to the pictures on the way in (resized, skipped, made three-channel).
    """

    image: UInt8[np.ndarray, "n h w 3"]
    label: Int[np.ndarray, " n"] | None
    index: Int[np.ndarray, " n"]
    class_names: tuple[str, ...] = ()
    spec: str
    split: Split
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.image)
        if n < 2:
            raise DataError(sentence("images", "at least 2 pictures", n, "contrast needs something to contrast with"))
        _same_length(n, label=self.label, index=self.index)
        if self.label is not None and self.label.min() < 0:
            raise DataError(sentence("label", "0 or larger", int(self.label.min()), "number the classes from 0"))

    def __len__(self) -> int:
        return len(self.image)

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits that change when a pixel, a label or the order changes."""
        sha = hashlib.sha256(str(self.image.shape).encode())
        sha.update(np.ascontiguousarray(self.image).data)
        if self.label is not None:
            sha.update(np.ascontiguousarray(self.label.astype(np.int64)).data)
        return sha.hexdigest()[:16]

    def class_name(self, label: int) -> str:
        """A class by its name, or by its number where it has none."""
        return self.class_names[label] if 0 <= label < len(self.class_names) else str(label)

    @property
    def copies(self) -> float:
        """Share of the pictures whose pixels, all of them, equal another's."""
        count = Counter(map(picture_hash, self.image))
        return sum(n for n in count.values() if n > 1) / len(self)

    def take(self, rows: np.ndarray) -> ImageSet:
        """The pictures at these positions, in this order."""
        label = None if self.label is None else self.label[rows]
        return replace(self, image=self.image[rows], label=label, index=self.index[rows])

    def sample(self, most: int, seed: int = 0) -> ImageSet:
        """At most so many pictures, drawn without replacement and kept in order."""
        if len(self) <= most:
            return self
        rows = np.random.default_rng(seed).choice(len(self), most, replace=False)
        return self.take(np.sort(rows))


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable:
    """What an encoder made of n pictures: h, z or both, and which pictures they were."""

    h: Float[np.ndarray, "n dh"] | None
    z: Float[np.ndarray, "n dz"] | None
    label: Int[np.ndarray, " n"] | None = None
    index: Int[np.ndarray, " n"]
    class_names: tuple[str, ...] = ()
    encoder: str = ""
    spec: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        if self.h is None and self.z is None:
            raise DataError("an embedding table must hold `h`, `z` or both, got neither; encode the images first")
        _same_length(len(self), h=self.h, z=self.z, label=self.label, index=self.index)
        for name in self.spaces:
            require_finite(name, self.space(name))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Which of h and z are there, h first."""
        return tuple(s for s in SPACES if getattr(self, s) is not None)

    def space(self, name: Space) -> Float[np.ndarray, "n d"]:
        """The matrix of one space; `DataError` when the table lacks it."""
        x = getattr(self, name, None) if name in SPACES else None
        if x is None:
            raise DataError(sentence("space", f"one of {', '.join(self.spaces)}", name, "choose a space of this table"))
        return x


@dataclass(frozen=True, kw_only=True, eq=False)
class PairTable:
    """Two or more views of each of n images, encoded: row i of every matrix comes from image `index[i]`.

    `z_more` and `h_more` hold the views beyond the first two. `seed` and `augment` let the very same views be drawn again.
    """

    z_a: Float[np.ndarray, "n dz"] | None
    z_b: Float[np.ndarray, "n dz"] | None
    h_a: Float[np.ndarray, "n dh"] | None = None
    h_b: Float[np.ndarray, "n dh"] | None = None
    z_more: Float[np.ndarray, "n more dz"] | None = None
    h_more: Float[np.ndarray, "n more dh"] | None = None
    label: Int[np.ndarray, " n"] | None = None
    index: Int[np.ndarray, " n"]
    encoder: str = ""
    seed: int = 0
    augment: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = ("z_a", "z_b", "h_a", "h_b", "z_more", "h_more", "label")
        _same_length(len(self.index), **{name: getattr(self, name) for name in columns})
        if not self.spaces:
            raise DataError("a pair table must hold `z_a` and `z_b`, or `h_a` and `h_b`; got neither pair")
        for s in self.spaces:
            (a, b), more = self.space(s), getattr(self, s + "_more")
            if a.shape != b.shape or (more is not None and more.shape[2:] != a.shape[1:]):
                found = ", ".join(str(x.shape) for x in (a, b, more) if x is not None)
                raise DataError(sentence(f"{s}_a, {s}_b", "of one width", found, "encode all views with one encoder"))

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Which of h and z are there, h first."""
        return tuple(s for s in SPACES if getattr(self, s + "_a") is not None and getattr(self, s + "_b") is not None)

    def space(self, name: Space) -> tuple[np.ndarray, np.ndarray]:
        """Both views' matrices of one space."""
        if name not in self.spaces:
            raise DataError(sentence("space", f"one of {', '.join(self.spaces)}", name, "choose a space of this table"))
        return getattr(self, name + "_a"), getattr(self, name + "_b")

    def all_views(self, name: Space) -> Float[np.ndarray, "n q d"]:
        """Every view of each image in one space, the pair's two first."""
        pair = np.stack(self.space(name), axis=1)
        more = getattr(self, name + "_more")
        return pair if more is None else np.concatenate([pair, more], axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighbourGraph:
    """The k nearest others of each row, nearest first, the row itself excluded."""

    index: Int[np.ndarray, "n k"]
    distance: Float[np.ndarray, "n k"]
    metric: str

    @property
    def k(self) -> int:
        return self.index.shape[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """A picture of an embedding space in 2 or 3 axes. Positions carry no unit."""

    xy: Float[np.ndarray, "n dims"]
    index: Int[np.ndarray, " n"]
    label: Int[np.ndarray, " n"] | None
    method: str
    space: str
    params: Mapping[str, Any]
    seed: int
    seconds: float
    trustworthiness: float | None

    @property
    def dims(self) -> int:
        return self.xy.shape[1]


class Interval(NamedTuple):
    """Where a number would lie in 95 of 100 samples of the same size."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule's answer about one space. `sentence` is English; `sentences` holds it in every language of the rule.

    `value` is None when the rule could not be applied; the sentence then says why. `interval` is None where the value's
    was not measured. `threshold_source` says where the limit comes from.
    """

    id: str
    severity: Severity
    value: float | None
    reference: Mapping[str, float | None]
    threshold: float | None
    sentences: Mapping[str, str]
    source: str = ""
    interval: Interval | None = None
    threshold_source: str = ""

    @property
    def sentence(self) -> str:
        return self.sentences["en"]

    @property
    def unsure(self) -> bool:
        """Whether the interval holds the threshold: another sample might be judged otherwise."""
        return self.interval is not None and self.threshold is not None and self.interval.holds(self.threshold)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpaceReport:
    """Everything measured of one space of one table, and what follows from it."""

    space: Space
    n: int
    dim: int
    verdict: str
    severity: Severity
    findings: tuple[Finding, ...]
    metrics: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    references: Mapping[str, Mapping[str, float | None]]
    eigenvalue: Float[np.ndarray, " d"]
    k_occurrence: Int[np.ndarray, " n"]
    neighbours: NeighbourGraph


@dataclass(frozen=True, kw_only=True, eq=False)
class CollapseReport:
    """The diagnosis of an embedding table: `top` is the space asked for, `spaces` holds them all."""

    top: Space
    spaces: Mapping[Space, SpaceReport]

    def __getattr__(self, name: str) -> Any:
        """Read the asked-for space's values directly: report.verdict, report.metrics, …"""
        if name.startswith("__") or name in ("top", "spaces"):
            raise AttributeError(name)
        return getattr(self.spaces[self.top], name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainStep:
    """One reported step of a training run. Losses in nats, cosines of z, rates in images (not views) per second.

    `dim` is the width of z, which bounds `effective_rank`; `knn_accuracy` is that of a held-out sample, at the steps where
    it was looked at; `grad_norm` is None where half precision overflowed and the step was left out; `alarms` are the ids of
    what looks wrong at this step (`alarms.ALARMS`, or "h:" or "z:" and a verdict).
    """

    step: int
    steps: int
    epoch: float
    loss: float
    loss_ceiling: float | None
    loss_floor: float | None
    temperature: float
    contrastive_accuracy: float
    positive_cosine: float
    negative_cosine: float
    std_ratio: float
    effective_rank: float
    effective_negatives: float
    dim: int
    lr: float
    grad_norm: float | None
    images_per_second: float
    seconds: float
    knn_accuracy: float | None = None
    alarms: tuple[str, ...] = ()
