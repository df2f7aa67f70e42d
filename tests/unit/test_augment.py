"""Each operation equals torchvision's for the same amount; each draw has torchvision's distribution."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
import torch
import torchvision.transforms.v2 as tv
import torchvision.transforms.v2.functional as reference

from simclr_core import augment
from simclr_core.augment import augment_pair, augment_views
from simclr_core.config import AugmentConfig

OFF = AugmentConfig(crop_scale=(1, 1), flip_p=0, jitter_p=0, grayscale_p=0, blur_p=0)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(16, 3, 20, 20, generator=torch.Generator().manual_seed(1))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("factor", [0.2, 1.0, 1.7])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colour_blends_equal_torchvision(pictures, name, factor):
    ours = getattr(augment, f"_{name}")(pictures, torch.full((16,), factor))
    theirs = getattr(reference, f"adjust_{name}")(pictures, factor)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("turn", [-0.5, -0.13, 0.0, 0.1, 0.5])
def test_hue_equals_torchvision(pictures, turn):
    ours = augment._hue(pictures, torch.full((16,), turn))
    torch.testing.assert_close(ours, reference.adjust_hue(pictures, turn), atol=3e-6, rtol=0)


def test_hue_leaves_grey_alone():
    grey = torch.rand(4, 1, 8, 8).expand(4, 3, 8, 8)
    torch.testing.assert_close(augment._hue(grey, torch.full((4,), 0.3)), grey.contiguous(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("size", [20, 64])
def test_blur_equals_torchvision(sigma, size):
    x = torch.rand(3, 3, size, size)
    m = augment._blur_matrix(torch.full((3,), sigma), size)[:, None]
    kernel = 2 * augment.blur_radius(size) + 1
    torch.testing.assert_close(m @ x @ m.transpose(2, 3), reference.gaussian_blur(x, kernel, sigma), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("box", "size"), [((3, 5, 12, 11), 20), ((0, 0, 20, 20), 9), ((2, 1, 17, 15), 13), ((0, 0, 1, 1), 8)]
)
def test_crop_equals_torchvision(pictures, box, size):
    top, left, height, width = box
    vertical = augment._resampling(torch.tensor([top]), torch.tensor([height]), 20, size)
    horizontal = augment._resampling(torch.tensor([left]), torch.tensor([width]), 20, size)
    ours = vertical[:, None] @ pictures[:1] @ horizontal[:, None].transpose(2, 3)
    theirs = reference.resized_crop(pictures[:1], top, left, height, width, [size, size], antialias=True)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_crop_boxes_have_torchvisions_distribution():
    n, scale = 20_000, (0.2, 1.0)
    ours = augment._crop_boxes(n, 32, 32, scale, generator()).float().T
    torch.manual_seed(0)
    x = torch.empty(3, 32, 32)
    drawn = [tv.RandomResizedCrop.make_params(tv.RandomResizedCrop(32, scale), [x]) for _ in range(2500)]
    theirs = torch.tensor([[d["top"], d["left"], d["height"], d["width"]] for d in drawn]).float()
    for k in range(4):
        spread = theirs[:, k].std() / math.sqrt(len(theirs))
        assert abs(ours[k].mean() - theirs[:, k].mean()) < 5 * spread
        assert abs(ours[k].std() / theirs[:, k].std() - 1) < 0.06
    assert (ours[0] + ours[2] <= 32).all()
    assert (ours[1] + ours[3] <= 32).all()


def test_a_recipe_that_does_nothing_returns_the_picture():
    images = torch.randint(0, 256, (5, 3, 12, 12), dtype=torch.uint8)
    torch.testing.assert_close(augment_views(images, OFF, generator()), images / 255, atol=1e-6, rtol=0)


def test_every_image_draws_for_itself():
    images = torch.full((64, 3, 8, 8), 128, dtype=torch.uint8)
    images[:, 0] = 200
    config = AugmentConfig(crop_scale=(1, 1), flip_p=0, jitter_p=0.5, jitter_strength=1, grayscale_p=0)
    views = augment_views(images, config, generator())
    colours = {tuple(round(c, 4) for c in v[:, 0, 0].tolist()) for v in views}
    assert len(colours) > 25


def test_probabilities_are_those_asked_for():
    images = torch.zeros(4000, 3, 4, 4, dtype=torch.uint8)
    images[:, 0, :, :2] = 255
    flipped = augment_views(
        images, AugmentConfig(crop_scale=(1, 1), flip_p=0.3, jitter_p=0, grayscale_p=0), generator()
    )
    assert abs((flipped[:, 0, 0, 0] < 0.5).float().mean() - 0.3) < 0.03
    grey = augment_views(images, AugmentConfig(crop_scale=(1, 1), flip_p=0, jitter_p=0, grayscale_p=0.2), generator())
    assert abs((grey[:, 1, 0, 0] > 0.1).float().mean() - 0.2) < 0.03


def test_jitter_follows_the_order_drawn_for_each_image():
    """All 24 orders, against torchvision's functions one after another; amounts that clamp, so that the order matters."""
    picture = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8, generator=generator(2))
    orders = list(permutations(range(4)))
    images = picture.repeat(24, 1, 1, 1)
    amounts = (1.6, 1.6, 1.6, 0.1)
    draws = replace(
        augment.draw(images, OFF, generator()), jitter=torch.tensor([amounts] * 24), order=torch.tensor(orders)
    )
    names = ("brightness", "contrast", "saturation", "hue")
    ours = augment.apply(images, draws)
    for view, order in zip(ours, orders, strict=True):
        x = picture[0] / 255
        for k in order:
            x = getattr(reference, f"adjust_{names[k]}")(x, amounts[k])
        torch.testing.assert_close(view, x, atol=1e-5, rtol=0)
    assert len({tuple(v.round(decimals=3).flatten().tolist()) for v in ours}) > 8


def test_orders_are_equally_likely():
    images = torch.zeros(12_000, 3, 2, 2, dtype=torch.uint8)
    order = augment.draw(images, AugmentConfig(jitter_p=1.0), generator()).order
    counts = torch.bincount((order * torch.tensor([64, 16, 4, 1])).sum(1), minlength=256)
    assert (counts > 0).sum() == 24
    assert (counts[counts > 0] - 500).abs().max() < 5 * math.sqrt(500)


def test_the_moments_of_whole_views_match_torchvision():
    images = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=generator(3))
    config = AugmentConfig(jitter_strength=0.5, blur_p=0.5)
    ours = augment_views(images.repeat(6000, 1, 1, 1), config, generator())
    torch.manual_seed(0)
    chain = tv.Compose(
        [
            tv.ToDtype(torch.float32, scale=True),
            tv.RandomResizedCrop(16, (0.2, 1.0), antialias=True),
            tv.RandomHorizontalFlip(),
            tv.RandomApply([tv.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            tv.RandomGrayscale(0.2),
            tv.RandomApply([tv.GaussianBlur(2 * augment.blur_radius(16) + 1, (0.1, 2.0))], 0.5),
        ]
    )
    theirs = torch.stack([chain(images[0]) for _ in range(1500)])
    for statistic in (lambda v: v.mean((2, 3)), lambda v: v.std((2, 3))):
        a, b = statistic(ours), statistic(theirs)
        assert ((a.mean(0) - b.mean(0)).abs() < 5 * b.std(0) / math.sqrt(len(b))).all()
        assert ((a.std(0) / b.std(0) - 1).abs() < 0.08).all()


def test_same_generator_same_views_and_two_views_differ():
    images = torch.randint(0, 256, (6, 3, 10, 10), dtype=torch.uint8)
    a, b = augment_pair(images, AugmentConfig(blur_p=0.5), generator(4))
    again, _ = augment_pair(images, AugmentConfig(blur_p=0.5), generator(4))
    assert torch.equal(a, again)
    assert not torch.equal(a, b)
    assert a.min() >= 0
    assert a.max() <= 1 + 1e-6


def test_views_may_be_smaller_than_the_pictures():
    images = torch.randint(0, 256, (3, 3, 20, 30), dtype=torch.uint8)
    assert augment_views(images, AugmentConfig(), generator(), size=12).shape == (3, 3, 12, 12)
