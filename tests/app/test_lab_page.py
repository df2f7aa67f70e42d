"""The collapse lab's page: opens in every scene, reads and refuses the URL, asks before it tells, links to real collapses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.components.lab import NEVER, SPEEDS, STEPS, read_view
from pages.ui.labcheck import SNAPSHOTS, cloud
from pages.ui.labscenes import CHOICES, LAST_SEED, SCENES, SEED, full
from simclr_core.diagnostics import DIAGNOSTICS, sphere_uniformity
from tests.app.conftest import build_run


def sent(at) -> dict:
    """What the page gives the browser."""
    (found,) = at.get("bidi_component")
    return json.loads(found.proto.json or found.proto.mixed.json)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", SCENES)
def test_every_scene_opens_by_its_link_and_asks(open_page, name, lang):
    at = open_page("lab", lang=lang, **{k: str(v) for k, v in SCENES[name].setting.items()})
    assert not at.exception
    assert at.session_state["lab.scene"] == name
    assert at.radio(key=f"lab.scenes.{name}.answer").value is None
    assert not at.success
    assert not at.info


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_tells_after_the_answer(open_page, name):
    at = open_page("lab", **{k: str(v) for k, v in SCENES[name].setting.items()})
    at = at.radio(key=f"lab.scenes.{name}.answer").set_value(SCENES[name].answer).run()
    assert len(at.success) == 1
    wrong = next(option for option in "abc" if option != SCENES[name].answer)
    at = at.radio(key=f"lab.scenes.{name}.answer").set_value(wrong).run()
    assert not at.success
    assert "{" not in at.info[0].value


def test_a_scene_sets_all_that_it_says(open_page):
    at = open_page("lab", **{"lab.tau": "0.1", "lab.seed": "7"})
    assert at.session_state["lab.scene"] is None, "a person's own setting has no question"
    assert not at.radio
    at.segmented_control(key="lab.scene").set_value("line").run()
    assert {name: at.session_state[name] for name in (*CHOICES, SEED)} == full(SCENES["line"])
    assert sent(at)["setting"] == {"data": "blobs", "start": "random", "noise": 0.6, "tau": 0.5, "seed": 1}
    assert at.query_params == {"run": "small", "lab.data": "blobs", "lab.seed": "1"}


def test_meters_are_the_cores(open_page):
    meters = {m["id"]: m for m in sent(open_page("lab"))["meters"]}
    assert list(meters) == ["mean_cosine", "rankme", "uniformity", "alignment"]
    assert meters["uniformity"]["spread"] == sphere_uniformity(3)
    assert meters["alignment"]["spread"] is None


@pytest.mark.parametrize("bad", ["x", "-1", "1e400", "nan", "<b>", "0.6000001", "9" * 400, ""])
def test_nonsense_in_the_url_becomes_what_is_usual(open_page, bad):
    names = (*CHOICES, SEED, "lab.step", "lab.nudge", "lab.speed")
    at = open_page("lab", **dict.fromkeys(names, bad))
    assert not at.exception
    setting, start = sent(at)["setting"], sent(at)["start"]
    assert (setting["data"], setting["start"]) == ("gauss", "random")
    assert (setting["noise"], setting["tau"], setting["seed"]) == (0.6, 0.5, 0)
    assert start == read_view(bad, bad, bad)
    assert "lab.noise" not in at.query_params


@given(*[st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))] * 3)
def test_any_view_is_made_valid(step, nudge, speed):
    found = read_view(step, nudge, speed)
    assert 0 <= found["step"] <= STEPS
    assert NEVER <= found["nudge"] < STEPS
    assert found["speed"] in SPEEDS
    assert read_view(**found) == found


def test_a_reported_view_goes_into_the_url_and_what_is_usual_does_not(open_page):
    at = open_page("lab")
    assert set(at.query_params) == {"run"}
    at.session_state["lab.last"] = {"step": 120, "nudge": -1, "speed": "fast"}
    at.run()
    assert at.query_params == {"run": "small", "lab.step": "120", "lab.speed": "fast"}


def test_seeds_of_the_widget_are_those_of_the_url(open_page):
    assert sent(open_page("lab", **{"lab.seed": str(LAST_SEED)}))["setting"]["seed"] == LAST_SEED
    assert sent(open_page("lab", **{"lab.seed": str(LAST_SEED + 1)}))["setting"]["seed"] == 0


def test_real_collapses_are_linked_and_only_those(open_page, tmp_path):
    for name, verdict in (("healthy_one", "healthy"), ("point", "complete"), ("line", "dimensional")):
        run = build_run(tmp_path / name, embeddings=False)
        (run.path / "embeddings").mkdir()
        (run.path / "embeddings/report.json").write_text(json.dumps({"verdict": verdict, "severity": "fail"}))
    at = open_page("lab", run="point", root=tmp_path)
    assert not at.exception
    links = [e.proto.label for e in at.main.get("page_link")]
    assert [link.split(":")[0] for link in sorted(links)] == ["line", "point"]
    assert not open_page("lab").main.get("page_link"), "nothing where there is nothing"


# -- readings to be named ------------------------------------------------------------------------------------------------
LIMITS = {  # kind → what its readings must look like, so that the answer can be read off
    "complete": lambda m: m["mean_cosine"] > 0.9 and m["uniformity"] > -0.5,
    "dimensional": lambda m: abs(m["mean_cosine"]) < 0.3 and m["rankme"] < 2.4,
    "healthy": lambda m: abs(m["mean_cosine"]) < 0.2 and m["rankme"] > 2.8,
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_reading_is_what_its_answer_says(name):
    meters = {m: DIAGNOSTICS[m].run(cloud(name)) for m in ("mean_cosine", "rankme", "uniformity", "alignment")}
    assert [kind for kind, fits in LIMITS.items() if fits(meters)] == [SNAPSHOTS[name].kind], meters


def test_each_reading_is_told_when_it_is_named(open_page):
    at = open_page("lab")
    assert "Read the meters" in [s.value for s in at.subheader]
    assert not at.success
    at.segmented_control(key="lab.check.A").set_value("dimensional").run()
    at.segmented_control(key="lab.check.B").set_value("complete").run()
    assert [s.value.split(":")[0] for s in at.success] == ["Dimensional collapse"]
    assert [i.value.split(":")[0] for i in at.info] == ["Healthy"]
    kept = open_page("lab", hide="answers")
    kept.segmented_control(key="lab.check.A").set_value("healthy").run()
    assert not kept.success
    assert not kept.info
    assert not [c for c in open_page("lab", hide="controls").get("button_group") if c.key.startswith("lab.check.")]
