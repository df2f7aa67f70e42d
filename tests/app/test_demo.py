"""The bundled run: every page opens on it, and it holds what its documents promise."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.text import languages
from simclr_core.checkpoints import load_encoder
from simclr_core.encode import encode
from simclr_core.pixels import pixel_table
from simclr_core.probes import knn_accuracy, linear_probe
from simclr_core.sources import load_images
from simclr_core.store import RunDir
from simclr_core.tables import load_embeddings
from simclr_core.verdict import diagnose
from tests.app.test_shell import ROOT, page_names

DEMO = ROOT / "simclr_core" / "demo" / "run"
LIMIT = 12 * 2**20


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("name", page_names())
def test_every_page_opens_on_the_bundled_run(name, lang, runs):
    at = AppTest.from_file(str(ROOT / "pages/shell.py"), default_timeout=120)
    at.query_params["lang"] = lang
    if name != "home":
        at.switch_page(f"{name}.py")
    at.run()
    assert not at.exception
    assert at.session_state["run"] == "demo"


def test_the_bundle_is_small_and_carries_no_optimizer():
    files = [p for p in Path(DEMO.parent).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in files) <= LIMIT
    assert not [p for p in files if p.name in ("optimizer.pt", "lock", "log.txt")]
    assert RunDir(DEMO).status()["state"] == "done"


@pytest.mark.slow
def test_the_bundled_encoder_makes_the_bundled_embeddings_and_beats_its_references():
    train, test = load_images("demo"), load_images("demo", split="test")
    stored = load_embeddings(DEMO / "embeddings" / "encoder.npz")
    h = {
        name: (encode(load_encoder(path), train).h, encode(load_encoder(path), test).h)
        for name, path in {"trained": DEMO, "untrained": f"untrained:{DEMO}"}.items()
    }
    assert (
        abs(h["trained"][1] - stored.h).max() < 0.01 * abs(stored.h).max()
    )  # float16 and another processor's rounding

    def knn(name: str) -> float:
        return knn_accuracy(h[name][0], train.label, h[name][1], test.label)

    def linear(a, b) -> float:
        return linear_probe(a, train.label, b, test.label).accuracy

    assert knn("trained") >= knn("untrained") + 0.08
    pixels = [pixel_table(images).h for images in (train, test)]
    assert linear(*h["trained"]) >= linear(*pixels) + 0.03
    assert diagnose(stored, run=RunDir(DEMO)).verdict == "healthy"
