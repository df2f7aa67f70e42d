"""The temperature page: opens in every state, reads and clamps the URL, and loads no heavy library."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pages.ui.components.temperature import batch, read_view
from simclr_core import similarity as sim
from simclr_core.presets import PRESETS
from simclr_core.tables import load_pairs

SIZES = {"sheet": 6, "hard": 6, "run": 32}


def sent(at) -> dict:
    """What the page gives the browser."""
    (found,) = at.get("bidi_component")
    return json.loads(found.proto.json or found.proto.mixed.json)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("run", [None, "small"])
def test_opens_with_and_without_a_run(open_page, run, lang):
    at = open_page("temperature", run=run, lang=lang)
    assert not at.exception
    assert at.title[0].value
    ids = [p["id"] for p in sent(at)["presets"]]
    assert ids == [*PRESETS, *(["run"] if run else [])]
    assert sent(at)["lang"] == ("zh-Hans" if lang == "zh" else "en")
    assert len(at.caption) == (0 if run else 1), "without a run the page says how to get one"


def test_the_runs_batch_is_its_own_cosines(open_page, small_runs):
    pairs = load_pairs(small_runs / "small/embeddings/pairs.npz")
    shown = sent(open_page("temperature"))["presets"][-1]
    s = np.array(shown["similarity"], dtype=float)
    expected = sim.cosine_matrix(sim.interleave(pairs.z_a[:16], pairs.z_b[:16]))
    off = ~np.eye(32, dtype=bool)
    np.testing.assert_allclose(s[off], expected[off], atol=1e-8)
    assert shown["partner"] == sim.interleaved_partner(16).tolist()


def test_texts_arrive_with_their_placeholders(open_page):
    texts = sent(open_page("temperature"))["texts"]
    assert texts["cell_label"].count("{") == 5
    assert all(texts.values())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"tau": 0.5, "row": 1, "preset": "sheet", "n": 6}),
        ({"tau": "0.1", "row": "3", "preset": "hard"}, {"tau": 0.1, "row": 3, "preset": "hard", "n": 6}),
        ({"tau": "-4", "row": "99", "preset": "../x", "n": "2"}, {"tau": 0.01, "row": 6, "preset": "sheet", "n": 3}),
        ({"tau": "1e9", "row": "0", "n": "4000"}, {"tau": 10.0, "row": 1, "preset": "sheet", "n": 16}),
        ({"tau": "nan", "row": "inf", "n": "many"}, {"tau": 0.5, "row": 1, "preset": "sheet", "n": 6}),
        ({"tau": 0.2, "row": 30, "preset": "run", "n": 12}, {"tau": 0.2, "row": 30, "preset": "run", "n": 12}),
    ],
)
def test_views_are_validated_and_clamped(asked, expected):
    assert read_view(SIZES, **asked) == expected


def test_a_reported_view_goes_into_the_url_and_defaults_do_not(open_page):
    at = open_page("temperature")
    assert set(at.query_params) == {"run"}
    at.session_state["temperature.last"] = {"tau": 0.1, "row": 2, "preset": "hard", "n": 6}
    at.run()
    assert at.query_params == {"run": "small", "t": "0.1", "r": "2", "b": "hard"}


def test_the_batch_form_has_no_diagonal():
    made = batch("x", "X", "note", np.eye(4), sim.interleaved_partner(2))
    assert [made["similarity"][i][i] for i in range(4)] == [None] * 4


def test_heavy_libraries_stay_out():
    """Running the page, with a run loaded or without, imports neither torch nor UMAP nor scikit-learn."""
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "at = AppTest.from_file('pages/shell.py', default_timeout=60).run()\n"
        "at.switch_page('temperature.py').run()\n"
        "assert not at.exception, at.exception\n"
        "print([m for m in ('torch', 'umap', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
