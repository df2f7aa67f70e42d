"""Intervals against what new samples do, and against closed forms; the parts against the rows they are of."""

import math

import numpy as np
import pytest

from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS, measure_all
from simclr_core.intervals import (
    FEWEST,
    LEAST_DRAWS,
    MOST_DRAWS,
    REACH,
    Part,
    draws_of,
    interval,
    measure_intervals,
    parts,
    standard_error,
)
from simclr_core.progress import Stopped


def made(rng, n=400, d=12, pairs=60):
    x = rng.standard_normal((n, d)) * np.linspace(1, 2, d) + 0.3
    orbits = x[:pairs, None] + 0.5 * rng.standard_normal((pairs, 4, d))
    views = orbits[:, 0], orbits[:, 1]
    return Cloud(x=x, label=rng.integers(0, 3, n), views=views, orbits=orbits, reach=REACH)


def test_a_part_has_the_numbers_of_its_rows(rng):
    whole = made(rng)
    part = next(parts(whole, 1))
    direct = measure_all(Cloud(x=whole.x[part.rows], label=whole.label[part.rows]))[0]
    found = measure_all(part)[0]
    assert len(part.rows) == 300
    assert len(part.images) == 45
    for name in DIAGNOSTICS:
        if DIAGNOSTICS[name].rests_on != "pairs" and name != "uniformity":
            assert found[name] == pytest.approx(direct[name]), name
    assert found["uniformity"] == pytest.approx(direct["uniformity"], abs=0.01)  # to first order
    assert found["alignment"] == pytest.approx(2 - 2 * whole.pairs.positive[part.images].mean())


def test_a_means_standard_error_is_the_textbooks(rng):
    n = 400
    x = rng.exponential(size=n)
    drawn = np.array([x[p.rows].mean() for p in parts(Cloud(x=np.column_stack([x, x])), 3000)])
    assert standard_error(drawn, n) == pytest.approx(x.std(ddof=1) / math.sqrt(n), rel=0.05)


NEW_SAMPLES = ("mean_cosine", "std_ratio", "alignment", "uniformity", "participation_ratio", "rankme", "nesum", "alpha",
               "hubness_skew", "antihub_share", "intrinsic_dim", "knn_purity", "pair_auc", "twin_r_at_1")  # fmt: skip


def test_intervals_are_as_wide_as_new_samples_scatter(rng):
    """Standard errors of one sample beside the scatter over new samples of the same cloud."""

    def sample():
        label = rng.integers(0, 4, 300)
        x = rng.standard_normal((300, 40)) * np.arange(1, 41) ** -0.5
        x[:, :4] += 0.5 * np.eye(4)[label]
        views = x[:100], x[:100] + 0.3 * rng.standard_normal((100, 40))
        return Cloud(x=x, label=label, views=views, reach=REACH)

    over = [measure_all(sample())[0] for _ in range(60)]
    widths = []
    for _ in range(6):
        cloud = sample()
        drawn = [measure_all(p)[0] for p in parts(cloud, MOST_DRAWS)]
        widths.append(
            {
                k: standard_error(np.array([v[k] for v in drawn]), 100 if DIAGNOSTICS[k].rests_on == "pairs" else 300)
                for k in NEW_SAMPLES
            }
        )
    for name in NEW_SAMPLES:
        scatter = np.std([v[name] for v in over], ddof=1)
        assert 0.55 < np.mean([w[name] for w in widths]) / scatter < 1.9, name


def test_every_number_has_an_interval_around_it_and_inside_its_range(rng):
    cloud = made(rng)
    values = measure_all(cloud)[0]
    found = measure_intervals(cloud, values)
    assert set(found) == set(DIAGNOSTICS)
    for name, value in values.items():
        if value is None:
            assert found[name] is None
            continue
        low, high = DIAGNOSTICS[name].low, DIAGNOSTICS[name].high
        assert low <= found[name].low <= value <= found[name].high <= high, name
    assert found == measure_intervals(cloud, values)


def test_what_was_seen_nowhere_may_still_be_there():
    assert interval("duplicate_share", 0.0, np.zeros(40), 300) == (0, 0.01)
    assert interval("pair_auc", 1.0, np.ones(40), 150) == (0.98, 1)
    assert interval("live_share", 1.0, np.ones(40), 150) == (1, 1)


def test_too_few_rows_have_no_intervals(rng):
    cloud = made(rng, n=FEWEST - 1, pairs=10)
    assert set(measure_intervals(cloud, measure_all(cloud)[0]).values()) == {None}
    few_pairs = made(rng, pairs=FEWEST - 1)
    found = measure_intervals(few_pairs, measure_all(few_pairs)[0])
    assert found["alignment"] is None
    assert found["mean_cosine"] is not None


def test_large_tables_draw_fewer_parts():
    assert draws_of(10_000, 128) == MOST_DRAWS
    assert draws_of(50_000, 512) == LEAST_DRAWS


def test_stopping(rng):
    cloud = made(rng)
    with pytest.raises(Stopped):
        measure_intervals(cloud, measure_all(cloud)[0], progress=lambda share, message: True)


def test_entries_say_rightly_what_they_rest_on(rng):
    """Which diagnostics look at neighbours and at pairs is found out by running them."""
    for name, choice in DIAGNOSTICS.items():
        cloud = made(rng, n=60, d=24)
        choice.run(cloud)
        assert ("all_pairs" in cloud.__dict__) == (choice.rests_on == "neighbours"), name
        assert ("pairs" in cloud.__dict__ or name == "lidar") == (choice.rests_on == "pairs"), name
    assert issubclass(Part, Cloud)
