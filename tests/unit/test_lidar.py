"""LiDAR worked by hand, against its definition in plain loops, and what it should and should not see."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from simclr_core.errors import DataError
from simclr_core.lidar import DELTA, EPS, lidar


def by_definition(views):
    n, q, d = views.shape
    mean = views.mean(axis=1)
    between = sum(np.outer(m - mean.mean(0), m - mean.mean(0)) for m in mean) / n
    within = sum(np.outer(v - m, v - m) for image, m in zip(views, mean, strict=True) for v in image) / (n * q)
    root = np.linalg.inv(sqrtm(within + DELTA * np.eye(d)).real)
    value = np.maximum(np.linalg.eigvalsh(root @ between @ root), 0)
    p = value / value.sum() + EPS
    return np.exp(-sum(x * np.log(x) for x in p))


def test_worked_by_hand():
    """Four images at (±3, 0) and (0, ±1); their views step by ±.1 along x and ±.2 along y.

    Σb = diag(9/2, 1/2). Four views (±.1, ±.2): Σw = diag(.01, .04) + 1e-4. λ = 4.5/.0101 = 445.54, .5/.0401 = 12.469;
    shares .97278, .02722; entropy .97278·.027596 + .02722·3.60379 = .12494; e^.12494 = 1.1331.
    """
    middle = np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], float)
    step = np.array([[0.1, 0.2], [0.1, -0.2], [-0.1, 0.2], [-0.1, -0.2]])
    views = middle[:, None] + step
    assert lidar(views) == pytest.approx(1.1331, abs=1e-4)
    assert lidar(views) == pytest.approx(by_definition(views), abs=1e-9)


@pytest.mark.parametrize(("n", "q", "d"), [(30, 4, 6), (8, 5, 12), (40, 10, 3)])
def test_equals_its_definition(rng, n, q, d):
    views = rng.standard_normal((n, 1, d)) * np.linspace(0.2, 2, d) + 0.3 * rng.standard_normal((n, q, d))
    assert lidar(views) == pytest.approx(by_definition(views), abs=1e-6)


def test_directions_that_only_views_differ_in_do_not_count(rng):
    """RankMe sees twelve directions, LiDAR the four along which images differ."""
    views = np.zeros((400, 6, 12))
    views[..., :4] = rng.standard_normal((400, 1, 4)) + 0.01 * rng.standard_normal((400, 6, 4))
    views[..., 4:] = rng.standard_normal((400, 6, 8))
    assert lidar(views) == pytest.approx(4, abs=0.2)


def test_rotation_changes_nothing_and_bounds(rng):
    views = rng.standard_normal((20, 1, 5)) + 0.2 * rng.standard_normal((20, 4, 5))
    turn, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    assert lidar(views @ turn) == pytest.approx(lidar(views))
    assert 1 <= lidar(views) <= 5 + 1e-3


def test_bad_views_are_a_sentence(rng):
    with pytest.raises(DataError, match="4 or more views"):
        lidar(rng.standard_normal((10, 3, 5)))
    with pytest.raises(DataError, match="2 or more images"):
        lidar(rng.standard_normal((1, 6, 5)))
    bad = rng.standard_normal((10, 4, 5))
    bad[3, 2, 1] = np.nan
    with pytest.raises(DataError, match="row 3"):
        lidar(bad)
    with pytest.raises(DataError, match="images that differ"):
        lidar(np.ones((10, 4, 5)))
