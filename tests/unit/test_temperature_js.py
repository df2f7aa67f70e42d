"""What the temperature explorer computes beside the loss, run by node: geometry, training, matrices brought along, playing."""

import json
from pathlib import Path

import numpy as np
import pytest

from pages.ui.components.temperature.view import N_LOW, read_view
from simclr_core import similarity as sim
from simclr_core.presets import PRESETS, QUESTIONS
from tests.geometry import nearest_realisable
from tests.node import ask_node

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "worksheet.json").read_text())
GEOMETRY = {"geo": "shared/geometry.js"}
MODEL = {"model": "temperature/model.js", "geo": "shared/geometry.js"}
TEXT = {"mt": "temperature/matrixtext.js"}


def cosines(rng, m, d):
    return sim.cosine_matrix(rng.standard_normal((m, d)))


def dragged(rng, s, cells):
    """The matrix with some cells moved as a hand would, symmetric."""
    moved = s.copy()
    for _ in range(cells):
        i, k = rng.choice(len(s), 2, replace=False)
        moved[i, k] = moved[k, i] = np.round(rng.uniform(-1, 1), 2)
    return moved


@pytest.fixture
def matrices(rng):
    """Realisable and impossible matrices, full and low rank, with repeated eigenvalues, up to 32 views."""
    given = [PRESETS[name].similarity for name in PRESETS] + [
        np.ones((4, 4)),
        np.eye(2),
        np.diag([1, 1.0])[::-1] + np.eye(2),
    ]
    random = [cosines(rng, m, d) for m, d in [(4, 2), (6, 6), (6, 3), (12, 5), (32, 16), (32, 48)]]
    return [
        *given,
        *random,
        *(dragged(rng, s, 2) for s in random),
        *(dragged(rng, cosines(rng, 6, 4), 5) for _ in range(6)),
    ]


def test_eigenvalues_and_vectors_are_numpys(matrices):
    found = ask_node(
        GEOMETRY,
        "cases.map((s) => geo.eigen(s)).map(({ values, basis }) => ({ values, basis: basis.map((row) => Array.from(row)) }))",
        [s.tolist() for s in matrices],
    )
    for s, answer in zip(matrices, found, strict=True):
        basis = np.array(answer["basis"])
        np.testing.assert_allclose(answer["values"], np.linalg.eigvalsh(s), atol=1e-12)
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(s)), atol=1e-12)
        np.testing.assert_allclose(basis.T * answer["values"] @ basis, s, atol=1e-12)


def test_the_nearest_realisable_matrix_of_highams_example():
    (found,) = ask_node(GEOMETRY, "cases.map((s) => geo.nearestRealisable(s))", [[[1, 1, 0], [1, 1, 1], [0, 1, 1]]])
    np.testing.assert_allclose(np.array(found)[np.triu_indices(3, 1)], [0.7607, 0.1573, 0.7607], atol=5e-5)


def test_nearest_realisable_is_highams(matrices):
    found = ask_node(GEOMETRY, "cases.map((s) => geo.nearestRealisable(s))", [s.tolist() for s in matrices])
    for s, answer in zip(matrices, found, strict=True):
        np.testing.assert_allclose(answer, nearest_realisable(s), atol=1e-9)


def test_vectors_have_the_cosines(matrices):
    real = [s for s in matrices if np.linalg.eigvalsh(s)[0] >= 0]
    assert len(real) > 4
    for s, z in zip(
        real, ask_node(GEOMETRY, "cases.map((s) => geo.vectorsFrom(s))", [s.tolist() for s in real]), strict=True
    ):
        np.testing.assert_allclose(np.array(z) @ np.array(z).T, s, atol=1e-9)
        assert np.shape(z) == (len(s), (np.linalg.eigvalsh(s) > 1e-9).sum())


# -- training ----------------------------------------------------------------------------------------------------------
TRAIN = """cases.map(({ s, partner, tau, steps }) => {
  const trail = model.makeTrail(s, partner, tau)
  return { losses: steps.map((k) => trail.at(k).loss), z: steps.map((k) => trail.at(k).z), last: trail.at(steps.at(-1)) }
})"""


def train(cases, steps):
    return ask_node(
        MODEL,
        TRAIN,
        [{"s": np.array(s).tolist(), "partner": GOLDEN["partner"], "tau": tau, "steps": steps} for s, tau in cases],
    )


def test_training_from_the_work_sheet_goes_where_autograd_went():
    """The landmarks were found with torch: 0.18163 at τ = 0.5 and 3.832e-4 at τ = 0.1, each after 50 steps."""
    sheet = PRESETS["sheet"].similarity
    half, tenth = train([(sheet, 0.5), (sheet, 0.1)], [0, 50, 400])
    assert half["losses"][0] == pytest.approx(float(GOLDEN["0.5"]["total"]), rel=1e-9)
    assert half["losses"][1] == pytest.approx(0.18163, abs=5e-6)
    assert half["losses"][2] == pytest.approx(sim.loss_floor(3, 0.5), rel=1e-9)
    assert half["last"]["positive"] == pytest.approx(1, abs=1e-6)
    assert half["last"]["negative"] == pytest.approx(-0.5, abs=1e-6)
    assert tenth["losses"][1] == pytest.approx(3.832e-4, rel=1e-4)


def test_a_step_is_autograds_step():
    torch = pytest.importorskip("torch")
    from simclr_core.objectives import nt_xent

    for answer, tau in zip(
        train([(PRESETS["hard"].similarity, t) for t in (0.1, 0.5)], [0, 1]), (0.1, 0.5), strict=True
    ):
        z = torch.tensor(answer["z"][0], dtype=torch.float64, requires_grad=True)
        nt_xent(z[0::2], z[1::2], temperature=tau).backward()
        expected = torch.nn.functional.normalize(z - 0.5 * z.grad, dim=1).detach().numpy()
        np.testing.assert_allclose(answer["z"][1], expected, atol=1e-9)


def test_full_collapse_has_no_gradient():
    (answer,) = train([(np.ones((6, 6)), 0.1)], [0, 20])
    np.testing.assert_allclose(answer["losses"], np.log(5), rtol=1e-12)


# -- the matrix of a view ------------------------------------------------------------------------------------------------
OPEN = """cases.map(({ presets, view }) => {
  const { s, m, least, possible, mended, moved } = model.openBatch(presets, view)
  return { s, m, least, possible, mended, moved }
})"""


def opened(**view):
    presets = [{"id": "sheet", "similarity": PRESETS["sheet"].similarity.tolist(), "partner": GOLDEN["partner"]}]
    view = {"preset": "sheet", "n": 6, "cells": "", "fix": False, "own": ""} | view
    return ask_node(MODEL, OPEN, [{"presets": presets, "view": view}])[0]


def test_a_dragged_cell_and_its_mirror_are_one():
    cells = ask_node(MODEL, "model.withCell(model.withCell(cases, 2, 0, 0.85), 0, 2, -2)", "2.3.75")
    assert cells == "2.3.75_1.3.-100"
    found = opened(cells="1.3.85")
    expected = PRESETS["sheet"].similarity.copy()
    expected[0, 2] = expected[2, 0] = 0.85
    np.testing.assert_allclose(np.array(found["s"]), expected)
    assert found["least"] == pytest.approx(np.linalg.eigvalsh(expected)[0], abs=1e-12)
    assert found["least"] == pytest.approx(-0.387, abs=5e-4)
    assert not found["possible"]


def test_the_nearest_matrix_says_what_it_moves():
    found = opened(cells="1.3.85", fix=True)
    dragged_sheet = np.array(opened(cells="1.3.85")["s"])
    np.testing.assert_allclose(found["s"], nearest_realisable(dragged_sheet), atol=1e-9)
    gaps = np.abs(np.array(found["s"]) - dragged_sheet)[np.triu_indices(6, 1)]
    assert len(found["moved"]) == (gaps >= 5e-4).sum()
    assert abs(found["moved"][0][2] - found["moved"][0][3]) == pytest.approx(gaps.max())
    assert not opened(fix=True)["mended"], "a possible matrix is left as it is"


def test_an_own_matrix_comes_back_from_its_link(rng):
    s = np.round(cosines(rng, 8, 3), 4)
    text = ask_node(MODEL, "model.writeOwn(cases)", s.tolist())
    found = opened(preset="own", own=text)
    off = ~np.eye(8, dtype=bool)
    np.testing.assert_allclose(np.array(found["s"], dtype=float)[off], s[off], atol=1e-12)
    assert len(text) < 28 * 7


def test_questions_are_answered_as_in_python():
    cases = [
        {
            "question": q.fields | {"taus": list(q.taus)},
            "s": PRESETS[q.preset].similarity.tolist(),
            "partner": PRESETS[q.preset].partner.tolist(),
        }
        for q in QUESTIONS.values()
    ]
    found = ask_node(MODEL, "cases.map((c) => model.answer(c.question, c.s, c.partner))", cases)
    for question, answer in zip(QUESTIONS.values(), found, strict=True):
        values, right = question.answer()
        np.testing.assert_allclose(answer["values"], values, rtol=1e-9)
        assert answer["right"] == right


# -- playing -------------------------------------------------------------------------------------------------------------
def test_every_way_to_play_starts_ends_and_resumes_where_it_is():
    body = """Object.fromEntries(Object.entries(model.MODES).map(([name, { place, moment }]) => {
      const times = Array.from({ length: 201 }, (_, k) => k / 200)
      const places = times.map(place)
      return [name, { places, again: places.map((one) => place(Math.min(moment(one) + 1e-9, 1))) }]
    }))"""
    found = ask_node(MODEL, body, 0)
    taus = [p["tau"] for p in found["sweep"]["places"]]
    assert taus[0] == 0.5
    assert taus[-1] == 0.1
    assert (np.diff(taus) < 0).all()
    np.testing.assert_allclose([p["tau"] for p in found["sweep"]["again"]], taus, rtol=1e-6)
    for name, ends in {"beats": (1, 6), "train": (0, 400)}.items():
        places = [p["at"] for p in found[name]["places"]]
        assert (places[0], places[-1]) == ends
        assert (np.diff(places) >= 0).all()
        assert [p["at"] for p in found[name]["again"]] == places
    assert sorted({p["at"] for p in found["beats"]["places"]}) == [1, 2, 3, 4, 5, 6]


def test_steps_walk_through_all_places():
    body = """(() => {
      const walk = (name, from, way, count) => {
        const seen = [from]
        for (let k = 0; k < count; k++) seen.push({ ...from, ...model.MODES[name].step(seen.at(-1), way) })
        return seen.map((one) => one.tau ?? one.at)
      }
      return { sweep: walk("sweep", { tau: 2 }, 1, 6), up: walk("sweep", { tau: 0.01 }, -1, 6), beats: walk("beats", { at: 1 }, 1, 6), back: walk("beats", { at: 2 }, -1, 2) }
    })()"""
    found = ask_node(MODEL, body, 0)
    assert found["sweep"] == [2, 0.5, 0.3, 0.2, 0.15, 0.1, 0.5]
    assert found["up"] == [0.01, 0.1, 0.15, 0.2, 0.3, 0.5, 0.5]
    assert found["beats"] == [1, 2, 3, 4, 5, 6, 1]
    assert found["back"] == [2, 1, 1]


# -- a view as an address says it ------------------------------------------------------------------------------------------
SIZES = {"sheet": 6, "run": 32}
ASKED = [
    {},
    {"tau": "0.1", "tau2": "0.5", "row": "3", "preset": "run", "n": "12", "speed": "fast"},
    {"tau": "-4", "tau2": "soon", "row": "99", "preset": "../x", "n": "2", "cells": "1.3.85", "speed": "warp"},
    {"tau": "nan", "row": "1e9", "n": "many", "mode": "fly", "at": "57"},
    {"cells": "3.1.85_1.9.5_1.3.101_1.3_x_1.2.50_1.2.40_2.4.-20", "fix": "1"},
    {"mode": "beats", "at": "9"},
    {"mode": "train", "at": "57.9"},
    {"own": "9500.1000.500.1200.700.9000", "preset": "own", "row": "9"},
    {"own": "9500.1000.500.1200.700.9000.1", "preset": "own"},
    {"own": "10001", "preset": "own"},
    {"own": "<b>.1.2", "preset": "constructor", "mode": "constructor"},
]


def test_the_browser_reads_an_address_as_python_does():
    presets = [{"id": name, "partner": [0] * m} for name, m in SIZES.items()]
    body = "cases.asked.map((asked) => model.readView({ presets: cases.presets, fewest: cases.fewest }, asked))"
    found = ask_node(MODEL, body, {"asked": ASKED, "presets": presets, "fewest": N_LOW})
    for asked, view in zip(ASKED, found, strict=True):
        assert view == read_view(SIZES, **asked), asked
    again = ask_node(MODEL, body, {"asked": found, "presets": presets, "fewest": N_LOW})
    assert again == found, "a valid view is left as it is"


# -- a matrix as a person brings it ----------------------------------------------------------------------------------------
GOOD = {
    "commas": "-,.95,.1,.05\n.95,-,.12,.07\n.1,.12,-,.9\n.05,.07,.9,-",
    "blanks": "1 .95 .1 .05\n\n.95 1 .12 .07\n.1 .12 1 .9\n.05 .07 .9 1\n",
    "tabs with decimal commas": "1\t0,95\t0,1\t0,05\n0,95\t1\t0,12\t0,07\n0,1\t0,12\t1\t0,9\n0,05\t0,07\t0,9\t1",
    "semicolons": ";.95;.1;.05\r\n.95;;.12;.07\r\n.1;.12;;.9\r\n.05;.07;.9;",
    "empty tabs": "\t.95\t.1\t.05\n.95\t\t.12\t.07\n.1\t.12\t\t.9\n.05\t.07\t.9\t\n",
    "full width": "1，.95，.1，.05\n.95，1，.12，.07\n.1，.12，1，.9\n．05，．07，．9，1",
    "numpy": "[[1.   0.95 0.1  0.05]\n [0.95 1.   0.12 0.07]\n [0.1  0.12 1.   0.9 ]\n [0.05 0.07 0.9  1.  ]]",
    "json": "[[1, 0.95, 0.1, 0.05],\n[0.95, 1, 0.12, 0.07],\n[0.1, 0.12, 1, 0.9],\n[0.05, 0.07, 0.9, 1]]",
}
SHEET4 = np.array([[0, 0.95, 0.1, 0.05], [0.95, 0, 0.12, 0.07], [0.1, 0.12, 0, 0.9], [0.05, 0.07, 0.9, 0]])


@pytest.mark.parametrize("name", GOOD)
def test_a_matrix_is_read_in_many_hands(name):
    found = ask_node(TEXT, "mt.parseMatrix(cases)", GOOD[name])
    np.testing.assert_allclose(np.nan_to_num(np.array(found["s"], dtype=float)), SHEET4, atol=1e-12)


def test_stacked_views_are_put_in_turn(rng):
    s = cosines(rng, 8, 4)
    order = [0, 4, 1, 5, 2, 6, 3, 7]
    text = "\n".join(",".join(map(str, row)) for row in s)
    found = np.array(ask_node(TEXT, "mt.parseMatrix(cases, true)", text)["s"], dtype=float)
    off = ~np.eye(8, dtype=bool)
    np.testing.assert_allclose(found[off], s[np.ix_(order, order)][off])


BAD = {
    "": ("own_rows", {"found": 0}),
    "1,.5,.2\n.5,1,.3\n.2,.3,1": ("own_rows", {"found": 3}),
    "\n".join(["1 0"] * 34): ("own_rows", {"found": 34}),
    "1,.5\n.5": ("own_ragged", {"i": 2, "found": 1}),
    "1,1.5\n1.5,1": ("own_number", {"i": 1, "k": 2, "text": "1.5"}),
    "1,<script>alert(1)\n.5,1": ("own_number", {"i": 1, "k": 2, "text": "<script>aler"}),
    "1,\n,1": ("own_number", {"i": 1, "k": 2, "text": ""}),
    "1;\n;1": ("own_number", {"i": 1, "k": 2}),
    "1,NaN\n.5,1": ("own_number", {"i": 1, "k": 2}),
    "1,.5\n.6,1": ("own_symmetry", {"i": 2, "k": 1, "a": 0.6, "b": 0.5}),
    "0" * 50_000: ("own_long", {"most": 40_000}),
}


@pytest.mark.parametrize("text", BAD, ids=[str(k) for k in range(len(BAD))])
def test_what_is_wrong_is_named(text):
    problem, values = BAD[text]
    found = ask_node(TEXT, "mt.parseMatrix(cases)", text)
    assert found["problem"] == problem
    assert found["values"].items() >= values.items()


def test_every_problem_has_its_sentence():
    from pages.ui.text import catalogues

    texts = catalogues()["en"].texts
    assert {p for p, _ in BAD.values()} <= {k.removeprefix("temperature.explorer.") for k in texts}
