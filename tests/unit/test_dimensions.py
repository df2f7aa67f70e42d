"""Directions, dead columns and redundant ones on matrices made by hand."""

import numpy as np
import pytest

from simclr_core.dimensions import KINDS, columns, dead_columns, exciting, principal, redundant


@pytest.fixture
def x(rng):
    y = rng.standard_normal((200, 6)) * np.array([3, 1, 2, 0, 0.5, 1]) + 5
    y[:, 5] = -2 * y[:, 0] + 1e-3 * rng.standard_normal(200)
    y[7, 2] = 40
    return y.astype(np.float32)


def test_columns_in_order_of_their_variance(x):
    found = columns(x)
    np.testing.assert_array_equal(found.name, np.argsort(-x.var(axis=0), kind="stable"))
    assert found.share.sum() == pytest.approx(1)
    axis = list(found.name).index(2)
    score = found.score(x, axis)
    np.testing.assert_allclose(score, (x[:, 2] - x[:, 2].mean()) / x[:, 2].std(), rtol=1e-4, atol=1e-4)
    assert exciting(score, 3)[0] == 7
    assert exciting(score, 1, least=True)[0] == x[:, 2].argmin()
    assert (found.score(x, 5) == 0).all()  # the column that never moves


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_principal_directions_equal_the_svd(rng, shape):
    y = rng.standard_normal(shape) * np.linspace(1, 3, shape[1])
    found = principal(y)
    u, s, _ = np.linalg.svd(y - y.mean(0), full_matrices=False)
    k = min(shape) - 1
    np.testing.assert_allclose(found.share[:k], (s**2 / (s**2).sum())[:k], atol=1e-9)
    score = np.stack([found.score(y, axis) for axis in range(k)], axis=1)
    np.testing.assert_allclose(np.abs(score), np.abs(u)[:, :k] * np.sqrt(len(y)), atol=1e-6)
    assert ((score**3).sum(axis=0) >= 0).all()


def test_dead_and_redundant_columns(x):
    np.testing.assert_array_equal(dead_columns(x), [3])
    found = redundant(x)
    assert (list(found.i), list(found.j)) == ([0], [5])
    assert found.correlation[0] == pytest.approx(-1, abs=1e-4)
    assert (found.groups, found.live) == (4, 5)


def test_correlations_equal_numpy(rng):
    y = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 7))
    found = redundant(y, 0.5)
    r = np.corrcoef(y.T)
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7) if abs(r[i, j]) >= 0.5]
    assert sorted(zip(found.i, found.j, strict=True)) == pairs
    np.testing.assert_allclose(found.correlation, r[found.i, found.j])
    assert (np.diff(np.abs(found.correlation)) <= 1e-12).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("y", [np.ones((5, 3)), np.zeros((4, 6)), np.full((3, 2), 1e30)])
def test_nothing_varies(kind, y):
    found = KINDS[kind].run(y)
    assert (found.score(y, 0) == 0).all()
    assert (found.share == 0).all()
    assert len(dead_columns(y)) == y.shape[1]
    assert redundant(y).live == 0
