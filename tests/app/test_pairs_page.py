"""The pairs page: every state a run can be in, every control once, both languages."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pages.ui import state, twins
from simclr_core.pairs import nearest_others, pair_distances, view_distance_matrix
from simclr_core.store import RunDir
from simclr_core.tables import load_pairs
from tests.app.conftest import alone, build_run, charts, texts, walk
from tests.pair_runs import HELD_OUT, PAIRED, build_encoded_run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs in every state: full, without pairs, without an encoder, without pictures, embeddings alone."""
    root = tmp_path_factory.mktemp("pair-runs")
    build_encoded_run(root / "full")
    build_encoded_run(root / "gone")
    (root / "gone.npz").unlink()
    shutil.copytree(root / "full", root / "unpaired")
    for path in (root / "unpaired/embeddings").glob("pairs*.npz"):
        path.unlink()
    shutil.copytree(root / "full", root / "single")
    (root / "single/embeddings/pairs_untrained.npz").unlink()
    build_run(root / "plain")  # pairs without a recipe, no checkpoint
    build_run(root / "early", embeddings=False)
    alone(root, np.random.default_rng(0).normal(size=(20, 4)))
    return root


@pytest.fixture
def open_pairs(open_page, root):
    return lambda run="full", **query: open_page("pairs", run=run, root=root, **query)


def pictures(at) -> int:
    return sum(e.proto.body.count("<figure>") for e in at.get("html"))


SHOWN = {  # part → figures and pictures of a run that lacks nothing
    "all": (2, 0),  # two histograms
    "each": (3, 0),  # the orbits of two encoders and of classes
    "operations": (0, 0),
    "one": (2, 7),  # two matrices; the original and six views
    "worst": (0, 6 * 3),  # six cards of three crops
}


@pytest.mark.parametrize("part", SHOWN)
def test_full_run_shows_everything(open_pairs, part):
    at = open_pairs(part=part)
    assert not at.exception
    assert not at.error
    assert (charts(at), pictures(at)) == SHOWN[part], part
    assert at.query_params == {"run": "full"} | ({} if part == "all" else {"pairs.part": part})


def test_the_page_begins_with_all_pairs_and_what_came_of_them(open_pairs, root):
    at = open_pairs()
    found = pair_distances(*load_pairs(root / "full/embeddings/pairs.npz").space("h"))
    before = pair_distances(*load_pairs(root / "full/embeddings/pairs_untrained.npz").space("h"))
    assert [m.value for m in at.metric] == [f"{found.auc:.4f}", f"{found.overlap:.1%}", f"{found.r_at_1:.1%}"]
    assert at.metric[0].delta == f"untrained {before.auc:.4f}"
    assert f"{PAIRED} positive pairs" in texts(at)
    assert f"{2 * PAIRED * (PAIRED - 1):,} negative pairs" in texts(at)
    assert at.query_params == {"run": "full"}


def test_numbers_are_those_of_the_core(open_pairs, root):
    at = open_pairs(space="z", views="4", seed="2")
    pairs = load_pairs(root / "full/embeddings/pairs.npz")
    found = pair_distances(*pairs.space("z"))
    measured = at.table[0].value
    assert measured.iloc[0, 1] == f"{found.auc:.4f}"
    assert measured.iloc[1, 1] == f"{found.overlap:.1%}"
    assert measured.iloc[3, 1] == f"{found.r_at_1:.1%}"
    assert measured.iloc[4, 1] == f"{found.mrr:.3f}"
    lengths = open_pairs(part="one", space="z", views="4", seed="2").table[0].value
    run = RunDir(root / "full")
    index = int(state.table(run).index[0])
    z = twins.draw(run, "encoder", index, 4, run.config.augment, 2).z
    matrix = view_distance_matrix(z)
    assert lengths.iloc[0, 1] == f"{matrix[1:, 1:][np.triu_indices(4, 1)].mean():.3f}"
    assert lengths.iloc[1, 1] == f"{matrix[0, 1:].mean():.3f}"
    assert lengths.iloc[2, 1] == f"{1 - found.negative.mean():.3f}"


def test_worst_pairs_are_the_least_alike(open_pairs, root):
    at = open_pairs(part="worst")
    pairs = load_pairs(root / "full/embeddings/pairs.npz")
    found = pair_distances(*pairs.space("h"))
    worst = found.worst[:1]
    cosine, _ = nearest_others(*pairs.space("h"), worst)
    shown = texts(at)
    assert f"image {pairs.index[worst[0]]}" in shown
    assert f"Cosine of the two views {found.positive[worst[0]]:.3f}" in shown
    assert f"{cosine[0]:.3f}" in shown
    assert r"\*blue\*" in shown or "*blue*" not in shown, "class names are shown as they are"
    table = next(d.value for d in at.dataframe if "nearest other image" in d.value and "cosine" in d.value)
    assert table.iloc[:, 2].is_monotonic_increasing


def test_nothing_loaded(open_page):
    at = open_page("pairs", run=None)
    assert at.subheader[0].value == "Nothing is loaded yet"
    assert charts(at) == 0


def test_a_run_in_work_has_nothing_to_show(open_pairs):
    at = open_pairs("early")
    assert at.subheader[0].value == "This run has no embeddings yet"


@pytest.mark.parametrize(
    ("run", "says", "drawn", "figures"),
    [
        ("alone", "no encoded pairs of views", 0, 0),
        ("unpaired", "no encoded pairs of views", 7, 2),
        ("plain", "do not say how their views were drawn", 0, 5),
        ("gone", "gone.npz", 0, 5),
        ("single", "not measured", 7 + 18, 5),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_shown(open_pairs, run, says, drawn, figures):
    said, counted = "", np.zeros(2, int)
    for at in walk(open_pairs(run), "pairs"):
        said += texts(at) + " ".join(t.value.to_string() for t in at.table)
        counted += pictures(at), charts(at)
    assert says in said
    assert list(counted) == [drawn, figures]


@pytest.mark.parametrize("part", ["one", "operations"])
def test_embeddings_alone_say_that_there_is_no_encoder(open_pairs, part):
    assert "came without an encoder" in texts(open_pairs("alone", part=part))


def test_views_without_pairs_have_no_scale(open_pairs):
    at = open_pairs("unpaired", part="one")
    assert "not measured" in at.table[0].value.to_string()
    assert "each matrix has its own colours" in texts(at)


def test_the_url_chooses_picture_views_seed_and_space(open_pairs, root):
    index = str(state.table(RunDir(root / "full")).index[9])
    query = {"image": index, "views": "3", "seed": "5", "space": "z"}
    at = open_pairs(part="one", **query)
    assert at.selectbox(key="image").value == index
    assert (at.slider(key="views").value, at.number_input(key="seed").value) == (3, 5)
    assert at.query_params == {"run": "full", "pairs.part": "one"} | query
    assert pictures(at) == 4


@pytest.mark.parametrize(
    "query", [{"image": "999999"}, {"views": "17"}, {"views": "x"}, {"seed": "-1"}, {"space": "q"}]
)
def test_nonsense_in_the_url_falls_back(open_pairs, query):
    at = open_pairs(part="one", **query)
    assert not at.exception
    assert at.query_params == {"run": "full", "pairs.part": "one"}


@pytest.mark.parametrize("part", ["hubs", "", "one,all"])
def test_a_part_that_is_none_is_the_first(open_pairs, part):
    at = open_pairs(part=part)
    assert not at.exception
    assert at.query_params == {"run": "full"}
    assert at.header[0].value == "Positive and negative pairs"


def test_each_page_comes_back_to_its_own_part(open_pairs):
    at = open_pairs(part="worst")
    at.switch_page("collapse.py").run()
    at.session_state["collapse.part"] = "hubs"
    at.run()
    assert at.switch_page("pairs.py").run().query_params["pairs.part"] == "worst"
    assert at.switch_page("collapse.py").run().query_params["collapse.part"] == "hubs"
    assert not at.exception


def test_controls_go_into_the_url(open_pairs):
    at = open_pairs(part="one")
    at.slider(key="views").set_value(2).run()
    assert at.query_params["views"] == "2"
    assert pictures(at) == 3
    at.number_input(key="seed").set_value(8).run()
    at.button(key="pairs.again").click().run()
    assert at.query_params["seed"] == "9"
    other = at.selectbox(key="image").options[4].split(" ")[0]
    at.selectbox(key="image").select(other).run()
    assert at.query_params["image"] == other
    assert not at.exception


def test_random_brings_another_picture(open_pairs):
    at = open_pairs(part="one")
    seen = {at.selectbox(key="image").value}
    for _ in range(4):
        at.button(key="pairs.another").click().run()
        seen.add(at.selectbox(key="image").value)
    assert len(seen) >= 4
    assert len(at.selectbox(key="image").options) == HELD_OUT
    assert not at.exception


def test_space_changes_the_numbers(open_pairs):
    at = open_pairs()
    before = at.table[0].value.iloc[0, 1]
    at.session_state["space"] = "z"
    at.run()
    assert at.query_params["space"] == "z"
    assert at.table[0].value.iloc[0, 1] != before


def test_one_scale_gives_both_histograms_one_axis(open_pairs):
    def ranges(at):
        bars = [json.loads(c.proto.spec)["data"] for c in at.get("plotly_chart")[:2]]
        return [str(b[0]["x"]) for b in bars]

    at = open_pairs()
    assert len(set(ranges(at))) == 2
    at.toggle(key="pairs.one_scale").set_value(True).run()
    assert len(set(ranges(at))) == 1


def test_the_recipe_is_the_runs_own_until_changed(open_pairs):
    at = open_pairs(part="one")
    key = "pairs.augment.full"
    assert at.slider(key=f"{key}.jitter_strength").value == 0.4
    assert "strengths that the run was trained with" in texts(at)
    assert at.button(key="pairs.reset").disabled
    for name, value in {
        "crop_scale": (0.5, 0.9), "flip_p": 0.0, "jitter_p": 0.0, "jitter_strength": 1.0, "grayscale_p": 1.0,
        "blur_p": 1.0, "blur_sigma": (1.0, 3.0),
    }.items():  # fmt: skip
        at.slider(key=f"{key}.{name}").set_value(value).run()
        assert not at.exception
        assert not at.error
    at.button_group(key=f"{key}.jitter_parts").set_value(["hue"]).run()
    assert "trained with another recipe" in texts(at)
    at.button(key="pairs.reset").click().run()
    assert at.slider(key=f"{key}.crop_scale").value == (0.2, 1.0)
    assert "strengths that the run was trained with" in texts(at)


def test_a_worst_pair_can_be_put_under_the_glass(open_pairs, root):
    at = open_pairs(part="worst")
    pairs = load_pairs(root / "full/embeddings/pairs.npz")
    index = int(pairs.index[pair_distances(*pairs.space("h")).worst[0]])
    at.button(key=f"pairs.look.{index}").click().run()
    assert at.selectbox(key="image").value == str(index)
    assert (at.query_params["image"], at.query_params["pairs.part"]) == (str(index), "one")


def test_a_broken_encoder_is_told_and_the_rest_stays(open_pairs, root):
    shutil.copytree(root / "full", root / "broken")
    (root / "broken/checkpoints/00000000/model.safetensors").write_bytes(b"no")
    at = open_pairs("broken", part="one")
    assert not at.exception
    assert "cannot be read" in at.error[0].value
    at = open_pairs("broken", part="worst")
    assert not at.error
    assert pictures(at) == 18, "redrawing needs no encoder"


def test_chinese(open_pairs):
    at = open_pairs(lang="zh")
    assert not at.exception
    assert at.title[0].value == "正样本对：视图之间的距离"
    assert f"{PAIRED} 个正样本对" in texts(at)


PLAIN = """
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file("pages/shell.py", default_timeout=60)
at.query_params["run"] = "plain"
at.run()
at.switch_page("pairs.py").run()
figures = 0
for part in ("all", "each", "operations"):
    at.session_state["pairs.part"] = part
    at.run()
    assert not at.exception
    figures += len(at.get("plotly_chart"))
assert figures == 5
assert "torch" not in sys.modules
"""


def test_histograms_of_stored_pairs_need_no_torch(root):
    environment = os.environ | {"SIMCLR_RUNS": str(root)}
    subprocess.run([sys.executable, "-c", PLAIN], check=True, cwd=state.ROOT, env=environment, timeout=120)
