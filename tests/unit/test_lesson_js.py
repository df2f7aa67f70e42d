"""The collapse lab's arithmetic, run by node: against the core's definitions, torch's gradients and steps, and what a scene says."""

import numpy as np
import pytest

from pages.ui.components.lab import DIM, IMAGES, NEVER, STEPS
from simclr_core import similarity as sim
from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS, Undefined
from tests.node import ask_node

SETTING = {"data": "gauss", "noise": 0.6, "tau": 0.5, "seed": 0, "start": "random", "nudge": NEVER}
METERS = ("mean_cosine", "rankme", "uniformity", "alignment")
RUN = """
const lesson = new nx.Lesson(ask.setting)
while (lesson.reached < ask.steps) lesson.advance()
return Object.fromEntries(lesson.lanes.map((lane) => [lane.name, { ...lesson.read(lane, ask.steps), loss_at: lane.loss, w: lane.states.at(-1).w }]))
"""


def ask(body, cases):
    """What the body of a function of `ask` returns for each case; typed arrays come back as lists."""
    body = body if "return" in body else f"return {body}"
    plain = "(_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value)"
    script = f"JSON.parse(JSON.stringify(cases.map((ask) => {{ {body} }}), {plain}))"
    return ask_node({"nx": "lab/lesson.js"}, script, cases)


def rows(rng, *, spread=1.0, flat=0):
    """Unit rows of 24 pictures, two views each; `flat` dimensions are left out."""
    z = rng.normal(size=(IMAGES, 1, DIM)) * spread + rng.normal(size=(IMAGES, 2, DIM)) * 0.3 + (1 - spread)
    z[..., :flat] *= 0
    z = z.reshape(-1, DIM)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def core_meters(u):
    """The core's own numbers; it takes the two views of the pictures as two tables."""
    cloud = Cloud(x=u, views=(u[0::2], u[1::2]))
    return {name: DIAGNOSTICS[name].run(cloud) for name in METERS}


def run(steps=STEPS, **changes):
    return run_all([changes], steps)[0]


def run_all(changes, steps=STEPS):
    return ask(RUN, [{"setting": SETTING | change, "steps": steps} for change in changes])


def test_sizes_are_those_of_python():
    assert ask("[nx.N, nx.DIM, nx.STEPS]", [0]) == [[IMAGES, DIM, STEPS]]


def test_meters_are_the_cores(rng):
    cases = [rows(rng), rows(rng, spread=0.1), rows(rng, spread=0.01), rows(rng, flat=1), rows(rng, flat=2)]
    for u, found in zip(cases, ask("nx.meters(ask)", [u.ravel().tolist() for u in cases]), strict=True):
        expected = core_meters(u)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_meters_where_all_rows_are_equal():
    u = np.tile([0.6, 0.0, 0.8], (2 * IMAGES, 1))
    (found,) = ask("nx.meters(ask)", [u.ravel().tolist()])
    assert found == pytest.approx({"mean_cosine": 1, "rankme": 1, "uniformity": 0, "alignment": 0}, abs=1e-5)
    with pytest.raises(Undefined):
        DIAGNOSTICS["effective_rank"].run(
            Cloud(x=u)
        )  # why RankMe is the meter here: it has a value at the point itself


def test_losses_and_yardsticks_are_the_cores(rng):
    u, taus = rows(rng), [0.05, 0.1, 0.5, 2]
    cases = [{"u": u.ravel().tolist(), "tau": tau} for tau in taus]
    body = "[nx.OBJECTIVES.attraction(ask.u, ask.tau).loss, nx.OBJECTIVES.negatives(ask.u, ask.tau).loss, nx.lossUniformSphere(ask.tau)]"
    for tau, (attraction, negatives, even) in zip(taus, ask(body, cases), strict=True):
        s = sim.cosine_matrix(u)
        assert negatives == pytest.approx(sim.nt_xent_mean(s, sim.interleaved_partner(IMAGES), tau), rel=1e-9)
        assert attraction == pytest.approx(core_meters(u)["alignment"], rel=1e-9)
        assert even == pytest.approx(sim.loss_uniform_sphere(IMAGES, DIM, tau), rel=1e-9)


def torch_loss(w, x, lane, tau):
    """The same loss from torch's own operations: w (3, 9) with the bias last, x (48, 8)."""
    import torch

    z = torch.nn.functional.normalize(x @ w[:, :-1].T + w[:, -1], dim=1)
    if lane == "attraction":
        return ((z[0::2] - z[1::2]) ** 2).sum(1).mean()
    s = (z @ z.T / tau).fill_diagonal_(-torch.inf)
    return torch.nn.functional.cross_entropy(s, torch.arange(2 * IMAGES) ^ 1)


@pytest.mark.parametrize("lane", ["attraction", "negatives"])
@pytest.mark.parametrize("changes", [{}, {"data": "blobs", "seed": 3, "tau": 0.1, "noise": 1.5}])
def test_a_run_is_torchs_run(lane, changes):
    """Gradients from autograd, steps from torch.optim.AdamW, on the very views that the browser draws."""
    import torch

    setting, steps = SETTING | changes, 30
    body = (
        "const x = nx.pictures(ask.setting); return { w: nx.firstWeights(ask.setting), "
        "views: Array.from({ length: ask.steps }, (_, t) => Array.from(nx.views(x, ask.setting, t))) }"
    )
    (drawn,) = ask(body, [{"setting": setting, "steps": steps}])
    w = torch.tensor(drawn["w"], dtype=torch.float64).reshape(DIM, -1).requires_grad_()
    optimizer = torch.optim.AdamW([w], lr=0.01, weight_decay=0.01)
    for views in drawn["views"]:
        optimizer.zero_grad()
        torch_loss(w, torch.tensor(views, dtype=torch.float64).reshape(-1, 8), lane, setting["tau"]).backward()
        optimizer.step()
    np.testing.assert_allclose(run(steps, **changes)[lane]["w"], w.detach().ravel(), rtol=1e-7, atol=1e-9)


def test_views_are_pictures_and_fresh_noise():
    body = "const x = nx.pictures(ask); return [x, nx.views(x, ask), nx.views(x, ask, 0), nx.views(x, ask, 1), nx.views(x, ask, 1)]"
    x, shown, *drawn = (np.reshape(a, (-1, 8)) for a in ask(body, [SETTING])[0])
    noise = [(v - np.repeat(x, 2, axis=0)) / SETTING["noise"] for v in (shown, *drawn)]
    assert np.array_equal(noise[2], noise[3]), "the same step draws the same views"
    assert abs(x.mean()) < 0.2
    for e in noise[:3]:
        assert abs(e.mean()) < 0.15
        assert e.std() == pytest.approx(1, abs=0.1)
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert abs(np.corrcoef(noise[one].ravel(), noise[other].ravel())[0, 1]) < 0.15


def test_eight_seeds_collapse_without_negatives_and_none_with_them():
    runs = run_all([{"seed": seed} for seed in range(8)])
    attraction, negatives = ([r[lane] for r in runs] for lane in ("attraction", "negatives"))
    assert [r["mean_cosine"] > 0.999 and r["rankme"] < 1.01 and r["loss"] < 1e-9 for r in attraction] == [True] * 8
    assert [abs(r["mean_cosine"]) < 0.05 and r["rankme"] > 2.9 for r in negatives] == [True] * 8
    assert all(sim.loss_floor(IMAGES, 0.5) < r["loss"] < sim.loss_ceiling(IMAGES) for r in negatives)


def test_at_the_point_itself_the_gradient_is_zero_and_nothing_moves():
    before, after = run(0, start="collapsed"), run(start="collapsed")
    for lane, loss in (("attraction", 0), ("negatives", sim.loss_ceiling(IMAGES))):
        for r in (before[lane], after[lane]):
            assert r["gradient"] == 0
            assert r["loss"] == pytest.approx(loss, rel=1e-12)
            assert r["mean_cosine"] == pytest.approx(1, abs=1e-12)


def test_a_nudge_lets_negatives_escape_and_attraction_falls_back():
    for r in run_all([{"start": "collapsed", "nudge": 5, "seed": seed} for seed in range(4)], 150):
        assert r["attraction"]["mean_cosine"] > 0.999
        assert r["negatives"]["mean_cosine"] < 0.1
        assert r["negatives"]["rankme"] > 2.9


def test_a_nudge_in_the_middle_keeps_what_came_before():
    body = (
        "const lesson = new nx.Lesson(ask); while (lesson.reached < 9) lesson.advance(); lesson.nudge(5); while (lesson.reached < 9) lesson.advance();"
        "return lesson.lanes[1].loss"
    )
    setting = SETTING | {"start": "collapsed"}
    assert ask(body, [setting])[0] == run(9, start="collapsed", nudge=5)["negatives"]["loss_at"]


def test_groups_end_on_a_line_that_only_rankme_sees():
    left, right = run(data="blobs", seed=1).values()
    assert left["loss"] < 1e-4
    assert left["mean_cosine"] < 0.5
    assert left["rankme"] < 1.1
    assert right["rankme"] > 2.9


def test_too_strong_views_crowd_in_spite_of_negatives():
    right = run(noise=1.5, seed=4)["negatives"]
    assert 0.4 < right["mean_cosine"] < 0.6
    assert right["rankme"] > 2.5


def test_every_choice_stays_finite():
    changes = [
        {"tau": tau, "noise": noise, "data": data}
        for tau in (0.05, 2)
        for noise in (0, 2)
        for data in ("gauss", "blobs")
    ]
    for lanes in run_all(changes, 60):
        for r in lanes.values():
            assert np.isfinite([r[name] for name in (*METERS, "loss", "gradient")]).all()
