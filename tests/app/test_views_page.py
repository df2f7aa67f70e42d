"""The Views page: every state a run can be in, every control, every text that a URL may hold, both languages."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from pages.ui import viewdesign, viewmatch, viewpair, viewrecipe
from pages.ui.viewrecipe import packed, settings, unpacked
from simclr_core.checkpoints import UNTRAINED, load_encoder
from simclr_core.config import AugmentConfig, RunConfig, with_overrides
from simclr_core.demo import matching_runs
from simclr_core.matching import match_views
from simclr_core.operations import NOTHING, OPERATIONS
from simclr_core.sources import load_images
from simclr_core.viewadvice import PIPELINES, in_use
from simclr_core.viewsteps import strips
from tests.app.conftest import ROOT, alone, build_run, html, texts
from tests.pair_runs import HELD_OUT, build_encoded_run

BAD = ["", "-1", "9" * 500, "1;flip_p=2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs: with an encoder, without, with a broken one, of embeddings alone."""
    root = tmp_path_factory.mktemp("view-runs")
    build_encoded_run(root / "full")
    shutil.copytree(root / "full", root / "broken")
    next((root / "broken").glob("checkpoints/*/model.safetensors")).write_bytes(b"no weights")
    build_run(root / "plain")
    alone(root, np.random.default_rng(0).normal(size=(20, 4)))
    return root


@pytest.fixture
def views(open_page, root):
    return lambda run="full", **query: open_page(
        "views", run=run, root=root, **{k if k in ("lang", "hide") else f"views.{k}": v for k, v in query.items()}
    )


def sent(at) -> dict:
    """What the page gives the browser."""
    (found,) = at.get("bidi_component")
    return json.loads(found.proto.json or found.proto.mixed.json)


def answered(at):
    return at.radio(key="views.quiz.answer").set_value("c").run()


@pytest.mark.parametrize(
    ("run", "lang"), [(None, "en"), ("full", "en"), ("full", "zh"), ("broken", "en"), ("plain", "zh"), ("alone", "en")]
)
def test_opens_in_every_state(views, run, lang):
    at = views(run, lang=lang)
    assert not at.exception
    assert not at.error
    assert len(at.header) == 5
    assert len(at.get("plotly_chart")) == 1
    encoded = run == "full"
    assert html(at).count("<table>") == 3, "two strips, one table of ways"
    assert (("trained" if lang == "en" else "训练后") in html(at)) == encoded
    assert bool(at.info) != encoded
    assert bool(at.warning) == (run == "broken")


def test_pixels_and_colours_need_no_run(views):
    at = views(None)
    images = load_images("emoji", split="test").sample(viewmatch.LIVE)
    found = match_views(images, AugmentConfig(), {})
    assert [f"<b>{way.r_at_1:.1%}</b>" in html(at) for way in found.ways.values()] == [True, True]


def test_numbers_are_those_of_the_core(views, root):
    at = views(image="5", seed="3", recipe="simclr")
    encoders = {"untrained": load_encoder(f"{UNTRAINED}{root / 'full'}"), "encoder": load_encoder(str(root / "full"))}
    images = load_images("emoji", split="test")
    pair = strips(images.image[[5, 5]], PIPELINES["simclr"].augment, encoders, seed=3)
    shown, browser = html(at), sent(at)
    for strip, view in zip(pair, browser["views"], strict=True):
        assert [(s["operation"], tuple(s["drawn"])) for s in view["steps"]] == list(strip.steps)
        for way, values in strip.moved().items():
            assert view["moved"][way][:: browser["between"]] == pytest.approx(values, abs=1e-6)
        for i, value in enumerate(strip.moved()["encoder_z"]):
            assert viewpair.short(float(value)) in shown, (i, value)
        for step in strip.steps:
            assert OPERATIONS[step.operation].help.en.split("'")[0] in shown
            assert viewpair.drawn(step) in shown
    found = match_views(images.sample(viewmatch.LIVE), PIPELINES["simclr"].augment, encoders)
    assert all(f"<b>{way.r_at_1:.1%}</b>" in shown for way in found.ways.values())
    apart = pair[0].apart(pair[1])
    assert at.dataframe[0].value.iloc[:, 1].tolist() == pytest.approx(list(apart.values()))


def test_what_was_set_by_hand_is_measured_and_ends_with_other_views(views):
    before = views(recipe="crop")
    at = views(recipe="crop", hand="crop=1,2,9,10|")
    assert sent(at)["views"][0]["steps"][0]["drawn"] == [1, 2, 9, 10]
    assert sent(at)["views"][1] == sent(before)["views"][1]
    assert sent(at)["views"][0]["moved"] != sent(before)["views"][0]["moved"]
    assert at.dataframe[0].value.iloc[0, 1] != before.dataframe[0].value.iloc[0, 1], "the pair is that of the hand"
    at = at.button(key="views.again").click().run()
    assert sent(at)["hands"] == [{}, {}]
    assert "views.hand" not in at.query_params


def test_five_rounds_are_told_by_the_encoder(views):
    at = views(recipe="crop")
    for number in range(5):
        assert f"Round {number + 1} of 5" in texts(at)
        assert not [b for b in at.button if b.key == "views.guess.next"]
        at = at.button(key="views.guess.0").click().run()
        assert not at.exception
        z = [float(m.value.split("z ")[1].split(" ")[0]) for m in at.markdown if "· pixels" in m.value]
        assert bool(at.success) == (z[0] > z[1])
        if number < 4:
            at = at.button(key="views.guess.next").click().run()
    assert "of 5 right" in texts(at)
    assert "Round 1 of 5" in texts(at.button(key="views.guess.next").click().run())
    assert "Nobody can judge" in "".join(e.value for e in views(None).info)


def test_a_false_pair_is_called_one_and_is_further_apart(views):
    same, false = views(recipe="weak"), views(recipe="weak", other="7")
    assert "A positive pair" in texts(same)
    assert "A false pair" in texts(false)
    assert false.dataframe[0].value.iloc[0, 3] > same.dataframe[0].value.iloc[0, 3], "in pixels"


def test_drawing_again_goes_into_the_url(views):
    at = views()
    before = html(at)
    at = at.button(key="views.again").click().run()
    assert at.query_params["views.seed"] == "1"
    assert html(at) != before


def test_a_named_pipeline_sets_everything(views):
    at = views()
    at = at.button_group(key="views.named").set_value("weak").run()
    assert at.query_params["views.recipe"] == "weak"
    assert at.slider(key="views.augment.crop_scale").value == (0.8, 1.0)
    assert "To mend: 2" in texts(at)
    at = at.button_group(key="views.named").set_value("full").run()
    assert "views.recipe" not in at.query_params
    assert "Nothing speaks against" in texts(at)


def test_operations_are_switched_off_and_on_as_simclr_has_them(views):
    at = views()
    at = at.button_group(key="views.used").set_value(["crop", "blur"]).run()
    assert at.session_state[viewrecipe.NAMED] is None
    now = unpacked(at.query_params["views.recipe"])
    assert in_use(now) == ("crop", "blur")
    assert (now.blur_p, now.blur_sigma) == (0.5, (0.1, 2.0))
    at = at.button_group(key="views.used").set_value(["crop", "jitter", "blur"]).run()
    now = unpacked(at.query_params["views.recipe"])
    assert (now.jitter_p, now.jitter_strength, len(now.jitter_parts)) == (0.8, 1.0, 4)


def test_a_strength_that_is_moved_is_in_the_url_and_the_advice(views):
    at = views(recipe="crop")
    at = at.slider(key="views.augment.crop_scale").set_value((0.95, 1.0)).run()
    assert not at.exception
    assert unpacked(at.query_params["views.recipe"]).crop_scale == (0.95, 1.0)
    assert "No crops worth the name" in texts(at)
    assert "augment.crop_scale=[0.95,1.0]" in at.code[0].value
    again = views(recipe=at.query_params["views.recipe"])
    assert again.slider(key="views.augment.crop_scale").value == (0.95, 1.0)


def test_the_recipe_survives_a_look_at_another_page(views):
    at = views(recipe="1;flip_p=0.25")
    at = at.switch_page("queue.py").run().switch_page("views.py").run()
    assert at.query_params["views.recipe"] == "1;flip_p=0.25"
    assert at.slider(key="views.augment.flip_p").value == 0.25


def test_a_class_sees_the_question_and_no_measurement(views):
    at = views(None, recipe="crop", hide="controls,answers")
    assert not at.exception
    assert len(at.get("plotly_chart")) == 1
    shown = views(None, hide="controls")
    assert len(shown.get("plotly_chart")) == 3, "the measurement stands below the question that is read out"


def test_grey_pictures_say_nothing_about_colours(views):
    assert "These pictures are grey" in texts(views(pictures="demo"))
    assert "These pictures are grey" not in texts(views())


def test_the_runs_own_pictures(views):
    at = views(pictures="run", image=str(HELD_OUT - 1))
    assert not at.exception
    assert f"Two views each of {HELD_OUT}" in texts(at)
    assert "held out" in texts(at)
    assert views("alone", pictures="run").session_state[viewpair.PICTURES] == "emoji"


@pytest.mark.parametrize("bad", BAD)
def test_nonsense_in_the_url_becomes_what_is_usual(views, bad):
    at = views(None, **dict.fromkeys(("pictures", "image", "other", "seed", "recipe", "hand"), bad))
    assert not at.exception
    assert not at.error
    names = (viewpair.PICTURES, viewpair.IMAGE, viewpair.OTHER, viewpair.SEED, viewrecipe.NAMED)
    assert [at.session_state[name] for name in names] == ["emoji", "0", "same", 0, "full"]


@given(
    st.text(max_size=60)
    | st.text(max_size=60).map("1;jitter_parts={}".format)
    | st.text(max_size=60).map("1;{}".format)
)
def test_any_text_is_a_recipe_or_none(text):
    found = unpacked(text)
    assert found is None or isinstance(found, AugmentConfig)


@pytest.mark.parametrize(
    "augment", [*(p.augment for p in PIPELINES.values()), NOTHING, AugmentConfig(jitter_parts=("hue",), flip_p=0.25)]
)
def test_a_recipe_survives_the_url_and_the_command(augment):
    assert unpacked(packed(augment)) == augment
    assert unpacked(";".join(["1", *settings(augment)])) == augment
    assert len(packed(augment)) <= viewrecipe.LONGEST
    given = [part.split("'")[0] for part in viewrecipe.command(augment).split("--set '")[1:]]
    assert with_overrides(RunConfig(), given).augment == augment


def test_the_measurement_waits_for_an_answer(views):
    at = views(None)
    assert len(at.get("plotly_chart")) == 1
    assert not at.success
    at = answered(at)
    assert len(at.success) == 1
    assert len(at.get("plotly_chart")) == 3
    assert f"{matching_runs.summaries(matching_runs.read(), 'emoji')[0].mean:.0%} of the time" in at.success[0].value
    assert len(views(None).toggle(key="views.quiz.anyway").set_value(True).run().get("plotly_chart")) == 3


def test_nothing_measured_is_said(views, monkeypatch):
    monkeypatch.setattr(matching_runs, "read", lambda: None)
    at = views()
    assert not at.exception
    assert any("Not measured" in e.value for e in at.info)


def test_the_pipeline_goes_to_the_train_page(views):
    at = views(recipe="simclr")
    at = at.button(key="views.to_train").click().run()
    assert not at.exception
    assert at.title[0].value == "Train an encoder"
    assert at.selectbox(key="train.recipe").value == viewdesign.RECIPE
    assert at.slider(key="train.augment.jitter_strength").value == 1.0
    assert at.slider(key="train.augment.crop_scale").value == (0.08, 1.0)


def test_the_bundled_run_measures_its_own_garments(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMCLR_RUNS", str(tmp_path))
    at = AppTest.from_file(str(ROOT / "pages/shell.py"), default_timeout=120)
    at.query_params["views.pictures"] = "demo"
    at = at.switch_page("views.py").run()
    assert not at.exception
    assert "what the views share can be learned" in texts(at)
    assert viewdesign.RECIPE in at.code[0].value
