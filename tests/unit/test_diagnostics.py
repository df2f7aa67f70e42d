"""Each number against its definition in plain loops, a closed form, or another library."""

import math

import numpy as np
import pytest

from simclr_core import diagnostics, neighbours
from simclr_core.cloud import Cloud, Undefined, spectra
from simclr_core.diagnostics import DIAGNOSTICS, measure_all, sphere, sphere_uniformity
from simclr_core.errors import DataError
from simclr_core.measures import same_label_chance


def value(name, x, **more):
    return DIAGNOSTICS[name].run(Cloud(x=np.asarray(x), **more))


@pytest.fixture
def x(rng):
    return rng.standard_normal((300, 20)) * np.linspace(1, 3, 20) + 0.5


def test_std_ratio_equals_lightly(x):
    import torch
    from lightly.utils.debug import std_of_l2_normalized

    assert value("std_ratio", x) == pytest.approx(
        float(std_of_l2_normalized(torch.tensor(x))) * math.sqrt(20), rel=1e-9
    )


def test_rankme_equals_a_plain_loop(x):
    sigma = np.linalg.svd(x, compute_uv=False)
    entropy = 0.0
    for s in sigma:
        p = s / sigma.sum() + 1e-7
        entropy -= p * math.log(p)
    assert value("rankme", x) == pytest.approx(math.exp(entropy), rel=1e-9)


def test_spectral_numbers_equal_their_definitions(x):
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    cloud = Cloud(x=x)
    np.testing.assert_allclose(cloud.eigenvalue, values, rtol=1e-9)
    p = values / values.sum()
    assert value("effective_rank", x) == pytest.approx(math.exp(-sum(q * math.log(q) for q in p)))
    assert value("participation_ratio", x) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    assert value("nesum", x) == pytest.approx(values.sum() / values[0])


def test_wide_and_tall_spectra_agree_with_svd(rng):
    for shape in ((30, 80), (80, 30)):
        y = rng.standard_normal(shape) + 2
        centred, raw = spectra(y)
        np.testing.assert_allclose(raw[:30], np.linalg.svd(y, compute_uv=False), rtol=1e-9)
        np.testing.assert_allclose(centred[:29], (np.linalg.svd(y - y.mean(0), compute_uv=False) ** 2 / shape[0])[:29])
        assert len(centred) == len(raw) == shape[1]


def test_cosines_hubs_and_copies_equal_vecscope(x):
    import vecscope

    found = {f.name: f.details for f in vecscope.audit(x).findings}
    assert value("hubness_skew", x) == pytest.approx(found["hubness"]["skewness"], abs=1e-6)
    assert value("antihub_share", x) == pytest.approx(found["hubness"]["antihub_ratio"])
    assert value("near_duplicate_share", x) == pytest.approx(found["collapse"]["near_duplicate_ratio"])
    assert value("mean_cosine", x) == pytest.approx(found["anisotropy"]["mean_random_cosine"], abs=0.02)


def test_mean_cosine_equals_a_loop(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    loop = np.mean([unit[i] @ unit[j] for i in range(300) for j in range(300) if i != j])
    assert value("mean_cosine", x) == pytest.approx(loop)


def test_hubness_equals_scipy(x):
    from scipy.stats import skew
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(x).kneighbors()[1]
    count = np.bincount(index.ravel(), minlength=len(x))
    assert value("hubness_skew", x) == pytest.approx(skew(count))
    assert value("antihub_share", x) == (count == 0).mean()


def test_uniformity_alignment_and_w2_equal_plain_loops(rng):
    y = rng.standard_normal((60, 6)) + 0.3
    u = y / np.linalg.norm(y, axis=1, keepdims=True)
    pairs = [math.exp(-2 * ((u[i] - u[j]) ** 2).sum()) for i in range(60) for j in range(i)]
    assert value("uniformity", y) == pytest.approx(math.log(np.mean(pairs)))
    z = y + 0.3 * rng.standard_normal(y.shape)
    w = z / np.linalg.norm(z, axis=1, keepdims=True)
    assert value("alignment", y, views=(y, z)) == pytest.approx(((u - w) ** 2).sum(axis=1).mean())
    covariance = np.cov(u.T, bias=True)
    root = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0)).sum()
    square = (u.mean(0) ** 2).sum() + 1 + np.trace(covariance) - 2 / math.sqrt(6) * root
    assert value("w2_uniformity", y) == pytest.approx(math.sqrt(square))


@pytest.mark.parametrize("d", [3, 10, 40])
def test_intrinsic_dimension_equals_scikit_dimension(rng, d):
    from skdim.id import TwoNN

    y = rng.standard_normal((400, d)) @ rng.standard_normal((d, 48))
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    assert value("intrinsic_dim", y) == pytest.approx(TwoNN().fit(unit).dimension_, abs=1e-6)


@pytest.mark.parametrize(("d", "ideal"), [(64, -3.875), (128, -3.938), (256, -3.969)])
def test_uniformity_of_the_sphere(d, ideal):
    assert sphere_uniformity(d) == pytest.approx(ideal, abs=6e-4)


def test_the_sphere_is_as_many_points_drawn_evenly(monkeypatch):
    found = sphere(700, 16)
    assert set(found) <= set(DIAGNOSTICS)
    assert found["std_ratio"] == pytest.approx(1, abs=0.01)
    assert found["mean_cosine"] == pytest.approx(0, abs=0.01)
    assert found["participation_ratio"] == pytest.approx(1 / (1 / 16 + 1 / 700), rel=0.01)
    assert found["uniformity"] == sphere_uniformity(16)
    assert "knn_purity" not in found
    monkeypatch.setattr(diagnostics, "SPHERE_ROWS", 200)
    sphere.cache_clear()
    fewer = sphere(700, 16)
    sphere.cache_clear()
    assert fewer["participation_ratio"] == found["participation_ratio"]
    assert fewer["intrinsic_dim"] == sphere(200, 16)["intrinsic_dim"]


def test_uniformity_of_the_circle_is_a_bessel_function():
    from scipy.special import i0

    assert sphere_uniformity(2) == pytest.approx(math.log(i0(4)) - 4)


def test_purity_and_chance_by_hand():
    # Two tight groups of 25 along two axes, one stray label in each.
    y = np.repeat(np.eye(2), 25, axis=0) + np.random.default_rng(0).standard_normal((50, 2)) * 1e-3
    label = np.repeat([0, 1], 25)
    assert value("knn_purity", y, label=label) == 1
    assert value("chance_purity", y, label=label) == pytest.approx(24 / 49)


def test_duplicates_are_told_from_dense_data(rng):
    t = rng.uniform(0, 1, (3000, 3))
    dense = np.column_stack([np.cos(t), np.sin(t)])
    assert value("near_duplicate_share", dense) > 0.9
    assert value("duplicate_share", dense) < 0.2
    copies = rng.standard_normal((400, 30))
    copies[:100] = copies[100:200]
    assert value("duplicate_share", copies) == 0.5


def test_clusters_are_counted(rng):
    for k in (3, 8, 40):
        centre = rng.standard_normal((k, 64))
        centre /= np.linalg.norm(centre, axis=1, keepdims=True)
        knots = Cloud(x=centre[np.arange(2000) % k] + 0.01 * rng.standard_normal((2000, 64))).knots
        assert knots.clusters == pytest.approx(k, rel=0.1)
        assert knots.gap > 2.5
        assert knots.share > 0.99
    assert Cloud(x=rng.standard_normal((500, 64))).knots.gap < 1.2


def test_what_an_input_lacks_is_none_with_a_reason(rng):
    values, reasons = measure_all(Cloud(x=rng.standard_normal((8, 4))))
    assert {k for k, v in values.items() if v is None} == set(reasons)
    for name in ("knn_purity", "alignment", "pair_auc", "twin_r_at_1", "hubness_skew", "alpha"):
        assert values[name] is None
        assert reasons[name].en
        assert reasons[name].zh
    one_class = measure_all(Cloud(x=rng.standard_normal((50, 4)), label=np.zeros(50, np.int64)))[1]
    assert "one label" in one_class["knn_purity"].en


@pytest.mark.parametrize("x", [np.ones((40, 5)), np.zeros((40, 5)), np.full((40, 5), 1e-30), np.full((40, 5), 1e30)])
def test_equal_rows_give_no_number_that_is_not_finite(x):
    values, reasons = measure_all(Cloud(x=x))
    assert all(v is None or math.isfinite(v) for v in values.values())
    assert "all rows are equal" in reasons["participation_ratio"].en
    assert values["std_ratio"] == pytest.approx(0, abs=1e-9)
    assert values["mean_cosine"] == pytest.approx(1)
    assert values["uniformity"] == pytest.approx(0, abs=1e-9)


def test_constant_columns_and_few_rows(rng):
    y = np.column_stack([rng.standard_normal((100, 8)), np.ones((100, 8))])
    assert value("live_share", y) == 0.5
    assert Cloud(x=y).moving_columns == 0.5
    few = rng.standard_normal((50, 400))
    assert value("live_share", few) == 1
    assert value("rankme", few) > 45


def test_raw_scale_matters_to_no_number(rng):
    y = rng.standard_normal((100, 12))
    for name, expected in measure_all(Cloud(x=y))[0].items():
        if expected is not None:
            assert value(name, y * 1e120) == pytest.approx(expected, rel=1e-6, abs=1e-12), name


def test_bad_input_is_a_sentence(rng):
    y = rng.standard_normal((20, 4))
    y[3] = np.nan
    with pytest.raises(DataError, match="row 3"):
        Cloud(x=y)
    with pytest.raises(DataError, match="3 or more rows"):
        Cloud(x=np.ones((2, 4)))
    with pytest.raises(Undefined):
        DIAGNOSTICS["alignment"].run(Cloud(x=np.ones((5, 4))))


def test_neighbours_are_computed_once(monkeypatch, rng):
    calls = []
    monkeypatch.setattr(neighbours, "_dense", lambda *a, **k: calls.append(1) or original(*a, **k))
    measure_all(Cloud(x=rng.standard_normal((60, 4)), label=np.arange(60) % 3))
    assert len(calls) == 1


original = neighbours._dense


def test_the_chance_of_one_label_leaves_a_row_itself_out():
    assert same_label_chance(np.array([0, 0, 1, 1])) == pytest.approx(1 / 3)
    assert same_label_chance(np.array([5, 5, 5])) == 1
