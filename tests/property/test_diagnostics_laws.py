"""What must hold of any embedding matrix: rotations, scalings and orders that change nothing, and bounds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS, measure_all, sphere_uniformity
from simclr_core.neighbours import nearest
from simclr_core.pairs import pair_distances

UNIT = [
    "mean_cosine",
    "uniformity",
    "hubness_skew",
    "antihub_share",
    "near_duplicate_share",
    "duplicate_share",
    "intrinsic_dim",
    "knn_purity",
    "alignment",
    "pair_auc",
    "twin_r_at_1",
    "std_ratio",
    "w2_uniformity",
]
NOT_ROTATED = {"std_ratio"}  # a mean over columns, which depends on the axes
ONLY_SIGNED = {"cliff_share"}  # what is positive throughout is read as a ReLU's output, which a rotation is not


@st.composite
def clouds(draw):
    n, d, seed = draw(st.integers(25, 70)), draw(st.integers(2, 16)), draw(st.integers(0, 2**31))
    r = np.random.default_rng(seed)
    x = r.standard_normal((n, d)) * r.uniform(0.1, 3, d) + r.uniform(-2, 2, d) * draw(st.sampled_from([0, 1]))
    if draw(st.booleans()):
        x = np.maximum(x, 0) + 0.01 * r.uniform(1, 2, x.shape)  # no two rows tie
    views = x[:10] + 0.3 * r.standard_normal((10, d))
    return Cloud(x=x, label=r.integers(0, 3, n), views=(x[:10], views)), r


def same(a, b, names=None):
    for name in names or a:
        if a[name] is None:
            assert b[name] is None, name
        else:
            assert b[name] == pytest.approx(a[name], rel=1e-6, abs=1e-8), name


@settings(max_examples=30)
@given(clouds())
def test_rotation_changes_nothing(made):
    cloud, r = made
    q, _ = np.linalg.qr(r.standard_normal((cloud.d, cloud.d)))
    a, b = cloud.views
    turned = Cloud(x=cloud.x @ q, label=cloud.label, views=(a @ q, b @ q))
    before, after = measure_all(cloud)[0], measure_all(turned)[0]
    changed = NOT_ROTATED | (ONLY_SIGNED if cloud.positive_only else set())
    same(before, after, [k for k in before if k not in changed])


@settings(max_examples=30)
@given(clouds())
def test_numbers_of_unit_rows_ignore_the_rows_lengths(made):
    cloud, r = made
    a, b = cloud.views
    stretched = Cloud(
        x=cloud.x * r.uniform(0.01, 100, (cloud.n, 1)),
        label=cloud.label,
        views=(a * r.uniform(0.1, 9, (len(a), 1)), b * r.uniform(0.1, 9, (len(a), 1))),
    )
    same(measure_all(cloud)[0], measure_all(stretched)[0], UNIT)


@settings(max_examples=30)
@given(clouds())
def test_order_of_rows_and_names_of_classes_change_nothing(made):
    cloud, r = made
    order = r.permutation(cloud.n)
    shuffled = Cloud(x=cloud.x[order], label=7 - cloud.label[order], views=cloud.views)
    same(measure_all(cloud)[0], measure_all(shuffled)[0])


@settings(max_examples=30)
@given(clouds())
def test_bounds(made):
    cloud, _ = made
    m = measure_all(cloud)[0]
    d, rank = cloud.d, min(cloud.n - 1, cloud.d)
    assert 0 <= m["std_ratio"] <= (cloud.n / (cloud.n - 1)) ** 0.5 + 1e-9  # the sample std divides by n − 1
    assert -1 / (cloud.n - 1) - 1e-9 <= m["mean_cosine"] <= 1
    assert sphere_uniformity(d) - 0.5 <= m["uniformity"] <= 0
    assert 0 <= m["w2_uniformity"] <= math.sqrt(2) + 1e-9
    for name in ("effective_rank", "participation_ratio", "nesum"):
        assert 1 - 1e-9 <= m[name] <= rank + 1e-9
    assert m["participation_ratio"] <= m["effective_rank"] + 1e-9
    assert m["nesum"] <= m["participation_ratio"] + 1e-9
    assert 1 - 1e-6 <= m["rankme"] <= min(cloud.n, d) + 1e-3
    assert 0 <= m["alignment"] <= 4
    for name in ("antihub_share", "near_duplicate_share", "live_share", "knn_purity", "pair_auc", "twin_r_at_1"):
        assert 0 <= m[name] <= 1
    assert m["duplicate_share"] <= m["near_duplicate_share"]


@settings(max_examples=30)
@given(clouds(), st.integers(1, 20))
def test_neighbours_are_nested_sorted_and_never_self(made, k):
    cloud, _ = made
    graph, more = nearest(cloud.x, k), nearest(cloud.x, 21)
    np.testing.assert_array_equal(graph.index, more.index[:, :k])
    assert (np.diff(graph.distance, axis=1) >= 0).all()
    assert not (graph.index == np.arange(cloud.n)[:, None]).any()


@settings(max_examples=30)
@given(clouds())
def test_pairs_do_not_care_which_view_is_first(made):
    cloud, _ = made
    a, b = cloud.views
    one, two = pair_distances(a, b), pair_distances(b, a)
    assert one.auc == pytest.approx(two.auc)
    assert one.r_at_1 == two.r_at_1
    np.testing.assert_allclose(one.positive, two.positive)


def test_every_diagnostic_is_under_a_law():
    assert set(UNIT) <= set(DIAGNOSTICS)
