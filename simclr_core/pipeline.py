"""What a finished run gets: embeddings, the references beside them, pairs, a first map, a diagnosis.

The pages read these files alone, so that looking at a run needs neither torch nor the encoder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simclr_core.causes import causes_to_json
from simclr_core.checkpoints import UNTRAINED, Encoder, load_encoder
from simclr_core.config import RunConfig
from simclr_core.encode import encode, encode_pairs
from simclr_core.facts import read_facts
from simclr_core.lidar import FEWEST_VIEWS
from simclr_core.maps import make_map
from simclr_core.pixels import REFERENCE_ROWS, pixel_table
from simclr_core.probes import knn_accuracy
from simclr_core.progress import Progress, silent
from simclr_core.records import CollapseReport, EmbeddingTable, ImageSet, PairTable, Split
from simclr_core.sources import load_images
from simclr_core.store import RunDir, write_atomic
from simclr_core.tables import load_embeddings, load_pairs, save_embeddings, save_map, save_pairs
from simclr_core.verdict import diagnose, measure, report_to_json

LOOKED_AT = 10_000  # held-out pictures that the pages show; more are sampled and the report says so
BANK = 20_000  # training pictures that vote in the kNN accuracy
PAIRS = 512


def load_for(config: RunConfig, split: Split, *, download: bool = False) -> ImageSet:
    """The pictures of a run, at the size it asked for."""
    return load_images(config.images, split=split, size=config.image_size, download=download)


def held_out_accuracy(encoder: Encoder, train: ImageSet, test: EmbeddingTable) -> float | None:
    """Weighted 20-nearest-neighbour accuracy of h on the held-out pictures; None without two classes to tell apart."""
    if train.label is None or test.label is None or len(set(train.label.tolist())) < 2:
        return None
    bank = encode(encoder, train.sample(BANK))
    assert bank.label is not None
    return knn_accuracy(bank.space("h"), bank.label, test.space("h"), test.label)


def references(images: ImageSet, untrained: EmbeddingTable, pairs: PairTable) -> dict[str, Mapping[str, Any]]:
    """What the same numbers are without any training: for each space of the untrained encoder, and for raw pixels."""
    pixels = pixel_table(images.sample(REFERENCE_ROWS))
    found: dict[str, Mapping[str, Any]] = {"pixels": measure(pixels.space("h"), pixels.label)}
    for space in untrained.spaces:
        both, views = pairs.space(space), pairs.all_views(space)
        found[f"untrained_{space}"] = measure(untrained.space(space), untrained.label, both, orbits=views)
    return found


def write_report(
    run: RunDir, table: EmbeddingTable, pairs: PairTable, references: Mapping[str, Mapping[str, Any]]
) -> CollapseReport:
    """Diagnose a run's embeddings and write `embeddings/report.json`: the verdict, its likely causes, the references."""
    report = diagnose(table, pairs=pairs, run=run, references=references)
    text = json.dumps(report_to_json(report) | causes_to_json(report, read_facts(run, table)))
    write_atomic(run.path / "embeddings" / "report.json", text)
    return report


def judge_again(run: RunDir) -> CollapseReport:
    """Diagnose a finished run anew, by the rules as they are now, beside the references it was first judged by."""
    folder = run.path / "embeddings"
    table, pairs = load_embeddings(folder / "encoder.npz"), load_pairs(folder / "pairs.npz")
    return write_report(run, table, pairs, run.references)


def write_embeddings(
    run: RunDir, encoder: Encoder, untrained: Encoder, images: ImageSet, progress: Progress = silent
) -> tuple[dict[str, EmbeddingTable], CollapseReport]:
    """Fill `embeddings/` and `maps/` of a run from its encoder and the same network before training.

    Returns:
        The tables by name ("encoder", "untrained"), and the diagnosis of the first.
    """
    folder = run.path / "embeddings"
    augment = encoder.config.augment
    some = images.sample(PAIRS)
    tables, pairs = {}, {}
    for i, (name, network) in enumerate({"encoder": encoder, "untrained": untrained}.items()):
        progress(0.1 + 0.3 * i, f"encoding ({name})")
        tables[name] = encode(network, images)
        pairs[name] = encode_pairs(network, some, augment=augment, views=FEWEST_VIEWS)
        save_embeddings(tables[name], folder / f"{name}.npz")
        save_pairs(pairs[name], folder / ("pairs.npz" if name == "encoder" else "pairs_untrained.npz"))
    progress(0.7, "diagnosing")
    beside = references(images, tables["untrained"], pairs["untrained"])
    report = write_report(run, tables["encoder"], pairs["encoder"], beside)
    progress(0.9, "drawing a first map")
    table = tables["encoder"]
    first = make_map(table.space("h"), "pca", 2, index=table.index, label=table.label, space="h")
    save_map(first, run.path / "maps" / "pca-h-2d" / "map.parquet")
    return tables, report


def finish_run(run: RunDir, train_images: ImageSet, progress: Progress = silent) -> dict[str, Any]:
    """Evaluate a trained run; the keys are those that `train` prints: knn_accuracy, verdict, n_test."""
    encoder = load_encoder(run.path)
    untrained = load_encoder(f"{UNTRAINED}{run.path}")
    held_out = load_for(run.config, "test").sample(LOOKED_AT)
    tables, report = write_embeddings(run, encoder, untrained, held_out, progress)
    progress(0.95, "measuring kNN accuracy")
    return {
        "knn_accuracy": held_out_accuracy(encoder, train_images, tables["encoder"]),
        "knn_accuracy_untrained": held_out_accuracy(untrained, train_images, tables["untrained"]),
        "verdict": report.verdict,
        "n_test": len(held_out),
    }
