"""Everything that a report on a run holds: the diagnosis, its causes, evidence in pictures, and how to make the run again."""

from __future__ import annotations

import base64
import json
import platform
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simclr_core.causes import causes_to_json
from simclr_core.cloud import HUB_K, spectra
from simclr_core.config import AugmentConfig, RunConfig, from_dict, to_dict
from simclr_core.errors import SimclrError
from simclr_core.facts import read_facts
from simclr_core.likeness import colour_reference
from simclr_core.neighbours import near_pairs, rows_that_chose
from simclr_core.pairs import PairDistances, pair_distances
from simclr_core.progress import Progress, silent
from simclr_core.records import SPLITS, CollapseReport, EmbeddingTable, ImageSet, PairTable, Space, SpaceReport
from simclr_core.registry import Label
from simclr_core.sources import load_images
from simclr_core.store import RunDir, read_json
from simclr_core.tables import load_embeddings, load_pairs
from simclr_core.verdict import diagnose, report_to_json
from simclr_core.why import Eye, Inquiry, words

SHOWN = 6  # pictures or pairs of each kind
TILE = 96  # larger pictures are shown at this edge
BINS = 40
LIBRARIES = ("numpy", "torch", "torchvision", "scikit-learn", "scipy", "safetensors")


class Tile(NamedTuple):
    """One picture as a data URI ("" where it is not at hand) and its number in the whole source."""

    src: str
    image: int


class Group(NamedTuple):
    """Pictures that belong together, and the number that says how: a cosine, or in how many neighbourhoods."""

    tiles: tuple[Tile, ...]
    value: float


class Explained(NamedTuple):
    """Two different pictures, their cosine, and why they are alike to the encoder, a sentence each."""

    pair: Group
    sentences: tuple[Label, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What one space's verdict can be seen in.

    Attributes:
        spectrum: "encoder" and, where known, "untrained" → eigenvalues, largest first, divided by the largest.
        cosines: "positive" and "negative" → share of the pairs in each of `BINS` bins of [−1, 1].
        occurrence: pictures that are among the ten nearest of so many others: entry k counts those with N₁₀ = k.
        nearest: the nearest pairs of different pictures, by cosine.
        why: the nearest pair whose pixels differ; None without pictures.
        hubs: each the hub and the nearest that chose it, by N₁₀.
        worst: the two views of a picture that lie farthest apart, by cosine.
    """

    spectrum: Mapping[str, Float[np.ndarray, " d"]]
    cosines: Mapping[str, Float[np.ndarray, " b"]]
    occurrence: Int[np.ndarray, " k"]
    nearest: tuple[Group, ...]
    why: Explained | None
    hubs: tuple[Group, ...]
    worst: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """A report on a run. `data` is its JSON; `missing` says why there are no pictures, "" where there are."""

    name: str
    data: Mapping[str, Any]
    evidence: Mapping[Space, Evidence]
    missing: str


# -- the run -------------------------------------------------------------------------------------------------------------
def diagnose_run(run: RunDir, progress: Progress = silent) -> CollapseReport:
    """The diagnosis of the embeddings that a run holds, beside its stored references."""
    table = load_embeddings(run.path / "embeddings" / "encoder.npz")
    return diagnose(
        table,
        pairs=_pairs(run),
        run=run if run.metrics_path.exists() else None,
        references=run.references,
        space=table.spaces[0],
        progress=progress,
    )


def _pairs(run: RunDir) -> PairTable | None:
    path = run.path / "embeddings" / "pairs.npz"
    return load_pairs(path) if path.exists() else None


def report_on(run: RunDir, *, report: CollapseReport | None = None, progress: Progress = silent) -> RunReport:
    """Gather the report on a run.

    Args:
        run: a run with embeddings.
        report: its diagnosis, where it was made already.
        progress: heard while the diagnosis is made.

    Raises:
        DataError: there are no embeddings, or they cannot be measured.
    """
    report = report or diagnose_run(run, progress)
    table = load_embeddings(run.path / "embeddings" / "encoder.npz")
    pairs = _pairs(run)
    pictures, missing = _pictures(run, table)
    show = _Shower(pictures)
    facts = read_facts(run, table)
    evidence = {s: _evidence(run, table, pairs, found, show) for s, found in report.spaces.items()}
    numbers = {space: _numbers(e) for space, e in evidence.items()}
    about = {"provenance": provenance(run, pairs), "evidence": numbers}
    data = report_to_json(report) | causes_to_json(report, facts) | about
    return RunReport(name=run.name, data=data, evidence=evidence, missing=missing)


def _pictures(run: RunDir, table: EmbeddingTable) -> tuple[ImageSet | None, str]:
    about = run.info.get("config") or run.info.get("imported", {})
    if not about.get("images"):
        return None, "the embeddings came without pictures"
    split = next((s for s in SPLITS if s == table.split), "test")
    try:
        return load_images(about["images"], split=split, size=about.get("image_size")), ""
    except SimclrError as error:
        return None, str(error)


# -- where it comes from -------------------------------------------------------------------------------------------------
def provenance(run: RunDir, pairs: PairTable | None) -> dict[str, Any]:
    """What identifies a run and makes it again: id, digest, seeds, configuration, machine, versions, command line."""
    info, status = run.info, read_json(run.path / "status.json")
    known = {name: status.get(name) for name in ("device", "precision", "threads", "step", "steps")}
    seeds = {
        "training": run.config.train.seed if "config" in info else None,
        "pairs": None if pairs is None else pairs.seed,
    }
    return {
        "run": run.name,
        "run_id": info.get("run_id"),
        "data_digest": info.get("data_digest"),
        "images": info.get("images"),
        **known,
        "seconds": round(float(status.get("seconds") or 0), 1) or None,
        "seeds": seeds,
        "config": info.get("config"),
        "versions": versions(),
        "command": command_line(run.config, run.name, status.get("threads")) if info.get("run_id") else None,
    }


def versions() -> dict[str, str]:
    """Python and the libraries that numbers depend on, as they are here and now."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if name in ("augment", "model", "train"):
            yield from _flat(value, f"{name}.")
        elif name not in ("images", "schema"):
            yield prefix + name, value


def command_line(config: RunConfig, name: str, threads: int | None = None) -> str:
    """The shell command that trains this run again, every setting that is not a default written out.

    Args:
        config: as the run resolved it.
        name: of the new run directory.
        threads: how many it used; the same bits need the same number.
    """
    usual = dict(_flat(to_dict(RunConfig())))
    settings = dict(_flat(to_dict(config))) | ({"train.threads": threads} if threads else {})
    changed = [f"{path}={json.dumps(value)}" for path, value in settings.items() if value != usual[path]]
    chosen = ["--set", *changed] if changed else []
    return shlex.join(["python", "-m", "simclr_core", "train", "--images", config.images, "--out", name, *chosen])


# -- evidence ------------------------------------------------------------------------------------------------------------
def _evidence(
    run: RunDir, table: EmbeddingTable, pairs: PairTable | None, found: SpaceReport, show: _Shower
) -> Evidence:
    twice = pairs if pairs is not None and found.space in pairs.spaces else None
    distances = None if twice is None else pair_distances(*twice.space(found.space))
    return Evidence(
        spectrum=_spectra(run, found),
        cosines={} if distances is None else _cosines(distances),
        occurrence=np.bincount(found.k_occurrence),
        nearest=_nearest(found, table, show),
        why=_why(run, found, table, show),
        hubs=_hubs(found, table, show),
        worst=() if twice is None or distances is None else _worst(run, twice, distances, show),
    )


class _Shower:
    """Pictures by their number in the whole source, as data URIs."""

    def __init__(self, pictures: ImageSet | None) -> None:
        self.pictures = pictures
        self.place = {} if pictures is None else {int(index): row for row, index in enumerate(pictures.index)}

    def image(self, index: int | np.integer) -> np.ndarray | None:
        row = self.place.get(int(index))
        return None if self.pictures is None or row is None else self.pictures.image[row]

    def tile(self, index: int | np.integer) -> Tile:
        image = self.image(index)
        return Tile("" if image is None else data_uri(image), int(index))


def data_uri(image: np.ndarray) -> str:
    """A picture, uint8 (h, w, 3), as a PNG data URI, at most `TILE` pixels on its longer edge."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((TILE, TILE))
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _relative(eigenvalue: np.ndarray) -> np.ndarray:
    return eigenvalue / eigenvalue[0] if eigenvalue[0] > 0 else eigenvalue


def _spectra(run: RunDir, found: SpaceReport) -> dict[str, np.ndarray]:
    most = min(found.dim, found.n - 1)
    own = {"encoder": _relative(found.eigenvalue[:most])}
    path = run.path / "embeddings" / "untrained.npz"
    if not path.exists():
        return own
    before = load_embeddings(path)
    if found.space not in before.spaces:
        return own
    return own | {"untrained": _relative(spectra(before.space(found.space))[0][:most])}


def _cosines(distances: PairDistances) -> dict[str, np.ndarray]:
    both = {"positive": distances.positive, "negative": distances.negative}
    # Rounding may bring a cosine just past 1; it belongs into the last bin.
    return {k: np.histogram(np.clip(v, -1, 1), BINS, (-1, 1))[0] / len(v) for k, v in both.items()}


def _nearest(found: SpaceReport, table: EmbeddingTable, show: _Shower) -> tuple[Group, ...]:
    near = near_pairs(found.neighbours)
    triples = zip(near.i[:SHOWN], near.j[:SHOWN], near.distance[:SHOWN], strict=True)
    return tuple(Group((show.tile(table.index[i]), show.tile(table.index[j])), float(1 - d)) for i, j, d in triples)


def _why(run: RunDir, found: SpaceReport, table: EmbeddingTable, show: _Shower) -> Explained | None:
    """Copies before the first pair of different pictures are passed over."""
    near = near_pairs(found.neighbours)
    for i, j, d in zip(near.i, near.j, near.distance, strict=True):
        one, other = (show.image(table.index[row]) for row in (i, j))
        if show.pictures is None or one is None or other is None:
            return None
        if np.array_equal(one, other):
            continue
        same = None if table.label is None else bool(table.label[i] == table.label[j])
        colours, eye = colour_reference(show.pictures.image), _eye(run, found.space, show.pictures)
        known = Inquiry(one, other, colours=colours, same_class=same, eye=eye).work()
        return Explained(Group((show.tile(table.index[i]), show.tile(table.index[j])), float(1 - d)), words(known))
    return None


def _eye(run: RunDir, space: Space, pictures: ImageSet) -> Eye | None:
    if run.latest_checkpoint is None:
        return None
    from simclr_core.checkpoints import load_encoder
    from simclr_core.encode import eye_of

    return eye_of(load_encoder(run.path), space, pictures)


def _hubs(found: SpaceReport, table: EmbeddingTable, show: _Shower) -> tuple[Group, ...]:
    order = np.argsort(-found.k_occurrence, kind="stable")[: SHOWN // 2]
    groups = []
    for row in order:
        choosers = rows_that_chose(found.neighbours, int(row), HUB_K)[0][: SHOWN - 1]
        tiles = tuple(show.tile(table.index[r]) for r in (row, *choosers))
        groups.append(Group(tiles, float(found.k_occurrence[row])))
    return tuple(groups)


def _worst(run: RunDir, pairs: PairTable, distances: PairDistances, show: _Shower) -> tuple[Group, ...]:
    """The views drawn again from their seed, where the pair table says how; else the picture itself."""
    views = _views(pairs, show, run.config.image_size if "config" in run.info else None)
    groups = []
    for row in distances.worst[:SHOWN]:
        index = int(pairs.index[row])
        tiles = (show.tile(index),) if views is None else tuple(Tile(data_uri(v[row]), index) for v in views)
        groups.append(Group(tiles, float(distances.positive[row])))
    return tuple(groups)


def _views(pairs: PairTable, show: _Shower, size: int | None) -> tuple[np.ndarray, np.ndarray] | None:
    rows = [show.place.get(int(index)) for index in pairs.index]
    if show.pictures is None or not pairs.augment or None in rows:
        return None
    from simclr_core.encode import draw_views, to_pixels

    recipe = from_dict(AugmentConfig, pairs.augment)
    a, b = draw_views(show.pictures.take(np.array(rows)), recipe, pairs.seed, size)
    return to_pixels(a), to_pixels(b)


def _numbers(evidence: Evidence) -> dict[str, Any]:
    """Evidence without its pictures, in plain JSON values."""
    why = evidence.why
    groups = {"nearest": evidence.nearest, "hubs": evidence.hubs, "worst": evidence.worst}
    return {
        "spectrum": {name: values.tolist() for name, values in evidence.spectrum.items()},
        "cosines": {name: values.tolist() for name, values in evidence.cosines.items()},
        "occurrence": evidence.occurrence.tolist(),
        "why": why
        and {"images": [tile.image for tile in why.pair.tiles], "sentences": [s._asdict() for s in why.sentences]},
    } | {
        name: [{"images": [tile.image for tile in g.tiles], "value": g.value} for g in gs]
        for name, gs in groups.items()
    }
