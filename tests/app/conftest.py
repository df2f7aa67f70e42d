"""What page tests share: a small real run on disk, an empty folder of runs, and the app opened on a page.

def test_it(open_page):            # the run "small" is loaded
    at = open_page("map")
    assert not at.exception

def test_empty(open_page):
    at = open_page("map", run=None)
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.text import texts_under
from simclr_core.config import RunConfig
from simclr_core.records import EmbeddingTable, Map, PairTable
from simclr_core.store import RunDir, write_atomic
from simclr_core.tables import save_embeddings, save_map, save_pairs

ROOT = Path(__file__).resolve().parents[2]
N = 300


def texts(at: AppTest) -> str:
    """What a page says outside of its tables, widgets and HTML."""
    kinds = ("caption", "text", "markdown", "subheader", "header", "info", "warning", "error")
    return "\n".join(e.value for kind in kinds for e in getattr(at, kind))


def html(at: AppTest) -> str:
    return "\n".join(e.proto.body for e in at.get("html"))


def charts(at: AppTest) -> int:
    return len(at.get("plotly_chart"))


def walk(at: AppTest, page: str) -> Iterator[AppTest]:
    """The same page on each of its parts in turn."""
    for part in texts_under(f"{page}.part."):
        at.session_state[f"{page}.part"] = part
        yield at.run()
        assert not at.exception


def digits_pixels() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images[:N].reshape(N, -1).astype(np.float32) / 16, found.target[:N].astype(np.int64)


def projected(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random two-layer network: h (n, 32) and z (n, 16)."""
    rng = np.random.default_rng(seed)
    h = np.maximum(x @ rng.normal(size=(x.shape[1], 32)) / 8, 0)
    return h.astype(np.float32), (h @ rng.normal(size=(32, 16))).astype(np.float32)


def write_tables(run: RunDir) -> None:
    pixels, label = digits_pixels()
    noise = np.random.default_rng(9).normal(size=pixels.shape).astype(np.float32) * 0.05
    common = {"label": label, "index": np.arange(N)}
    about = {"class_names": tuple("0123456789"), "spec": "digits", "split": "all"}
    for which, seed in (("encoder", 1), ("untrained", 2)):
        h, z = projected(pixels, seed)
        save_embeddings(
            EmbeddingTable(h=h, z=z, encoder=which, **common, **about), run.path / f"embeddings/{which}.npz"
        )
        h_b, z_b = projected(pixels + noise, seed)
        pairs = PairTable(z_a=z, z_b=z_b, h_a=h, h_b=h_b, encoder=which, seed=0, **common)
        save_pairs(pairs, run.path / f"embeddings/pairs{'' if which == 'encoder' else '_untrained'}.npz")
    save_embeddings(
        EmbeddingTable(h=pixels, z=None, encoder="pixels", **common, **about), run.path / "embeddings/pixels.npz"
    )


def write_map(run: RunDir, method: str = "pca") -> None:
    pixels, label = digits_pixels()
    h, _ = projected(pixels, 1)
    u, s, _ = np.linalg.svd(h - h.mean(0), full_matrices=False)
    xy = (u[:, :2] * s[:2]).astype(np.float32)
    m = Map(
        xy=xy,
        index=np.arange(N),
        label=label,
        method=method,
        space="h",
        params={},
        seed=0,
        seconds=0.1,
        trustworthiness=0.9,
    )
    save_map(m, run.path / f"maps/{method}-h/map.parquet")


def metrics_row(step: int, steps: int) -> dict:
    loss = 6.2 - 3 * step / steps
    row = {"step": step, "steps": steps, "epoch": step / 10, "loss": loss, "loss_ceiling": 6.236, "loss_floor": 0.7}
    row |= {"contrastive_accuracy": step / steps, "positive_cosine": 0.5 + 0.4 * step / steps, "negative_cosine": 0.02}
    row |= {"effective_rank": 12.0, "effective_negatives": 40.0, "dim": 16, "temperature": 0.2, "alarms": []}
    row["knn_accuracy"] = 0.3 + step / 200 if step % 10 == 0 else None
    return row | {"std_ratio": 0.9, "lr": 1e-3, "grad_norm": 1.0, "images_per_second": 1234.0, "seconds": step * 0.2}


def build_run(path: Path, *, embeddings: bool = True, state: str = "done", **status) -> RunDir:
    """A run directory as a trainer leaves it: config, status, metrics, embeddings, a map."""
    run = RunDir(path)
    config = RunConfig(images="digits").resolved(N)
    lines = [{"id": i, "value": v, "en": i, "zh": i} for i, v in (("ceiling", 6.236), ("uniform", 3.1), ("floor", 0.7))]
    run.write_config(config, run_id="0123456789ab", data_digest="00", n_images=N, reference_lines=lines)
    for step in range(10, 60, 10):
        run.append_metrics(metrics_row(step, 50))
    (run.path / "lock").touch()
    run.write_status(
        **(
            {"state": state, "step": 50, "steps": 50, "message": "", "progress": 1.0, "threads": 1, "device": "cpu"}
            | status
        )
    )
    if embeddings:
        write_tables(run)
        write_map(run)
        run.path.joinpath("embeddings/report.json").write_text(json.dumps(REPORT))
    return run


REPORT = {
    "n": N,
    "dim": 32,
    "verdict": "healthy",
    "severity": "ok",
    "findings": [
        {
            "id": "complete",
            "severity": "ok",
            "value": 0.9,
            "reference": {"untrained": 0.8},
            "sentence": "The embeddings spread over the sphere.",
            "sentences": {"en": "The embeddings spread over the sphere.", "zh": "嵌入在球面上铺开。"},
        }
    ],
    "metrics": {"std_ratio": 0.9, "mean_cosine": 0.1, "rankme": 20.0, "effective_rank": 18.0, "knn_purity": 0.8},
}


def alone(root, x, *, space="h", label=None, name="alone") -> RunDir:
    """Embeddings that came without pictures, pairs or a training run."""
    run = RunDir(root / name)
    matrices = {"h": None, "z": None} | {space: x.astype(np.float32)}
    save_embeddings(
        EmbeddingTable(**matrices, label=label, index=np.arange(len(x))), run.path / "embeddings/encoder.npz"
    )
    write_atomic(run.path / "config.json", json.dumps({"imported": {"images": None, "rows": len(x)}}))
    run.write_status(state="done", message="", progress=1.0)
    return run


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run, "small". Do not write into it: it is shared."""
    root = tmp_path_factory.mktemp("runs")
    build_run(root / "small")
    return root


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs that the app looks into; a test may fill it with `build_run`."""
    monkeypatch.setenv("SIMCLR_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def open_page(small_runs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open the app on a page: `open_page("map", run="small" | None, lang="en" | "zh", root=FOLDER, part=…, **query)`."""

    def open_(
        page: str = "home", *, run: str | None = "small", lang: str = "en", root: Path | None = None, **query: str
    ) -> AppTest:
        from pages.ui import state

        # Without the bundled demo "nothing loaded" can be tested; an empty folder has no config.json.
        monkeypatch.setattr(state, "DEMO_RUN", small_runs / "absent")
        monkeypatch.setenv("SIMCLR_RUNS", str(root or small_runs))
        at = AppTest.from_file(str(ROOT / "pages/shell.py"), default_timeout=60)
        part = {f"{page}.part": query.pop("part")} if "part" in query else {}
        wanted = {"run": run, "lang": None if lang == "en" else lang} | part | query
        for name, value in wanted.items():
            if value is not None:
                at.query_params[name] = value
        # A link to a page opens that page alone: running home before it would double the time of every test.
        return (at if page == "home" else at.switch_page(f"{page}.py")).run()

    return open_
