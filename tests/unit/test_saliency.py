"""Occlusion of an encoder whose answer is known: it looks at one place only."""

import numpy as np
import pytest

from simclr_core.errors import ConfigError
from simclr_core.saliency import cosine, covered, edges, occluded, occlusion


def looks_at(rows, columns):
    """An encoder that sees the mean colour of one window, beside a constant."""

    def encode(images):
        seen = images[:, rows, columns].reshape(len(images), -1, 3).mean(axis=1)
        return np.column_stack([seen, np.full(len(images), 20.0)])

    return encode


def seen(one, other, encode, grid):
    return occlusion(encode(occluded(one, other, grid)))


@pytest.fixture
def pictures(rng):
    """Two pictures of noise around grey with the same red square at the top left (rows and columns 0–3)."""
    both = rng.integers(100, 156, (2, 16, 16, 3), dtype=np.uint8)
    both[:, :4, :4] = (250, 5, 5)
    return both


def test_only_the_window_that_the_encoder_sees_matters(pictures):
    found = seen(*pictures, looks_at(slice(0, 4), slice(0, 4)), grid=4)
    assert found.cosine == pytest.approx(1)
    for lost in (found.one, found.other):
        assert np.unravel_index(lost.argmax(), lost.shape) == (0, 0)
        assert lost[0, 0] > 0.1
        rest = np.delete(lost.ravel(), 0)
        np.testing.assert_allclose(rest, 0, atol=1e-12)


def test_the_loss_is_the_cosine_of_the_covered_picture(pictures):
    one, other = pictures
    encode = looks_at(slice(0, 8), slice(0, 16))
    found = seen(one, other, encode, grid=4)
    by_hand = one.copy()
    by_hand[4:8, 8:12] = one.mean(axis=(0, 1)).round()
    a, b = encode(by_hand[None])[0], encode(other[None])[0]
    expected = found.cosine - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert found.one[1, 2] == pytest.approx(expected)
    np.testing.assert_allclose(found.one[2:], 0, atol=1e-12)


def test_what_sets_two_pictures_apart_is_negative(pictures):
    one, other = pictures.copy()
    other[:4, :4] = (5, 5, 250)  # now the window holds the difference
    found = seen(one, other, looks_at(slice(0, 4), slice(0, 4)), grid=4)
    assert found.one[0, 0] < -0.1
    assert found.other[0, 0] < -0.1


def test_cells_cover_every_pixel_once(rng):
    image = rng.integers(0, 256, (10, 7, 3), dtype=np.uint8)
    fill = image.mean(axis=(0, 1)).round()
    changed = (covered(image, 3) != image).any(axis=-1) | (image == fill).all(axis=-1)
    assert changed.any(axis=0).all()
    assert sum(s.stop - s.start for s in edges(10, 3)) == 10


@pytest.mark.parametrize(("window", "middle"), [(slice(4, 12), 1), (slice(0, 4), 0), (slice(0, 16), None)])
def test_how_much_of_it_lies_in_the_middle(pictures, window, middle):
    def encode(images):
        return looks_at(window, window)(images) if middle is not None else np.ones((len(images), 3))

    found = seen(pictures[0], pictures[0], encode, grid=8)
    assert found.middle is None if middle is None else found.middle == pytest.approx(middle)


def test_zero_rows_and_bad_grids(pictures):
    assert cosine(np.zeros((1, 3)), np.ones((1, 3)))[0] == 0
    assert cosine(np.zeros((1, 3)), np.zeros((1, 3)))[0] == 1
    for grid in (1, 17):
        with pytest.raises(ConfigError, match="grid"):
            occluded(*pictures, grid)
