"""The temperature page: opens in every state, reads and clamps the URL, and loads no heavy library."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pages.ui.components.temperature import batch
from pages.ui.components.temperature.view import MODES, N_HIGH, N_LOW, TAU_HIGH, TAU_LOW, read_view
from simclr_core import similarity as sim
from simclr_core.presets import PRESETS, QUESTIONS
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


def test_questions_come_in_the_languages_words_and_without_their_answers(open_page):
    asked = sent(open_page("temperature", lang="zh"))["questions"]
    assert [q["preset"] for q in asked] == [q.preset for q in QUESTIONS.values()]
    assert asked[0]["text"] == QUESTIONS["solved"].text.zh
    assert set(asked[0]) == {"text", "why", "preset", "measure", "taus", "row", "kind"}


def test_texts_arrive_with_their_placeholders(open_page):
    texts = sent(open_page("temperature"))["texts"]
    assert texts["cell_label"].count("{") == 5
    assert all(texts.values())


URL = {
    **{"tau": "t", "tau2": "u", "row": "r", "preset": "b", "n": "n"},
    **{"cells": "c", "fix": "f", "own": "o", "mode": "m", "at": "k", "speed": "s"},
}
USUAL = {
    **{"tau": 0.5, "tau2": None, "row": 1, "preset": "sheet", "n": 6},
    **{"cells": "", "fix": False, "own": "", "mode": "sweep", "at": 0, "speed": "normal"},
}
OWN4 = "9500.1000.500.1200.700.9000"


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({}, {}),
        ({"tau": "0.1", "row": "3", "preset": "hard"}, {"tau": 0.1, "row": 3, "preset": "hard"}),
        ({"tau": "-4", "row": "99", "preset": "../x", "n": "2"}, {"tau": 0.01, "row": 6, "n": 3}),
        ({"tau": "1e9", "row": "0", "n": "4000"}, {"tau": 10.0, "n": 16}),
        ({"tau": "nan", "row": "inf", "n": "many", "tau2": "soon"}, {"tau2": 0.5}),
        ({"tau": 0.2, "row": 30, "preset": "run", "n": 12}, {"tau": 0.2, "row": 30, "preset": "run", "n": 12}),
        ({"tau2": "0.1", "fix": "1"}, {"tau2": 0.1, "fix": True}),
        ({"cells": "1.3.85_2.4.-20"}, {"cells": "1.3.85_2.4.-20"}),
        ({"cells": "3.1.85_1.9.5_1.3.101_1.3_x_1.2.50_1.2.40"}, {"cells": "1.2.40"}),
        ({"cells": "1.3.85", "preset": "gone"}, {}),
        ({"mode": "beats"}, {"mode": "beats", "at": 1}),
        ({"mode": "beats", "at": "9"}, {"mode": "beats", "at": 6}),
        ({"mode": "train", "at": "57"}, {"mode": "train", "at": 57}),
        ({"mode": "fly", "at": "57", "speed": "warp"}, {}),
        ({"speed": "fast"}, {"speed": "fast"}),
        ({"own": OWN4, "preset": "own", "row": "9"}, {"own": OWN4, "preset": "own", "row": 4}),
        ({"own": OWN4 + ".1", "preset": "own", "cells": "1.2.3"}, {}),
        ({"own": "10001", "preset": "own"}, {}),
        ({"own": "1.2.3", "preset": "own"}, {}),
    ],
)
def test_views_are_validated_and_clamped(asked, changed):
    assert read_view(SIZES, **asked) == USUAL | changed


anything = st.one_of(
    st.none(), st.booleans(), st.just([]), st.just({}), st.text(max_size=40), st.integers(), st.floats(), st.text("0123456789.-_e", max_size=60),
    st.lists(st.integers(-20_000, 20_000), max_size=70).map(lambda x: ".".join(map(str, x))),
    st.sampled_from(["own", "run", "sheet", "train", "beats", "1", "9" * 5000, "٣", "1.3.85_" * 900]),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(USUAL)), anything))
def test_whatever_a_link_says_the_view_is_valid_and_settled(asked):
    view = read_view(SIZES, **asked)
    assert TAU_LOW <= view["tau"] <= TAU_HIGH
    assert view["tau2"] is None or TAU_LOW <= view["tau2"] <= TAU_HIGH
    assert N_LOW <= view["n"] <= N_HIGH
    first, last = MODES[view["mode"]]
    assert first <= view["at"] <= last
    assert view["preset"] in SIZES or (view["preset"] == "own" and view["own"])
    assert read_view(SIZES, **view) == view, "a valid view is left as it is"
    json.dumps(view, allow_nan=False)


@pytest.fixture
def opened(open_page):
    return open_page("temperature")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from("turbncfomks"), st.one_of(st.text(max_size=30), st.text("0123456789.-_e", max_size=30))
    )
)
def test_no_link_breaks_the_page(opened, query):
    for key in "turbncfomks":
        opened.query_params.pop(key, None)
    for key in ("temperature", "temperature.last"):
        if key in opened.session_state:
            del opened.session_state[key]
    opened.query_params.update(query)
    opened.run()
    assert not opened.exception
    assert not opened.error
    asked = {name: query.get(key) for name, key in URL.items()}
    expected = read_view({**dict.fromkeys(PRESETS, 6), "run": 32}, **asked)
    assert sent(opened)["start"] == expected


def test_a_reported_view_goes_into_the_url_and_defaults_do_not(open_page):
    at = open_page("temperature")
    assert set(at.query_params) == {"run"}
    at.session_state["temperature.last"] = USUAL | {"tau": 0.1, "row": 2, "preset": "hard"}
    at.run()
    assert at.query_params == {"run": "small", "t": "0.1", "r": "2", "b": "hard"}


def test_every_part_of_a_view_lives_in_the_url(open_page):
    at = open_page("temperature")
    view = {
        "tau": 0.1,
        "tau2": 0.5,
        "row": 2,
        "preset": "own",
        "n": 5,
        "cells": "1.3.85",
        "fix": True,
        "own": OWN4,
        "mode": "train",
        "at": 33,
        "speed": "slow",
    }
    assert view.keys() == USUAL.keys()
    at.session_state["temperature.last"] = view
    at.run()
    wanted = {
        "t": "0.1",
        "u": "0.5",
        "r": "2",
        "b": "own",
        "n": "5",
        "c": "1.3.85",
        "f": "1",
        "o": OWN4,
        "m": "train",
        "k": "33",
        "s": "slow",
    }
    assert at.query_params == {"run": "small"} | wanted
    again = open_page("temperature", **wanted)
    assert sent(again)["start"] == view
    at.session_state["temperature.last"] = USUAL | {"mode": "beats", "at": 1}
    at.run()
    assert at.query_params == {"run": "small", "m": "beats"}


def test_the_batch_form_has_no_diagonal():
    made = batch("x", "X", "note", np.eye(4), sim.interleaved_partner(2))
    assert [made["similarity"][i][i] for i in range(4)] == [None] * 4
