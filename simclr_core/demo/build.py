"""Build the bundled run again: `python -m simclr_core.demo.build [OUT]`, from the bundled pictures, with a fixed seed.

Trains on 8,000 Fashion-MNIST pictures on the CPU, looks at the 2,000 held out, draws the maps, and keeps what the app
opens: configuration, weights, metrics, embeddings as float16, maps and the report. No optimizer state, no lock, no log.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from simclr_core.config import RunConfig, with_overrides
from simclr_core.maps import make_map
from simclr_core.pipeline import finish_run, load_for
from simclr_core.records import Space
from simclr_core.store import RunDir
from simclr_core.tables import load_embeddings, load_pairs, save_embeddings, save_map, save_pairs
from simclr_core.train import Training
from simclr_core.work import say

RUN = Path(__file__).parent / "run"
# One thread, so that every machine of one kind builds the same bits however many cores it has.
SETTINGS = [
    "images=demo",
    "augment.crop_scale=[0.3, 1.0]",
    "augment.grayscale_p=0",
    "train.epochs=30",
    "train.threads=1",
    "train.device=cpu",
    "train.precision=fp32",
]
MAPS: tuple[tuple[str, Space, int], ...] = (("umap", "h", 2), ("tsne", "h", 2), ("umap", "z", 2), ("umap", "h", 3))
KEPT = ("config.json", "metrics.jsonl", "status.json")


def train(run: RunDir) -> None:
    """Train, evaluate and draw, as the app would."""
    config = with_overrides(RunConfig(), SETTINGS)
    images = load_for(config, "train")
    with run.locked():
        training = Training(config, images, run=run)
        for report in training:
            if report.step % 100 == 0:
                say(
                    f"step {report.step}/{report.steps}  loss {report.loss:.3f}  {report.images_per_second:.0f} images/s"
                )
        result = finish_run(run, images)
        run.write_status(state="done", progress=1.0, message="", result=result)
    say(str(result))


def draw(run: RunDir) -> None:
    """The maps that open with the demo."""
    table = load_embeddings(run.path / "embeddings" / "encoder.npz")
    for method, space, dims in MAPS:
        m = make_map(table.space(space), method, dims, index=table.index, label=table.label, space=space)
        say(f"{method} of {space} in {dims} dimensions: {m.seconds:.0f} s, trustworthiness {m.trustworthiness}")
        save_map(m, run.path / "maps" / f"{method}-{space}-{dims}d" / "map.parquet")


def bundle(run: RunDir, out: Path) -> None:
    """Copy what the app reads, as small as it can be without changing a number on a screen."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in KEPT:
        shutil.copy(run.path / name, out / name)
    assert run.latest_checkpoint is not None
    weights = Path("checkpoints") / run.latest_checkpoint.name / "model.safetensors"
    (out / weights).parent.mkdir(parents=True)
    shutil.copy(run.path / weights, out / weights)
    for path in sorted(run.path.glob("maps/*/map.parquet")):
        target = out / path.relative_to(run.path)
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    for name in ("encoder", "untrained"):
        save_embeddings(
            load_embeddings(run.path / "embeddings" / f"{name}.npz"), out / "embeddings" / f"{name}.npz", half=True
        )
    for name in ("pairs", "pairs_untrained"):
        save_pairs(load_pairs(run.path / "embeddings" / f"{name}.npz"), out / "embeddings" / f"{name}.npz", half=True)
    shutil.copy(run.path / "embeddings" / "report.json", out / "embeddings" / "report.json")


def main() -> None:
    """Build into the package, or into the folder named."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else RUN
    with tempfile.TemporaryDirectory() as folder:
        run = RunDir(Path(folder) / "demo")
        train(run)
        draw(run)
        bundle(run, out)
    say(f"{sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 2**20:.1f} MiB in {out}")


if __name__ == "__main__":
    main()
