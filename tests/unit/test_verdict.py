"""Each rule fires on a cloud made ill in its way, stays silent on healthy ones, and says why where it cannot judge."""

import json

import numpy as np
import pytest

from simclr_core.config import RunConfig
from simclr_core.errors import DataError
from simclr_core.geometry_rules import HubsLimits, few_directions, hub_reach_limit
from simclr_core.lidar import lidar
from simclr_core.progress import Stopped
from simclr_core.records import EmbeddingTable, PairTable
from simclr_core.spectrum import spectral_cliff
from simclr_core.store import RunDir
from simclr_core.verdict import DIAGNOSES, diagnose, measure, report_to_json, run_facts

CONTRACT = [
    "std_ratio",
    "mean_cosine",
    "alignment",
    "uniformity",
    "w2_uniformity",
    "rankme",
    "effective_rank",
    "participation_ratio",
    "nesum",
    "alpha",
    "hubness_skew",
    "antihub_share",
    "near_duplicate_share",
    "intrinsic_dim",
    "knn_purity",
    "pair_auc",
    "twin_r_at_1",
]


def table(x, z=None, label=None):
    return EmbeddingTable(h=x, z=z, label=label, index=np.arange(len(z if x is None else x)))


def verdict(x, **more):
    return diagnose(table(np.asarray(x, np.float32)), intervals=False, **more).verdict


def finding(report, name):
    return next(f for f in report.findings if f.id == name)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def g(rng):
    return lambda n, d: rng.standard_normal((n, d))


# -- geometry -------------------------------------------------------------------------------------------------------
def test_an_outlier_crowd_does_not_hide_a_complete_collapse(g):
    x = np.ones((1000, 32)) + 1e-3 * g(1000, 32)
    x[:30] = g(30, 32)
    assert verdict(x) == "complete"


def test_dead_encoders_are_a_complete_collapse():
    assert verdict(np.zeros((100, 16))) == "complete"
    assert verdict(np.full((100, 16), 0.7)) == "complete"


def test_one_axis_is_dimensional_not_complete(g):
    x = np.zeros((1000, 512))
    x[:, 3] = g(1000, 1)[:, 0]
    assert verdict(x + 1e-4 * g(1000, 512)) == "dimensional"


@pytest.mark.parametrize("rank", [1, 4, 16, 40])
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_low_rank_with_noise_is_dimensional(g, rank, noise):
    assert verdict(g(1500, rank) @ g(rank, 128) / np.sqrt(rank) + noise * g(1500, 128)) == "dimensional"


def test_few_rows_are_not_few_dimensions(g):
    assert verdict(g(200, 1024)) == "healthy"
    assert verdict(np.maximum(g(150, 300), 0)) == "healthy"
    half = g(200, 512)
    half[:, 256:] = 0
    assert verdict(half) == "dimensional"


def test_some_dead_units_after_a_relu_are_a_warning(g):
    h = np.maximum(g(800, 64), 0)
    h[:, :9] = 0
    report = diagnose(table(h))
    assert report.verdict == "healthy"
    assert finding(report, "dimensional").severity == "warn"
    h[:, :30] = 0
    assert verdict(h) == "dimensional"


def test_encoders_like_those_that_learned_well_are_healthy(rng, g):
    for d in (32, 128, 512, 1024):
        decay = np.arange(1.0, d + 1) ** -0.6 * np.exp(-np.arange(d) / d)
        q, _ = np.linalg.qr(g(d, d))
        signal = g(1500, d) * decay @ q
        h = np.maximum(signal + 1.2 * np.abs(g(1, d)) * signal.std(), 0)
        report = diagnose(table(h.astype(np.float32)), intervals=False)
        assert report.metrics["mean_cosine"] > 0.5
        assert report.metrics["participation_ratio"] < 25
        assert report.verdict == "healthy", (d, report.findings)


def test_cone_is_laxer_where_nothing_is_negative(g):
    x = 1.5 * unit(np.abs(g(1, 64))) + np.abs(g(800, 64)) / 8
    assert 0.8 < diagnose(table(x.astype(np.float32))).metrics["mean_cosine"] < 0.96
    assert verdict(x) == "healthy"
    assert verdict(x - 0.5) != "complete"
    assert verdict(2.5 * unit(g(1, 64)) + g(800, 64) / 8) == "cone"


@pytest.mark.parametrize("clusters", [3, 5, 10, 40])
@pytest.mark.parametrize("width", [0.001, 0.1, 0.2])
def test_tight_clusters(rng, g, clusters, width):
    x = unit(g(clusters, 64))[rng.integers(0, clusters, 1500)] + width * g(1500, 64) / 8
    report = diagnose(table(x.astype(np.float32)))
    assert report.verdict == "cluster"
    assert finding(report, "dimensional").severity != "fail"
    assert f"about {clusters} tight clusters" in finding(report, "cluster").sentence or clusters == 40


def test_copies_do_not_hide_the_clusters_they_stand_in(rng, g):
    x = np.maximum(unit(g(5, 64))[rng.integers(0, 5, 600)] + 0.1 * g(600, 64) / 8, 0)
    x[:180] = x[rng.integers(180, 600, 180)]
    assert verdict(x) == "cluster"


def test_one_knot_among_ordinary_rows_is_copies_not_clusters(g):
    x = g(1000, 64)
    x[:600] = x[0]
    assert verdict(x) == "duplicates"


def test_soft_classes_are_healthy(rng, g):
    x = unit(g(10, 64))[rng.integers(0, 10, 1500)] + 0.8 * g(1500, 64) / 8
    assert verdict(x) == "healthy"
    assert verdict(np.maximum(x, 0)) == "healthy"


def test_duplicates(g):
    x = g(1000, 64)
    x[:150] = x[150:300]
    assert verdict(x) == "duplicates"
    x = g(1000, 64)
    x[:15] = x[15:30]
    assert verdict(x) == "healthy"
    assert finding(diagnose(table(x)), "duplicates").severity == "warn"


def test_hubs(g):
    middle = unit(g(1, 256))
    x = 0.6 * middle + 0.8 * unit(g(1500, 256))
    x[:15] = middle + 0.003 * g(15, 256)
    assert verdict(x) == "hubs"


def test_a_hub_of_chance_is_no_hub():
    """The limit falls as n grows, as the reach of hubs does that a common direction makes."""
    limits = HubsLimits()
    assert [hub_reach_limit(n, limits) for n in (100, 1322, 10_000, 10**6)] == [
        0.55,
        pytest.approx(0.55, abs=1e-3),
        0.2,
        0.2,
    ]
    assert hub_reach_limit(2500, limits) == pytest.approx(0.4)


def test_cliff_and_directions():
    assert spectral_cliff(np.r_[np.ones(8), np.full(120, 1e-4)], 128, 0.9) == (8, pytest.approx(1e4))
    # One loud direction above 99 ordinary ones hides nothing.
    assert spectral_cliff(np.r_[1.0, np.full(99, 0.05)], 100, 0.9) == (100, 1)
    # A fall by 10 is a cliff early and the usual end of a ReLU spectrum late.
    assert spectral_cliff(np.r_[np.ones(40), np.full(60, 0.05)], 100, 0.9)[0] == 40
    assert spectral_cliff(np.r_[np.ones(80), np.full(20, 0.1)], 100, 0.9)[0] == 100
    assert few_directions(128, 4) == 4
    assert few_directions(512, 4) == 4
    assert few_directions(32, 4) == pytest.approx(2.6)
    assert few_directions(6, 4) == 1


# -- learning -------------------------------------------------------------------------------------------------------
def pairs_of(a, b, label=None):
    return PairTable(z_a=None, z_b=None, h_a=a, h_b=b, label=label, index=np.arange(len(a)))


def test_shortcut_needs_labels_and_pairs(rng, g):
    x, label = g(600, 64).astype(np.float32), rng.integers(0, 10, 600)
    pairs = pairs_of(x[:200], (x[:200] + 0.1 * g(200, 64)).astype(np.float32))
    assert diagnose(table(x, label=label), pairs=pairs).verdict == "shortcut"
    without = diagnose(table(x), pairs=pairs)
    assert without.verdict == "healthy"
    assert finding(without, "shortcut").value is None
    assert "no labels" in finding(without, "shortcut").sentence
    known = {"untrained_h": {"knn_purity": 0.02}, "pixels": {"knn_purity": 0.1}}
    report = diagnose(table(x, label=label), pairs=pairs, references=known)
    assert report.verdict == "healthy"
    assert finding(report, "shortcut").reference == {"untrained": 0.02, "pixels": 0.1}


def test_a_shortcut_is_suspected_sooner_where_an_untrained_encoder_tells_views_apart(rng, g):
    x, label = g(600, 64).astype(np.float32), rng.integers(0, 10, 600)
    pairs = pairs_of(x[:200], (x[:200] + 0.1 * g(200, 64)).astype(np.float32))
    purity = measure(x, label)["knn_purity"]
    known = {"knn_purity": purity - 0.06, "pair_auc": 0.95}
    report = diagnose(table(x, label=label), pairs=pairs, references={"untrained_h": known})
    assert finding(report, "shortcut").severity == "fail"
    report = diagnose(table(x, label=label), pairs=pairs, references={"untrained_h": known | {"pair_auc": 0.6}})
    assert finding(report, "shortcut").severity == "warn"


def test_content_is_no_shortcut(rng, g):
    label = rng.integers(0, 5, 600)
    x = (unit(g(5, 64))[label] + 0.8 * g(600, 64) / 8).astype(np.float32)
    pairs = pairs_of(x[:200], (x[:200] + 0.01 * g(200, 64)).astype(np.float32))
    assert diagnose(table(x, label=label), pairs=pairs).verdict == "healthy"


def test_over_uniform(g):
    x = g(800, 64).astype(np.float32)
    apart = pairs_of(x[:200], (0.6 * x[:200] + g(200, 64)).astype(np.float32))
    assert diagnose(table(x), pairs=apart).verdict == "healthy"
    apart = pairs_of(x[:200], (0.3 * x[:200] + g(200, 64)).astype(np.float32))
    assert diagnose(table(x), pairs=apart).verdict == "over_uniform"
    assert finding(diagnose(table(x)), "over_uniform").value is None
    # Told apart all but perfectly for the width alone, and far from alike: no shortcut.
    wide = g(300, 512).astype(np.float32)
    far = pairs_of(wide, (0.4 * wide + g(300, 512)).astype(np.float32))
    found = diagnose(table(wide, label=np.arange(300) % 5), pairs=far, intervals=False)
    assert found.metrics["pair_auc"] > 0.999
    assert found.verdict == "over_uniform"
    # Views just as far apart are no over-uniformity where the rows are not spread out.
    assert verdict(x * np.arange(1, 65) ** -0.7, pairs=apart) != "over_uniform"


def test_false_negatives(rng, g):
    """Most negatives are of the anchor's class, twins are lost, and neighbours gained nothing."""
    label = (rng.random(600) < 0.1).astype(np.int64)
    x = g(600, 12).astype(np.float32)
    pairs = pairs_of(x[:200], (x[:200] + 1.0 * g(200, 12)).astype(np.float32), label[:200])
    report = diagnose(table(x, label=label), pairs=pairs)
    assert report.verdict == "false_negatives"
    assert "nearer than the twin" in finding(report, "false_negatives").sentence


def test_one_class_alone_is_all_false_negatives(g):
    x, label = g(600, 12).astype(np.float32), np.ones(600, np.int64)
    pairs = pairs_of(x[:200], (x[:200] + 1.0 * g(200, 12)).astype(np.float32), label[:200])
    report = diagnose(table(x, label=label), pairs=pairs)
    assert (report.verdict, finding(report, "false_negatives").value) == ("false_negatives", 1)
    assert finding(report, "knn_purity").value is None


def make_run(path, losses, ceiling=6.0, floor=1.0, steps=None):
    run = RunDir(path)
    run.write_config(RunConfig())
    for i, loss in enumerate(losses):
        row = {"step": i + 1, "steps": steps or len(losses), "loss": loss, "loss_ceiling": ceiling, "loss_floor": floor}
        run.append_metrics(row)
    return run


def test_undertrained(tmp_path, g):
    x = g(300, 32)
    never = make_run(tmp_path / "never", [6.0] * 20)
    assert verdict(x, run=never) == "undertrained"
    done = make_run(tmp_path / "done", [6 - 3 * min(1, i / 20) for i in range(60)])
    assert verdict(x, run=done) == "healthy"
    assert run_facts(done).progress == pytest.approx(0.6)
    falling = make_run(tmp_path / "falling", [6 - 3 * i / 60 for i in range(60)])
    report = diagnose(table(x), run=falling)
    assert (report.verdict, finding(report, "undertrained").severity) == ("healthy", "warn")
    assert "still falling" in finding(report, "undertrained").sentence
    stopped = diagnose(table(x), run=make_run(tmp_path / "stopped", [6.0, 3.0, 3.0], steps=50))
    assert finding(stopped, "undertrained").severity == "warn"


@pytest.mark.parametrize(
    ("sick", "metric", "better", "worse"),
    [("cone", "mean_cosine", 1, -1), ("dimensional", "participation_ratio", -1, 1)],
)
def test_what_the_network_began_with_is_no_collapse_while_the_loss_stands(tmp_path, g, sick, metric, better, worse):
    """Only with both: a loss at its ceiling, and an untrained encoder that was no better."""
    scale = np.arange(1, 33) ** (-1.0 if sick == "dimensional" else 0.0)
    x = (g(400, 32) * scale + (16 if sick == "cone" else 0) * np.eye(1, 32)).astype(np.float32)
    never = make_run(tmp_path / "never", [6.0] * 20)
    done = make_run(tmp_path / "done", [6 - 3 * min(1, i / 20) for i in range(60)])
    value = measure(x)[metric]
    before = {"untrained_h": {metric: value + 0.01 * better}}
    report = diagnose(table(x), run=never, references=before, intervals=False)
    assert (report.verdict, finding(report, sick).severity) == ("undertrained", "warn")
    assert f"The untrained encoder had {value + 0.01 * better:.2f}" in finding(report, sick).sentence
    assert verdict(x, run=never, references={"untrained_h": {metric: value}}) == "undertrained"
    assert verdict(x, run=never, references={"untrained_h": {metric: value + 0.01 * worse}}) == sick
    assert verdict(x, run=done, references=before) == sick
    assert verdict(x, run=never) == verdict(x, references=before) == sick


def test_a_loss_that_fell_on_an_easy_task_is_undertrained_where_views_tell(tmp_path, g):
    """As in a batch of two: half of the way of the loss, hardly any of the views'."""
    run = make_run(tmp_path / "run", [6 - 3 * min(1, i / 20) for i in range(60)])
    scale = np.arange(1, 33) ** -0.7
    x = g(300, 32) * scale
    near, far = (pairs_of(x[:200], (x[:200] + r * g(200, 32) * scale).astype(np.float32)) for r in (0.5, 8.0))
    before = {"untrained_h": {"pair_auc": 0.7}}
    assert verdict(x, run=run, pairs=near, references=before) == "healthy"
    assert verdict(x, run=run, pairs=far) == "healthy"
    report = diagnose(table(x.astype(np.float32)), run=run, pairs=far, references=before)
    found = finding(report, "undertrained")
    assert (report.verdict, found.threshold) == ("undertrained", pytest.approx(0.895))
    assert "not trained on" in found.sentence
    gained = {"untrained_h": {"pair_auc": 0.7, "knn_purity": 0.2}}
    label = np.sign(x[:, 0]).astype(int) + 1
    assert (
        diagnose(table(x.astype(np.float32), label=label), run=run, pairs=far, references=gained).verdict == "healthy"
    )
    # No room to gain: views without augmentation are told apart by any network.
    assert verdict(x, run=run, pairs=far, references={"untrained_h": {"pair_auc": 0.95}}) == "healthy"


def test_a_run_without_bounds_or_metrics_is_not_judged(tmp_path, g):
    for losses, bounds in (([], (6.0, 1.0)), ([3.0], (None, None)), ([float("nan")], (6.0, 1.0))):
        run = make_run(tmp_path / f"{len(losses)}{bounds[0]}", losses, *bounds)
        found = finding(diagnose(table(g(50, 8)), run=run), "undertrained")
        assert found.value is None
        assert found.severity == "ok"


# -- the report -----------------------------------------------------------------------------------------------------
def test_report_has_the_contract_keys_and_is_plain_json(rng, g):
    label = rng.integers(0, 4, 200)
    report = diagnose(table(g(200, 24), z=g(200, 16), label=label), space="z")
    data = json.loads(json.dumps(report_to_json(report), allow_nan=False))
    assert (data["n"], data["dim"], data["space"]) == (200, 16, "z")
    assert set(data["spaces"]) == {"h", "z"}
    assert data["spaces"]["h"]["dim"] == 24
    assert set(CONTRACT) <= set(data["metrics"])
    for found in data["findings"]:
        assert {"id", "severity", "value", "reference", "sentence"} <= set(found)
        assert set(found["sentences"]) == {"en", "zh"}
    missing = {k for k, v in data["metrics"].items() if v is None}
    assert missing == {"alignment", "lidar", "pair_auc", "twin_r_at_1", "alpha", "alpha_r2"}
    assert missing <= {f["id"] for f in data["findings"]}
    assert report.neighbours.k == 20
    assert report.k_occurrence.sum() == 2000
    assert len(report.eigenvalue) == 16


def test_lidar_comes_with_four_views_of_each_image(g):
    x = g(60, 8)
    more = np.stack([x + 0.1 * g(60, 8) for _ in range(4)], axis=1).astype(np.float32)
    two = PairTable(z_a=more[:, 0], z_b=more[:, 1], index=np.arange(60))
    four = PairTable(z_a=more[:, 0], z_b=more[:, 1], z_more=more[:, 2:], index=np.arange(60))
    np.testing.assert_array_equal(four.all_views("z"), more)
    alone = diagnose(table(None, z=x.astype(np.float32)), pairs=two, space="z")
    assert "4 or more views" in finding(alone, "lidar").sentence
    report = diagnose(table(None, z=x.astype(np.float32)), pairs=four, space="z")
    assert report.metrics["lidar"] == pytest.approx(lidar(more))
    assert report.intervals["lidar"].holds(lidar(more))


def test_references_survive_the_json(g):
    given = {"untrained_h": measure(g(60, 8)), "untrained_z": measure(g(60, 4)), "pixels": measure(g(60, 8))}
    data = report_to_json(diagnose(table(g(60, 8), z=g(60, 4)), references=given))
    assert data["references"] == given
    again = diagnose(table(g(60, 8)), references=data["references"])
    assert again.references["untrained"] == given["untrained_h"]
    assert again.references["sphere"]["std_ratio"] == pytest.approx(1, abs=0.01)


def test_a_failing_report_carries_a_remedy(g):
    data = report_to_json(diagnose(table(np.ones((50, 8)))))
    assert data["verdict"] == "complete"
    assert data["severity"] == "fail"
    assert set(data["remedy"]) == {"en", "zh"}
    assert report_to_json(diagnose(table(g(100, 8))))["remedy"] is None


def test_zero_rows_are_told(g):
    x = g(300, 16)
    x[[4, 9]] = 0
    report = diagnose(table(x))
    assert report.verdict == "healthy"
    assert "2 of 300 rows are all zeros (first: row 4)" in finding(report, "zero_rows").sentence


def test_first_failure_in_order_is_the_verdict(g):
    report = diagnose(table(np.ones((80, 8))))
    failed = [f.id for f in report.findings if f.severity == "fail"]
    assert len(failed) > 1
    assert report.verdict == next(name for name in DIAGNOSES if name in failed)


def test_bad_input_is_a_sentence(g):
    with pytest.raises(DataError, match="space"):
        diagnose(table(g(50, 8)), space="z")
    with pytest.raises(DataError, match="3 or more rows"):
        diagnose(table(g(2, 8)))
    tiny = diagnose(table(g(5, 8), label=np.array([0, 1, 0, 1, 0])))
    assert tiny.metrics["hubness_skew"] is None
    assert "more than 10 rows" in finding(tiny, "hubness_skew").sentence


def test_progress_covers_both_spaces_and_can_stop(monkeypatch, g):
    from simclr_core import neighbours

    monkeypatch.setattr(neighbours, "DENSE_ROWS", 0)
    heard = []
    diagnose(table(g(500, 8), z=g(500, 8)), progress=lambda share, message: bool(heard.append(share)))
    assert heard == sorted(heard)
    assert heard[-1] == 1
    with pytest.raises(Stopped):
        diagnose(table(g(500, 8)), progress=lambda share, message: True)
