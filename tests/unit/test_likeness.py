"""Why two pictures are alike, on encoders that see one thing only."""

import re

import numpy as np
import pytest

from simclr_core.likeness import (
    REMOVALS,
    all_cosines,
    colour_histogram,
    colour_reference,
    colour_similarity,
    parted_by,
    random_pairs,
    ranked,
    share_below,
    without,
)


@pytest.fixture
def pictures(rng):
    """Noise on grounds of random colour, with a bright patch at a random place."""
    ground = rng.integers(0, 200, (60, 1, 1, 3))
    x = ground + rng.integers(-40, 56, (60, 16, 16, 3))
    for image, (r, c) in zip(x, rng.integers(0, 12, (60, 2)), strict=True):
        image[r : r + 4, c : c + 4] += 60
    return np.clip(x, 0, 255).astype(np.uint8)


def mean_colour(images):
    """Sees the hue of the whole and nothing else."""
    mean = images.reshape(len(images), -1, 3).mean(axis=1)
    return mean - mean.mean(axis=1, keepdims=True) + 0.01


def removals(pair, others, encode):
    """The pair as it is, and after each removal, beside the pairs of others."""

    def beside(name):
        return ranked(encode(without(name, pair)), all_cosines(encode(without(name, others))))

    return beside(""), {name: beside(name) for name in REMOVALS}


def middle_only(images):
    return images[:, 4:12, 4:12].mean(axis=-1).reshape(len(images), -1).astype(float) - 100


def border_only(images):
    return images[:, :4].mean(axis=-1).reshape(len(images), -1).astype(float) - 100


def test_histograms_count_pixels():
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[0, 0, 0] = 255
    image[0, 0, 1] = (255, 0, 64)
    found = colour_histogram(image)
    assert found.sum() == 1
    assert found[0, [0, 63, 3 * 16 + 0 * 4 + 1]].tolist() == [0.5, 0.25, 0.25]
    assert colour_similarity(found, found) == 1
    assert colour_similarity(found, np.eye(64)[63:]) == 0.25


def test_a_pair_is_set_beside_random_pairs(pictures):
    reference = colour_reference(pictures)
    assert len(reference) == 2000
    assert (np.diff(reference) >= 0).all()
    i, j = random_pairs(60)
    assert (i != j).all()
    assert share_below(2.0, reference) == 1
    assert share_below(-1.0, reference) == 0
    assert share_below(1.0, np.array([0.0, 1.0, 1.0, 2.0])) == 0.5
    h = colour_histogram(pictures)
    shares = [share_below(v, reference) for v in colour_similarity(h[i], h[j])]
    assert np.mean(shares) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("name", REMOVALS)
def test_a_removal_keeps_shape_type_and_input(name, pictures):
    before = pictures.copy()
    for images in (pictures, pictures[:2, :7, :9], np.zeros((1, 8, 8, 3), np.uint8)):
        out = REMOVALS[name].run(images)
        assert (out.shape, out.dtype) == (images.shape, np.uint8)
        np.testing.assert_array_equal(out, REMOVALS[name].run(images))
    np.testing.assert_array_equal(pictures, before)
    assert (REMOVALS[name].run(pictures) != pictures).any()
    assert re.search(r"[\u4e00-\u9fff]", REMOVALS[name].label.zh)


def test_what_each_removal_leaves(pictures):
    grey = REMOVALS["colour"].run(pictures)
    assert (grey[..., 0] == grey[..., 1]).all()
    np.testing.assert_array_equal(REMOVALS["border"].run(pictures)[:, 4:12, 4:12], pictures[:, 4:12, 4:12])
    np.testing.assert_array_equal(REMOVALS["middle"].run(pictures)[:, :4], pictures[:, :4])
    shuffled = REMOVALS["arrangement"].run(pictures)
    np.testing.assert_array_equal(np.sort(shuffled.reshape(60, -1), axis=1), np.sort(pictures.reshape(60, -1), axis=1))
    light = REMOVALS["light"].run(pictures).astype(float)
    assert np.abs(light.mean(axis=(1, 2, 3)) - 127.5).max() < 3
    constant = np.full((1, 8, 8, 3), 77, np.uint8)
    np.testing.assert_array_equal(REMOVALS["detail"].run(constant), constant)


@pytest.mark.parametrize(
    ("encode", "cause"), [(mean_colour, "colour"), (middle_only, "middle"), (border_only, "border")]
)
def test_the_removal_that_parts_a_pair_is_what_the_encoder_sees(encode, cause, pictures):
    one, other = pictures[:2].copy()
    if cause == "colour":
        other = np.clip(one.astype(int).mean(axis=(0, 1)) + pictures[1] - pictures[1].mean(axis=(0, 1)), 0, 255).astype(
            np.uint8
        )
    elif cause == "middle":
        other[4:12, 4:12] = one[4:12, 4:12]
    else:
        other[:4] = one[:4]
    whole, removed = removals(np.stack([one, other]), pictures[2:], encode)
    assert whole.value > 0.99
    assert whole.above > 0.95
    if cause == "border":  # shuffled patches lose their border too
        del removed["arrangement"]
    assert parted_by(removed) == cause


def test_a_copy_is_parted_by_nothing(pictures):
    whole, removed = removals(pictures[[0, 0]], pictures, middle_only)
    assert whole.value == pytest.approx(1)
    assert parted_by({k: e for k, e in removed.items() if k != "middle"}) is None


def test_many_pictures_are_sampled_for_their_colours(rng):
    image = rng.integers(0, 256, (2500, 2, 2, 3), dtype=np.uint8)
    assert len(colour_reference(image)) == 2000
    by_hand = np.zeros(64)
    for r, g, b in image[7].reshape(-1, 3) // 64:
        by_hand[16 * r + 4 * g + b] += 1 / 4
    np.testing.assert_array_equal(colour_histogram(image)[7], by_hand)
