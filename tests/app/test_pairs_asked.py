"""The pairs page's orbits, and the questions that are measured when a person asks: every state, both languages."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pages.ui import jobs, operationparts, pairfigures
from pages.ui.numbertable import short
from simclr_core.__main__ import main
from simclr_core.checkpoints import UNTRAINED, load_encoder
from simclr_core.invariance import ablate, measure_with, sweep
from simclr_core.means import Mean, mean
from simclr_core.model import build_model
from simclr_core.operations import NOTHING
from simclr_core.orbits import orbits
from simclr_core.pipeline import load_for
from simclr_core.readout import encode_drawn, read_all
from simclr_core.records import Interval
from simclr_core.store import JobDir, RunDir
from simclr_core.tables import load_embeddings, load_pairs, save_embeddings, save_pairs
from simclr_core.train import save_model
from tests.app.conftest import build_run, charts, texts
from tests.pair_runs import HELD_OUT, PAIRED, build_encoded_run

EACH, ASKED = {"part": "each"}, {"part": "operations"}
ABLATION, SWEEP, READOUT = (ASKED | {"ask": ask} for ask in ("ablation", "sweep", "readout"))


def changed(run: RunDir, name: str, **fields) -> None:
    """Change a stored embedding table or pair table, beside its untrained reference."""
    load, save = (load_pairs, save_pairs) if name == "pairs" else (load_embeddings, save_embeddings)
    for file in ("pairs", "pairs_untrained") if name == "pairs" else ("encoder", "untrained"):
        path = run.path / f"embeddings/{file}.npz"
        save(replace(load(path), **fields), path)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs: full; still (a recipe that does nothing); unnamed (no labels); apart (tables of other pictures); point (collapsed)."""
    root = tmp_path_factory.mktemp("asked-runs")
    full = build_encoded_run(root / "full")
    for name in ("still", "unnamed", "apart", "point", "broken"):
        shutil.copytree(full.path, root / name)
    still = RunDir(root / "still")
    config = replace(still.config, augment=NOTHING)
    still.write_config(config, run_id="0123456789ab")
    save_model(build_model(config.model, seed=7), config, still.latest_checkpoint / "model.safetensors")
    changed(RunDir(root / "unnamed"), "pairs", label=None)
    changed(RunDir(root / "apart"), "encoder", index=np.arange(HELD_OUT) + 9000)
    ones = np.ones((HELD_OUT, 4), np.float32)
    changed(RunDir(root / "point"), "encoder", h=ones, z=ones)
    some = {f"{s}_{v}": ones[:PAIRED] for s in "hz" for v in "ab"}
    changed(RunDir(root / "point"), "pairs", **some, h_more=None, z_more=None)
    (root / "broken/checkpoints/00000000/model.safetensors").write_bytes(b"no")
    build_run(root / "plain")
    return root


@pytest.fixture
def open_pairs(open_page, root):
    return lambda run="full", **query: open_page("pairs", run=run, root=root, **query)


@pytest.fixture
def measured(open_pairs, monkeypatch):
    """Open the page on a question and have it measured; the job is done here and now, not in a process of its own."""
    monkeypatch.setattr(jobs, "start", lambda arguments, path: main(arguments))

    def open_(run="full", **query):
        at = open_pairs(run, **query)
        pressed = [b for b in at.button if b.key == "operations.measure"]
        return pressed[0].click().run() if pressed else at

    return open_


def rows_of(at, column: str):
    """The table behind the figure that has such a column."""
    return next(d.value for d in at.dataframe if column in d.value)


def pictures(run: RunDir):
    return load_for(run.config, "test")


# -- stored orbits -------------------------------------------------------------------------------------------------------
def test_orbits_are_those_of_the_core(open_pairs, root):
    at = open_pairs(**EACH)
    assert not at.exception
    folder = root / "full/embeddings"
    pairs, table = load_pairs(folder / "pairs.npz"), load_embeddings(folder / "encoder.npz")
    found = orbits(table.h[np.searchsorted(table.index, pairs.index)], pairs.all_views("h"))
    shown = at.table[0].value
    assert shown.iloc[1, 1].startswith(f"{short(found.radius.mean())} ± ")
    assert shown.iloc[3, 1] == short(found.usual_ratio)
    assert shown.iloc[4, 1] == f"{found.inside.mean():.0%}"
    each = rows_of(at, "Invariance ratio")
    assert each["Invariance ratio"].is_monotonic_decreasing
    assert sorted(each["Invariance ratio"]) == pytest.approx(sorted(found.ratio))
    assert f"{PAIRED} held-out pictures with 4 views each" in texts(at)
    by_class = rows_of(at, "Between views · Trained encoder")
    assert by_class["pictures"].sum() == PAIRED
    assert by_class["Between views · Trained encoder"].is_monotonic_decreasing
    first = by_class.iloc[0]
    chosen = pairs.label == ["red", "green", "*blue*"].index(first["Class"])
    assert first["Between views · Trained encoder"] == pytest.approx(found.between[chosen].mean())


@pytest.mark.parametrize(
    ("run", "says", "figures"),
    [
        ("unnamed", "classes of these pictures are not known", 2),
        ("apart", "were not encoded as they are", 0),
        ("point", "All pictures lie at one point", 2),
    ],
)
def test_what_is_missing_is_said(open_pairs, run, says, figures):
    at = open_pairs(run, **EACH)
    assert not at.exception
    assert says in texts(at)
    assert charts(at) == figures


def test_a_collapsed_run_has_no_ratio(open_pairs):
    shown = open_pairs("point", **EACH).table[0].value
    assert shown.iloc[3, 1] == "not measured"
    assert shown.iloc[4, 1] == "0%"


# -- measured when asked -------------------------------------------------------------------------------------------------
def test_nothing_is_measured_before_a_question_and_a_press(open_pairs, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path: started.append((arguments, path)))
    at = open_pairs(**ASKED)
    assert "Choose a question" in texts(at)
    at = open_pairs(**SWEEP, operation="hue", pictures="128")
    assert not started
    assert charts(at) == 0
    at.button(key="operations.measure").click().run()
    (arguments, path), *more = started
    assert not more
    assert path.parts[-3:] == ("full", "invariance", "sweep-hue-128")
    assert arguments[:3] == ["invariance", "--encoder", str(path.parents[1])]
    assert arguments[arguments.index("--ask") :][:6] == ["--ask", "sweep", "--operation", "hue", "--most", "128"]


def test_an_ablation_is_that_of_the_core(measured, root):
    at = measured(**ABLATION, space="z", length="radius")
    assert not at.exception
    assert not at.error
    assert charts(at) == 2
    run = RunDir(root / "full")
    tables = [d.value for d in at.dataframe if "Alone" in d.value]
    for shown, encoder in zip(tables, (load_encoder(run.path), load_encoder(f"{UNTRAINED}{run.path}")), strict=True):
        found = ablate(run.config.augment, measure_with(encoder, pictures(run)))
        alone = {name: of["z"].radius.mean() for name, of in found.alone.items()}
        assert sorted(shown["Alone"]) == pytest.approx(sorted(alone.values()))
        adds = [found.adds(name, "z", "radius") for name in found.alone]
        assert sorted(shown["With the others"]) == pytest.approx(sorted(m.value for m in adds))
        assert sorted(shown["With the others, from"]) == pytest.approx(sorted(m.interval.low for m in adds))
    assert "The whole recipe: " in texts(at)


def test_a_sweep_is_that_of_the_core_in_both_spaces(measured, root):
    at = measured(**SWEEP, operation="brightness", pictures="64")
    assert not at.exception
    assert charts(at) == 1
    run = RunDir(root / "full")
    found = sweep("brightness", measure_with(load_encoder(run.path), pictures(run)))
    shown = rows_of(at, "trained z")
    assert list(shown["Strength"]) == list(found)
    for space in ("h", "z"):
        assert list(shown[f"trained {space}"]) == pytest.approx([of[space].between.mean() for of in found.values()])
        low = [mean(of[space].between).interval.low for of in found.values()]
        assert list(shown[f"trained {space}, from"]) == pytest.approx(low)
    at.selectbox(key="operation").select("grey").run()
    assert at.query_params["operation"] == "grey"
    assert not at.exception
    assert charts(at) == 0, "another operation is another question"


def test_a_readout_is_that_of_the_core(measured, root):
    at = measured(**READOUT)
    assert not at.exception
    assert charts(at) == 2
    run = RunDir(root / "full")
    found = read_all(encode_drawn(load_encoder(run.path), pictures(run), run.config.augment))
    yes_no, amounts = (d.value for d in at.dataframe if "Question" in d.value)
    assert list(yes_no["Question"]) == ["Flipped?", "Grey?", "Blurred?"]
    assert list(yes_no["trained h"]) == pytest.approx([found["h"][n].value for n in ("flipped", "grey", "blurred")])
    assert amounts["trained z"].iloc[0] == pytest.approx(found["z"]["area"].value, abs=1e-6)
    assert "Not asked" not in texts(at)


def test_what_was_measured_is_kept_until_the_run_has_a_newer_checkpoint(measured, open_pairs, root):
    shutil.copytree(root / "full", root / "later")
    measured("later", **ABLATION, pictures="64")
    assert charts(open_pairs("later", **ABLATION, pictures="64")) == 2, "a reload finds it"
    assert charts(open_pairs("later", **ABLATION, pictures="128")) == 0
    next((root / "later").glob("checkpoints/*/model.safetensors")).touch()
    assert charts(open_pairs("later", **ABLATION, pictures="64")) == 0


def test_a_question_in_work_tells_how_far_it_is_and_can_be_stopped(open_pairs, root, monkeypatch):
    job = JobDir(root / "full/invariance/ablation-128")
    monkeypatch.setattr(jobs, "active_jobs", lambda folder: [job] if folder == job.path.parent else [])
    with job.locked():
        job.write_status(state="running", progress=0.5, message="views")
        at = open_pairs(**ABLATION, pictures="128")
        assert not at.exception
        assert at.button(key="operations.measure").disabled
        at.button(key="operations.job.ablation-128.cancel").click().run()
        assert job.control == "stop"
        job.write_status(state="stopped")


@pytest.mark.parametrize("ask", [ABLATION, READOUT], ids=lambda query: query["ask"])
def test_a_recipe_that_does_nothing_leaves_nothing_to_ask(measured, ask):
    at = measured("still", **ask)
    assert not at.exception
    assert ("does nothing to a picture" if ask is ABLATION else "Not asked") in texts(at)
    assert charts(at) == 0


def test_nonsense_in_the_url_falls_back(open_pairs):
    at = open_pairs(**ASKED, ask="magic", pictures="63", operation="fog", length="mile")
    assert not at.exception
    assert not at.query_params.keys() & {"ask", "pictures"}


def test_nonsense_among_a_questions_own_controls_falls_back(measured):
    at = measured(**SWEEP, operation="fog", length="mile")
    assert not at.exception
    assert at.query_params == {"run": "full", "pairs.part": "operations", "ask": "sweep"}
    assert at.selectbox(key="operation").value == "crop"


def test_a_question_goes_into_the_url_and_can_be_taken_back(open_pairs):
    at = open_pairs(**ASKED, pictures="64")
    at.button_group(key="ask").set_value("readout").run()
    assert at.query_params == {"run": "full", "pairs.part": "operations", "pictures": "64", "ask": "readout"}
    assert not at.exception
    at.button_group(key="ask").set_value(None).run()
    assert "ask" not in at.query_params
    assert "Choose a question" in texts(at)


@pytest.mark.parametrize(
    ("run", "ask", "says"),
    [
        ("plain", ABLATION, "came without an encoder"),
        ("broken", SWEEP, "cannot be read"),
        ("broken", READOUT, "cannot be read"),
    ],
)
def test_without_an_encoder_a_sentence_says_so(measured, run, says, ask):
    at = measured(run, **ask)
    assert not at.exception
    assert says in texts(at)


@pytest.mark.parametrize("ask", [ABLATION, SWEEP, READOUT, EACH], ids=str)
def test_chinese(measured, open_pairs, ask):
    measured(**ask)
    at = open_pairs(lang="zh", **ask)
    assert not at.exception
    assert not at.error
    title = "同一张图像的增强视图相距多远？" if ask is EACH else "哪种操作代价最大，什么被遗忘了？"
    assert at.header[0].value == title
    assert charts(at) > 0


# -- figures and order ---------------------------------------------------------------------------------------------------
def test_operations_are_ordered_by_cost_with_parts_after_their_whole():
    cost = {"crop": 1.0, "flip": 5.0, "jitter": 2.0, "hue": 9.0, "brightness": 0.1, "contrast": 3.0}
    assert operationparts.costliest(cost) == ["flip", "jitter", "hue", "contrast", "brightness", "crop"]


def test_dots_have_their_intervals_and_leave_out_what_was_not_measured():
    series = {"a": [Mean(1.0, Interval(0.5, 2.0), 3), None], "b": [Mean(4.0, None, 1), Mean(5.0, Interval(4, 6), 2)]}
    figure = pairfigures.dots(["first", "second"], series, x_title="x", mark=1)
    a, b = figure.data
    assert list(a.x) == [1]
    assert (list(a.error_x.array), list(a.error_x.arrayminus)) == ([1], [0.5])
    assert list(b.error_x.array) == [0, 1]
    assert b.y[0] > a.y[0], "one under the other"
    assert list(figure.layout.yaxis.ticktext) == ["first", "second"]
    columns = pairfigures.mean_columns(series, ("from", "to"))
    assert columns["a, from"] == [0.5, None]
    assert columns["b"] == [4.0, 5.0]
    assert pairfigures.scaled(Mean(1.0, Interval(0.5, 2.0), 3), 0.5) == Mean(2.0, Interval(1.0, 4.0), 3)


def test_the_line_of_a_scatter_is_where_both_distances_are_equal():
    found = orbits(np.eye(3), np.eye(3)[:, None] + np.array([[0.2], [-0.2]]))
    figure = pairfigures.orbit_scatter(found, ["a", "b", "c"], x_title="x", y_title="y", names=("in", "out"))
    inside, outside, line = figure.data
    assert len(inside.x) == 3
    assert len(outside.x) == 0
    assert list(line.x) == list(line.y)
