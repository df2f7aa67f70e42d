"""Finding the twin of a view: closed forms, and pictures where only one way can find it."""

from dataclasses import replace

import numpy as np
import pytest

from simclr_core.config import AugmentConfig
from simclr_core.matching import (
    COLOUR,
    PIXELS,
    Matching,
    contests,
    disjoint_crops,
    facts,
    has_colours,
    match_views,
    pixel_distance,
)
from simclr_core.operations import NOTHING, at_strength, only
from simclr_core.pairs import pair_distances
from simclr_core.records import ImageSet
from tests.unit.test_viewsteps import encoders  # noqa: F401 - a fixture

N, SIDE = 24, 16


def pictures(image: np.ndarray) -> ImageSet:
    return ImageSet(image=image, label=None, index=np.arange(len(image)), spec="test", split="test")


@pytest.fixture(scope="module")
def plain() -> ImageSet:
    """Every picture one colour of its own, in the middle of one of the histogram's cells."""
    levels = np.array([32, 96, 160, 224], dtype=np.uint8)
    colour = levels[np.stack(np.unravel_index(np.arange(N) * 2 + 1, (4, 4, 4)), 1)]
    return pictures(np.broadcast_to(colour[:, None, None], (N, SIDE, SIDE, 3)).copy())


@pytest.fixture(scope="module")
def noise() -> ImageSet:
    return pictures(np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8))


def test_copies_are_found_in_every_way(noise, encoders):  # noqa: F811
    found = match_views(noise, NOTHING, encoders)
    assert list(found.ways) == [COLOUR, PIXELS, "untrained_h", "untrained_z", "encoder_h", "encoder_z"]
    assert {way.r_at_1 for way in found.ways.values()} == {1.0}
    assert all(way.positive == pytest.approx(np.ones(N)) for way in found.ways.values())


def test_colours_find_what_crops_keep_and_grey_takes(plain):
    crop = replace(NOTHING, crop_scale=(0.1, 0.5))
    assert match_views(plain, crop, {}).ways[COLOUR].r_at_1 == 1.0
    grey = match_views(plain, replace(crop, grayscale_p=1.0), {}).ways[COLOUR].r_at_1
    assert grey < 0.5, "only four levels of grey are left of 24 colours"


def test_the_bundled_emoji_show_the_shortcut():
    """The claim of the page, on a few of its pictures: crops leave the colours, jitter takes them."""
    from simclr_core.sources import load_images

    images = load_images("emoji", split="test").sample(64)
    own = AugmentConfig()
    crop, jitter = (match_views(images, a, {}).ways[COLOUR].r_at_1 for a in (only(own, "crop"), own))
    assert crop > 0.6
    assert jitter < 0.25


def test_views_are_those_of_the_seed(noise):
    a, b, c = (match_views(noise, AugmentConfig(), {}, seed=s).ways[PIXELS].positive for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_pixel_distance_is_the_root_of_the_mean_square():
    black, white = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 255, np.uint8)
    half = black.copy()
    half[:, :2] = 255
    assert pixel_distance(black, white) == pytest.approx([1, 1])
    assert pixel_distance(black, half) == pytest.approx([0.5**0.5] * 2)
    assert pixel_distance(white, white).tolist() == [0, 0]


def test_different_pictures_lie_apart_by_the_mean_over_the_next_ones(plain):
    image = plain.image
    expected = pixel_distance(image, np.roll(image, 1, axis=0)).mean()
    assert match_views(plain, NOTHING, {}).apart == pytest.approx(expected)


def test_crops_of_the_whole_never_part_and_tiny_ones_nearly_always():
    assert disjoint_crops(NOTHING, 32) == 0
    assert disjoint_crops(at_strength("crop", 0.5), 32) == 0, "two crops of more than half of a square share its middle"
    tiny = disjoint_crops(replace(NOTHING, crop_scale=(0.01, 0.01)), 10)
    assert tiny == pytest.approx(0.99, abs=0.006), "one pixel of 100 each"


def test_colours_are_seen_in_any_pixel():
    grey = np.full((2, 4, 4, 3), 7, np.uint8)
    assert not has_colours(grey)
    grey[1, 2, 3, 0] = 8
    assert has_colours(grey)


def test_facts_take_the_better_space_and_the_best_way(noise, encoders):  # noqa: F811
    augment = AugmentConfig()
    found = match_views(noise, augment, encoders)
    said = facts(found, noise, augment)
    both = [found.ways[f"untrained_{s}"] for s in "hz"]
    better = max(both, key=lambda way: way.r_at_1)
    assert said.untrained == (better.r_at_1, better.positive.mean(), better.negative.mean())
    assert said.best == max(way.auc for way in found.ways.values())
    assert (said.candidates, said.side, said.coloured) == (2 * N - 1, SIDE, True)
    assert said.colour == found.ways[COLOUR].r_at_1
    assert said.disjoint == disjoint_crops(augment, SIDE)
    bare = facts(match_views(noise, augment, {}), noise, augment, size=64)
    assert (bare.untrained, bare.trained, bare.side) == (None, None, 64)


def test_an_encoder_is_told_by_its_whole_name():
    x = np.random.default_rng(0).normal(size=(5, 3))
    ways = {COLOUR: pair_distances(x, x), "encoder2_h": pair_distances(x, x)}
    images = pictures(np.zeros((5, 8, 8, 3), np.uint8))
    assert facts(Matching(ways=ways, apart=1.0), images, NOTHING).trained is None


def test_a_contest_is_between_the_near_and_the_far_third():
    apart = np.random.default_rng(0).permutation(30) / 30
    found = contests(apart, seed=1)
    assert found.shape == (5, 2)
    assert len(set(found.ravel())) == 10
    low, high = np.sort(apart[found], axis=1).T
    assert low.max() <= 9 / 30 < 20 / 30 <= high.min()
    assert 0 < (apart[found[:, 0]] < apart[found[:, 1]]).sum() < 5, "the further one stands on either side"
    assert np.array_equal(found, contests(apart, seed=1))
    assert not np.array_equal(found, contests(apart, seed=2))
    assert contests(apart[:6], seed=0).shape == (2, 2)
