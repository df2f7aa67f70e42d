"""The family of view operations: each alone, left out and at a strength does what its entry says."""

from dataclasses import asdict

import pytest
import torch

from simclr_core import augment
from simclr_core.augment import Draws, apply, augment_views
from simclr_core.config import JITTER_PARTS, AugmentConfig
from simclr_core.errors import ConfigError
from simclr_core.operations import NOTHING, OPERATIONS, ablation, at_strength, only, uses, without

FULL = AugmentConfig(blur_p=0.5)
# Which draws of a view an operation sets; None where nothing is done.
DRAWN = {
    "crop": lambda d: (d.box != torch.tensor([0, 0, 16, 16])).any(1),
    "flip": lambda d: d.flipped,
    "jitter": lambda d: (d.jitter != torch.tensor([1.0, 1.0, 1.0, 0.0])).any(1),
    **{name: lambda d, k=k: d.jitter[:, k] != (1.0, 1.0, 1.0, 0.0)[k] for k, name in enumerate(JITTER_PARTS)},
    "grey": lambda d: d.grey,
    "blur": lambda d: d.sigma > 0,
}


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(0, 256, (200, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> Draws:
    return augment.draw(len(images), config, generator, height=images.shape[2], width=images.shape[3])


def shares(images: torch.Tensor, config: AugmentConfig) -> dict[str, float]:
    """The share of views that each operation changed."""
    draws = draw(images, config, generator())
    return {name: float(drawn(draws).float().mean()) for name, drawn in DRAWN.items()}


def related(a: str, b: str) -> bool:
    return a == b or OPERATIONS[a].part_of == b or OPERATIONS[b].part_of == a


def test_the_family_is_complete_and_in_the_order_of_application():
    assert list(OPERATIONS) == list(DRAWN)
    assert [name for name, entry in OPERATIONS.items() if entry.part_of == "jitter"] == list(JITTER_PARTS)
    for entry in OPERATIONS.values():
        assert all(entry.label), entry
        assert all(entry.help)
        assert all(entry.strength)
        assert entry.source


@pytest.mark.parametrize("name", OPERATIONS)
def test_only_does_that_operation_as_often_as_the_recipe_and_no_other(images, name):
    alone, together = shares(images, only(FULL, name)), shares(images, FULL)
    assert alone[name] == pytest.approx(together[name], abs=0.12)
    assert alone[name] > 0.1
    assert all(share == 0 for other, share in alone.items() if not related(name, other))


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_leaves_out_that_operation_and_no_other(images, name):
    left, together = shares(images, without(FULL, name)), shares(images, FULL)
    assert left[name] == 0
    for other, share in left.items():
        if not related(name, other):
            assert share == pytest.approx(together[other], abs=0.12)


def test_leaving_out_one_part_of_the_jitter_leaves_every_other_draw_as_it_was(images):
    a, b = draw(images, FULL, generator()), draw(images, without(FULL, "hue"), generator())
    assert torch.equal(a.jitter[:, :3], b.jitter[:, :3])
    assert all(torch.equal(getattr(a, f), getattr(b, f)) for f in ("box", "flipped", "order", "grey", "sigma"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_strength_zero_is_the_picture_and_strength_grows(images, name):
    torch.testing.assert_close(augment_views(images, at_strength(name, 0), generator()), images / 255)

    def change(strength: float) -> float:
        return float((augment_views(images, at_strength(name, strength), generator()) - images / 255).abs().mean())

    assert 0 < change(0.3) < change(1.0)


def test_strength_one_is_the_whole_range(images):
    draws = {name: draw(images, at_strength(name, 1), generator()) for name in OPERATIONS}
    area = draws["crop"].box[:, 2] * draws["crop"].box[:, 3] / 256
    assert 0.05 < area.min() < 0.12
    assert area.max() > 0.8
    assert draws["flip"].flipped.all()
    assert draws["grey"].grey.all()
    assert 1.9 < draws["blur"].sigma.max() <= 2
    for k, name in enumerate(JITTER_PARTS):
        for drawn in (draws[name].jitter[:, k], draws["jitter"].jitter[:, k]):
            centre, spread = (0, 0.2) if name == "hue" else (1, 0.8)
            assert 0.95 * spread < (drawn - centre).abs().max() <= spread + 1e-6


def test_half_a_strength_is_half_the_range(images):
    hue = draw(images, at_strength("hue", 0.5), generator()).jitter[:, 3]
    assert 0.095 < hue.abs().max() <= 0.1
    assert draw(images, at_strength("flip", 0.5), generator()).flipped.float().mean() == pytest.approx(0.5, abs=0.12)


def test_brightness_multiplies_a_mid_grey_picture():
    images = torch.full((50, 3, 8, 8), 100, dtype=torch.uint8)
    draws = draw(images, at_strength("brightness", 1), generator())
    expected = (draws.jitter[:, 0] * 100 / 255).clamp(max=1)
    torch.testing.assert_close(apply(images, draws).mean((1, 2, 3)), expected)


def test_contrast_and_saturation_leave_a_plain_grey_picture():
    images = torch.full((20, 3, 8, 8), 100, dtype=torch.uint8)
    for name in ("contrast", "saturation", "hue"):
        views = augment_views(images, at_strength(name, 1), generator())
        torch.testing.assert_close(views, images / 255, atol=1e-4, rtol=0)  # the weights of luma add up to .9999


def test_contrast_scales_the_distance_from_the_mean_luma():
    images = torch.randint(100, 140, (20, 3, 8, 8), dtype=torch.uint8)
    draws = draw(images, at_strength("contrast", 1), generator())
    luma = torch.tensor([0.2989, 0.587, 0.114])[:, None, None]
    x = images / 255
    mean = (x * luma).sum(1).mean((1, 2))[:, None, None, None]
    expected = mean + draws.jitter[:, 1, None, None, None] * (x - mean)
    torch.testing.assert_close(apply(images, draws), expected, atol=1e-6, rtol=0)


def test_grey_makes_the_channels_equal(images):
    views = augment_views(images, at_strength("grey", 1), generator())
    assert torch.equal(views[:, 0], views[:, 1])
    assert torch.equal(views[:, 0], views[:, 2])


def test_a_flip_undoes_itself(images):
    views = augment_views(images, at_strength("flip", 1), generator())
    again = augment_views((views * 255).round().to(torch.uint8), at_strength("flip", 1), generator())
    torch.testing.assert_close(again, images / 255)
    torch.testing.assert_close(views.flip(3), images / 255)


def test_a_crop_alone_shows_a_part_of_the_picture():
    ramp = torch.arange(16, dtype=torch.uint8).repeat(30, 3, 16, 1) * 10
    draws = draw(ramp, at_strength("crop", 1), generator())
    views = apply(ramp, draws) * 255
    left, width = draws.box[:, 1], draws.box[:, 3]
    assert (views.amin((1, 2, 3)) >= left * 10 - 1e-3).all()
    assert (views.amax((1, 2, 3)) <= (left + width - 1) * 10 + 1e-3).all()


def test_draws_are_all_that_a_view_depends_on(images):
    first, second = (draw(images, FULL, generator(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(asdict(first).values(), asdict(second).values(), strict=True))
    assert torch.equal(apply(images, first), augment_views(images, FULL, generator(3)))


def test_the_recipe_that_does_nothing_has_nothing_in_it(images):
    assert set(shares(images, NOTHING).values()) == {0.0}


def test_an_ablation_is_of_the_operations_that_a_recipe_uses():
    assert [name for name in OPERATIONS if uses(FULL, name)] == list(OPERATIONS)
    assert ablation(NOTHING) == {("whole", ""): NOTHING}
    config = AugmentConfig(flip_p=0.0, grayscale_p=0.0, jitter_parts=("hue",))
    trials = ablation(config)
    assert list(trials) == [("whole", ""), *((k, n) for n in ("crop", "jitter", "hue") for k in ("alone", "without"))]
    assert trials[("alone", "crop")] == only(config, "crop")
    assert trials[("without", "hue")] == without(config, "hue")


@pytest.mark.parametrize("off", [{"jitter_p": 0.0}, {"jitter_strength": 0.0}, {"jitter_parts": ()}])
def test_jitter_has_three_ways_to_be_off(off):
    config = AugmentConfig(**off)
    assert not any(uses(config, name) for name in ("jitter", *JITTER_PARTS))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_its_range_is_a_sentence(bad):
    with pytest.raises(ConfigError, match="strength.*from 0 to 1"):
        at_strength("hue", bad)


def test_an_unknown_operation_is_a_sentence():
    for call in (only, without):
        with pytest.raises(ConfigError, match="operation.*crop.*blur"):
            call(FULL, "sharpen")
