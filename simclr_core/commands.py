"""What each verb of the command line does: arguments in, one JSON object out. Logs go to stderr, nowhere else."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from simclr_core.config import parse_value
from simclr_core.errors import ConfigError, RunError, sentence
from simclr_core.progress import Progress, Stopped, stretch
from simclr_core.registry import Params, make_params, pick
from simclr_core.store import RunDir, read_json
from simclr_core.work import finishing, job_of, known_run, reporter, say, told


def _images(args: Namespace, size: int | None, split: str) -> Any:
    from simclr_core.sources import load_images

    images = load_images(args.images, split=split, size=size, download=args.download)
    for notice in images.notices:
        say(notice)
    return images


def _table(args: Namespace, split: str, progress: Progress) -> Any:
    """The embedding table that `--encoder` and `--images` mean; `pixels` needs no encoder."""
    from simclr_core.pixels import PIXELS, pixel_table

    if args.encoder == PIXELS:
        return pixel_table(_images(args, None, split))
    from simclr_core.checkpoints import load_encoder
    from simclr_core.encode import encode

    encoder = load_encoder(args.encoder)
    return encode(encoder, _images(args, encoder.image_size, split), progress=progress)


def encode(args: Namespace) -> dict[str, Any]:
    """Encode pictures into an embedding table."""
    from simclr_core.tables import save_embeddings

    with job_of(args) as progress:
        table = _table(args, args.split, progress)
        save_embeddings(table, args.out)
    dims = {f"{s}_dim": table.space(s).shape[1] for s in table.spaces}
    return {"out": args.out, "n": len(table), "labels": table.label is not None} | dims


def pairs(args: Namespace) -> dict[str, Any]:
    """Encode two or more views of every picture into a pair table, and say how far apart they lie."""
    from simclr_core.checkpoints import load_encoder
    from simclr_core.encode import encode, encode_pairs
    from simclr_core.invariance import orbits_of
    from simclr_core.orbits import by_class
    from simclr_core.pairs import pair_distances
    from simclr_core.tables import save_pairs

    if args.views < 2:
        raise ConfigError(sentence("--views", "2 or more", args.views, "a distance needs two; LiDAR needs 4"))
    with job_of(args):
        encoder = load_encoder(args.encoder)
        images = _images(args, encoder.image_size, args.split).sample(args.most, args.seed)
        augment = encoder.config.augment
        table = encode_pairs(encoder, images, augment=augment, seed=args.seed, views=args.views)
        save_pairs(table, args.out)
        spaces: dict[str, Any] = {}
        for space, found in orbits_of(encode(encoder, images, device="cpu"), table).items():
            spaces[space] = pair_distances(*table.space(space)).numbers | found.summary()
            if table.label is not None:
                classes = by_class(found, table.label).items()
                spaces[space]["classes"] = {images.class_name(c): of.summary() for c, of in classes}
    return {"out": args.out, "n": len(images), "views": args.views, "seed": args.seed, "spaces": spaces}


def invariance(args: Namespace) -> dict[str, Any]:
    """Say what each view operation costs: alone and left out, one by its strength, or what of it can be read back."""
    from simclr_core.checkpoints import UNTRAINED
    from simclr_core.store import write_atomic

    with job_of(args) as progress:
        if not args.untrained:
            found = _asked(args, args.encoder, progress)
        else:
            found = _asked(args, args.encoder, stretch(progress, 0, 0.5))
            found["untrained"] = _asked(args, f"{UNTRAINED}{args.encoder}", stretch(progress, 0.5, 1))
        if args.out:
            write_atomic(Path(args.out), json.dumps(found))
    return found


def _asked(args: Namespace, name: str, progress: Progress) -> dict[str, Any]:
    """What `invariance` says of one encoder."""
    from simclr_core.checkpoints import load_encoder
    from simclr_core.invariance import ablate, ablation_to_json, measure_with, sweep, sweep_to_json
    from simclr_core.readout import encode_drawn, read_all, readout_to_json

    encoder = load_encoder(name)
    images = _images(args, encoder.image_size, args.split).sample(args.most)
    augment = encoder.config.augment
    about: dict[str, Any] = {"ask": args.ask, "encoder": encoder.provenance, "n": len(images), "seed": args.seed}
    if args.ask == "readout":
        views = encode_drawn(encoder, images, augment, seed=args.seed)
        if progress(0.7, "views"):
            raise Stopped
        spaces = readout_to_json(read_all(views))
        return about | {"augment": asdict(augment), "spaces": spaces}
    measure = measure_with(encoder, images, seed=args.seed)
    if args.ask == "sweep":
        spaces = sweep_to_json(sweep(args.operation, measure, progress=progress))
        return about | {"operation": args.operation, "spaces": spaces}
    return about | {"augment": asdict(augment), "spaces": ablation_to_json(ablate(augment, measure, progress=progress))}


def diagnose(args: Namespace) -> dict[str, Any]:
    """Diagnose an embedding table; with a run, beside its untrained encoder and raw pixels."""
    from simclr_core.causes import causes_to_json
    from simclr_core.facts import read_facts
    from simclr_core.tables import load_embeddings, load_pairs
    from simclr_core.verdict import diagnose as judge
    from simclr_core.verdict import report_to_json

    with job_of(args) as progress:
        table = load_embeddings(args.embeddings)
        run = known_run(args.run, "--run") if args.run else None
        report = judge(
            table,
            pairs=load_pairs(args.pairs) if args.pairs else None,
            run=run,
            references=run.references if run else {},
            space=args.space if args.space in table.spaces else table.spaces[0],
            intervals=args.intervals,
            progress=progress,
        )
    return report_to_json(report) | causes_to_json(report, read_facts(run, table) if run else None)


def _settings(kind: type[Params], items: Sequence[str]) -> dict[str, Any]:
    """One entry's parameters, changed by `--set name=value …`."""
    for item in items:
        if "=" not in item:
            raise ConfigError(sentence("--set", "of the form name=value", item, "write for example metric=cosine"))
    named = (item.partition("=") for item in items)
    return asdict(make_params(kind, {name: parse_value(value) for name, _, value in named}))


def map_(args: Namespace) -> dict[str, Any]:
    """Draw a map of an embedding table."""
    from simclr_core.exports import export_for, export_map
    from simclr_core.maps import MAPS, make_map
    from simclr_core.store import write_atomic
    from simclr_core.tables import load_embeddings

    with job_of(args) as progress:
        kind = export_for(args.out)
        table = load_embeddings(args.embeddings)
        space = args.space or table.spaces[0]
        m = make_map(
            table.space(space),
            args.method,
            args.dims,
            seed=args.seed,
            index=table.index,
            label=table.label,
            space=space,
            progress=progress,
            **_settings(pick(MAPS, args.method, "method").params, args.set),
        )
        write_atomic(Path(args.out), export_map(kind, m))
    return {
        "out": args.out,
        "method": m.method,
        "space": space,
        "dims": m.dims,
        "seed": m.seed,
        "seconds": m.seconds,
        "trustworthiness": m.trustworthiness,
        "n": len(m.index),
    }


def probe(args: Namespace) -> dict[str, Any]:
    """Measure how well labels can be read off frozen embeddings, or off a network trained on the labels."""
    from simclr_core.probes import PROBES, fine_tune, needs, run_probe

    with job_of(args) as progress:
        params = _settings(pick(PROBES, args.method, "method").params, args.set)
        how = {"share": args.labels, "seed": args.seed, "method": args.method} | params
        if needs(args.method) == "embeddings":
            tables = [_table(args, split, progress) for split in ("train", "test")]
            return asdict(run_probe(*tables, space=args.space, **how))
        from simclr_core.checkpoints import load_encoder

        encoder = load_encoder(args.encoder)
        pictures = [_images(args, encoder.image_size, split) for split in ("train", "test")]
        return asdict(fine_tune(encoder, *pictures, progress=progress, **how))


def inspect(args: Namespace) -> dict[str, Any]:
    """Say what a checkpoint file holds; with pictures, which normalisation of them it was trained with."""
    from simclr_core.checkpoints import inspect as look
    from simclr_core.checkpoints import load_encoder

    found = look(args.checkpoint)
    if args.images is None:
        return found
    from simclr_core.encode import normalisation_fit

    encoder = load_encoder(args.checkpoint)
    images = _images(args, encoder.image_size, "train").sample(FITTED_ON)
    return found | {"normalisation_fit": normalisation_fit(encoder, images)}


FITTED_ON = 256  # pictures
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NOT_MEASURED = "not measured: it needs pictures or a device that is not here"
NEEDS_MORE = 2  # exit code of a benchmark that was not told its pictures, or found no GPU


def _benchmarks() -> dict[str, str]:
    """Name of each measurement → the first line of what it says of itself."""
    files = sorted(BENCHMARKS.glob("bench_*.py"))
    return {
        p.stem.removeprefix("bench_"): (ast.get_docstring(ast.parse(p.read_text())) or "").split("\n")[0] for p in files
    }


def _measured(name: str, options: Sequence[str]) -> dict[str, Any] | None:
    """Run one measurement; the results that it wrote, by file, or None where it needs what it was not given."""
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS.parent)}
    before = time.time()
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"bench_{name}.py"), *options], env=environment, stdout=sys.stderr
    )
    if done.returncode == NEEDS_MORE:
        return None
    if done.returncode:
        raise RunError(f"`bench {name}` ended with code {done.returncode}; its last words are above")
    written = [p for p in (BENCHMARKS / "results").glob("*.json") if p.stat().st_mtime >= before]
    return {p.stem: read_json(p) for p in written}


def bench(args: Namespace) -> dict[str, Any]:
    """List the measurements of `benchmarks/`, or run one of them, or `all`; their result files are the answer."""
    known = _benchmarks()
    if args.name is None:
        return known
    if args.name == "all":
        return {name: found or NOT_MEASURED for name in known for found in [_measured(name, args.options)]}
    if args.name not in known:
        found = ", ".join(known) or "absent: benchmarks come with the repository, not with an installed package"
        raise ConfigError(sentence("bench", f"all, or one of {found}", args.name, "choose one of these"))
    results = _measured(args.name, args.options)
    if results is None:
        raise ConfigError(f"`bench {args.name}` needs more than this: what it said is above")
    return next(iter(results.values())) if len(results) == 1 else results


def prepare(args: Namespace) -> dict[str, Any]:
    """Make a run directory, ready for the app, from an encoder file and pictures."""
    from simclr_core.checkpoints import load_encoder
    from simclr_core.pipeline import LOOKED_AT, write_embeddings
    from simclr_core.train import WEIGHTS, save_model

    run = RunDir(args.out)
    run.require_new()
    with run.locked(), told(run):
        run.write_status(state="running", progress=0.0, message="reading the encoder")
        encoder = load_encoder(args.encoder)
        images = _images(args, encoder.image_size, args.split).sample(LOOKED_AT)
        with run.new_checkpoint(0) as folder:
            save_model(
                encoder.module, encoder.config, folder / WEIGHTS
            )  # in this program's layout, whatever it was read from
        imported = {"encoder": str(args.encoder), "images": args.images, "split": args.split}
        run.write_config(replace(encoder.config, images=args.images), imported=imported)
        untrained = load_encoder(f"untrained:{run.path}")
        _, report = write_embeddings(run, encoder, untrained, images, finishing(run))
        run.write_status(
            state="done", progress=1.0, message="", result={"verdict": report.verdict, "n_test": len(images)}
        )
    return {"run": args.out, "verdict": report.verdict, "n": len(images)}


def zoo(args: Namespace) -> dict[str, Any]:
    """Train encoders that fail in known ways, diagnose each, and write the table of what they were called."""
    from simclr_core.store import write_atomic
    from simclr_core.zoo import summary
    from simclr_core.zoo_runs import entries, on_disk, visit
    from simclr_core.zoo_tables import documented

    out = Path(args.out)
    names = args.only or list(entries(args.cifar))
    for row in visit(out, names, args.seeds, cifar=args.cifar, progress=reporter(None)):
        say(f"  z {row['verdicts']['z']}, h {row['verdicts']['h']}, right: {row['right']}")
    result = summary(on_disk(out))
    text = json.dumps(result, indent=1)
    write_atomic(out / "zoo.json", text)
    if args.doc:
        doc = Path(args.doc)
        write_atomic(doc, documented(doc.read_text(), result))
        write_atomic(doc.with_suffix(".json"), text + "\n")
    return result


def sheet(args: Namespace) -> dict[str, Any]:
    """Print the work sheet, or one with a matrix of its own, as a self-contained HTML page."""
    from simclr_core.store import write_atomic
    from simclr_core.worksheet.handout import handout
    from simclr_core.worksheet.problems import Sheet

    made = Sheet(seed=args.seed, images=args.images, temperature=args.temperature)
    write_atomic(Path(args.out), handout(made, args.lang, key=args.key).encode())
    return {"out": args.out} | asdict(made) | {"key": args.key, "total": made.problems()["1"].right.mean}
