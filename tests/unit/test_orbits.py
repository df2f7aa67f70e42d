"""Orbits in closed form: views on a cone about their picture, pictures at a known angle."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core.errors import DataError
from simclr_core.means import mean
from simclr_core.orbits import by_class, orbits


def cones(angle: float, apart: float, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures `apart` radians from each other, q views of each evenly around it at `angle`."""
    axes = np.array([[1, 0, 0], [np.cos(apart), np.sin(apart), 0]])
    turns = 2 * np.pi * np.arange(q) / q
    up = np.array([0, 0, 1.0])
    views = [
        [np.cos(angle) * a + np.sin(angle) * (np.cos(t) * up + np.sin(t) * np.cross(a, up)) for t in turns]
        for a in axes
    ]
    return axes, np.array(views)


@given(st.floats(0.01, 1.5), st.floats(0.01, 3.1), st.integers(2, 9), st.floats(1e-3, 1e3))
@settings(max_examples=60)
def test_views_on_a_cone(angle, apart, q, scale):
    pictures, views = cones(angle, apart, q)
    found = orbits(pictures * scale, views / scale)
    np.testing.assert_allclose(found.radius, 1 - np.cos(angle), rtol=1e-9)
    np.testing.assert_allclose(found.nearest, 1 - np.cos(apart), rtol=1e-9)
    np.testing.assert_allclose(found.ratio, (1 - np.cos(angle)) / (1 - np.cos(apart)), rtol=1e-9)
    # q unit rows whose mean is cos(angle) long: all their cosines add up to (q cos)², q of them are 1.
    cosine = ((q * np.cos(angle)) ** 2 - q) / (q * (q - 1))
    np.testing.assert_allclose(found.between, 1 - cosine, rtol=1e-9)
    assert found.apart == pytest.approx(1 - np.cos(apart))
    assert found.other.tolist() == [1, 0]
    assert found.inside.all() == (angle < apart) or angle == pytest.approx(apart)


def test_equals_a_loop(rng):
    pictures, views = rng.standard_normal((7, 5)), rng.standard_normal((7, 3, 5))

    def distance(a, b):
        return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    found = orbits(pictures, views)
    for i in range(7):
        v = views[i]
        assert found.between[i] == pytest.approx(np.mean([distance(v[a], v[b]) for a, b in ((0, 1), (0, 2), (1, 2))]))
        assert found.radius[i] == pytest.approx(np.mean([distance(v[a], pictures[i]) for a in range(3)]))
        others = {j: distance(pictures[i], pictures[j]) for j in range(7) if j != i}
        assert found.nearest[i] == pytest.approx(min(others.values()))
        assert found.other[i] == min(others, key=others.get)
    pairs = [distance(pictures[i], pictures[j]) for i in range(7) for j in range(i)]
    assert found.apart == pytest.approx(np.mean(pairs))


def test_nearly_equal_rows_keep_their_digits():
    angle = 1e-5  # 1 − cosine is 5e-11: read off a cosine it would have five digits
    pictures, views = cones(angle, 2 * angle, 4)
    found = orbits(pictures, views)
    np.testing.assert_allclose(found.radius, angle**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(found.ratio, 1 / 4, rtol=1e-3)


def test_a_collapsed_encoder_has_no_ratio_and_copies_an_infinite_one():
    same = np.ones((4, 3))
    collapsed = orbits(same, np.ones((4, 2, 3)))
    assert collapsed.usual_ratio is None
    assert not collapsed.inside.any()
    assert collapsed.summary()["ratio"] is None
    spread = orbits(same, np.eye(3)[None, :2].repeat(4, 0))
    assert np.isinf(spread.ratio).all()
    assert spread.usual_ratio is None
    json.dumps(spread.summary(), allow_nan=False)


def test_views_that_are_the_picture_have_no_radius(rng):
    x = rng.standard_normal((6, 4))
    found = orbits(x, x[:, None].repeat(3, 1))
    assert found.between.max() < 1e-14
    assert found.usual_ratio == 0
    assert found.inside.all()


def test_classes_are_parts_of_the_whole(rng):
    found = orbits(rng.standard_normal((9, 4)), rng.standard_normal((9, 2, 4)))
    parts = by_class(found, np.array([5, 5, 5, 5, 0, 0, 0, 0, 9]))
    assert list(parts) == [0, 5, 9]
    np.testing.assert_array_equal(parts[0].ratio, found.ratio[4:8])
    assert parts[9].summary()["between"] == {"value": found.between[8], "interval": None, "n": 1}


def test_the_interval_of_a_mean_is_students():
    value, interval, n = mean(np.array([1.0, 2.0, 3.0]))
    assert (value, n) == (2, 3)
    assert interval.high - 2 == pytest.approx(4.302652729749464 / np.sqrt(3))
    assert 2 - interval.low == pytest.approx(interval.high - 2)


@pytest.mark.parametrize(("pictures", "views"), [((1, 3), (1, 2, 3)), ((4, 3), (4, 1, 3))])
def test_shapes_that_do_not_fit_are_a_sentence(pictures, views):
    with pytest.raises(DataError, match="orbits"):
        orbits(np.ones(pictures), np.ones(views))


def test_what_is_not_finite_is_refused():
    views = np.ones((3, 2, 2))
    views[1, 0, 0] = np.nan
    with pytest.raises(DataError, match="views.*finite"):
        orbits(np.eye(3, 2) + 1, views)
