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
from simclr_core.operations import NOTHING, OPERATIONS, only

PARTS = ("brightness", "contrast", "saturation", "hue")
STILL = (1.0, 1.0, 1.0, 0.0)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (16, 3, 20, 20), dtype=torch.uint8, generator=generator(1))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> augment.Draws:
    return augment.draw(len(images), config, generator, height=images.shape[2], width=images.shape[3])


def made(pictures: torch.Tensor, size: int | None = None, **drawn: torch.Tensor) -> torch.Tensor:
    """Views with these draws for every picture, and nothing else done."""
    draws = draw(pictures, NOTHING, generator())
    rows = {name: value.expand(len(pictures), *value.shape) for name, value in drawn.items()}
    return augment.apply(pictures, replace(draws, **rows), size=size)


@pytest.mark.parametrize("amount", [-0.5, -0.3, -0.13, 0.0, 0.1, 0.4, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("name", PARTS)
def test_each_part_of_the_jitter_equals_torchvision(pictures, name, amount):
    if name == "hue":
        amount = max(-0.5, min(0.5, amount))
    else:
        amount = abs(amount)
    jitter = torch.tensor(STILL)
    jitter[PARTS.index(name)] = amount
    theirs = getattr(reference, f"adjust_{name}")(pictures / 255, amount)
    torch.testing.assert_close(made(pictures, jitter=jitter), theirs, atol=3e-6, rtol=0)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 90, 90), (255, 0, 0), (0, 255, 255), (7, 7, 200)])
def test_hue_of_plain_colours_equals_torchvision(colour):
    """Black, white, grey and the corners of the circle, where channels are equal."""
    picture = torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].expand(1, 3, 2, 2).contiguous()
    for turn in torch.linspace(-0.5, 0.5, 25):
        ours = made(picture, jitter=torch.tensor([1, 1, 1, turn]))
        torch.testing.assert_close(ours, reference.adjust_hue(picture / 255, float(turn)), atol=2e-6, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("size", [20, 64])
def test_blur_equals_torchvision(sigma, size):
    x = torch.randint(0, 256, (3, 3, size, size), dtype=torch.uint8)
    theirs = reference.gaussian_blur(x / 255, 2 * augment.blur_radius(size) + 1, sigma)
    torch.testing.assert_close(made(x, sigma=torch.tensor(sigma)), theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("box", "size"), [((3, 5, 12, 11), 20), ((0, 0, 20, 20), 9), ((2, 1, 17, 15), 13), ((0, 0, 1, 1), 8)]
)
def test_crop_and_flip_equal_torchvision(pictures, box, size, flipped):
    ours = made(pictures, size, box=torch.tensor(box), flipped=torch.tensor(flipped))
    theirs = reference.resized_crop(pictures / 255, *box, [size, size], antialias=True)
    torch.testing.assert_close(ours, theirs.flip(3) if flipped else theirs, atol=1e-6, rtol=0)


def test_grey_equals_torchvision_and_comes_before_the_blur(pictures):
    ours = made(pictures, grey=torch.tensor(True), sigma=torch.tensor(1.0))
    theirs = reference.gaussian_blur(reference.rgb_to_grayscale(pictures / 255, 3), 3, 1.0)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_blocks_do_not_show(monkeypatch):
    images = torch.randint(0, 256, (70, 3, 9, 9), dtype=torch.uint8)
    draws = draw(images, AugmentConfig(blur_p=0.5), generator())
    whole = augment.apply(images, draws)
    monkeypatch.setattr(augment, "BLOCK", 9 * 9 * 4)
    torch.testing.assert_close(augment.apply(images, draws), whole, atol=1e-6, rtol=0)


def test_no_pictures_give_no_views():
    none = torch.empty(0, 3, 8, 8, dtype=torch.uint8)
    assert augment_views(none, AugmentConfig(blur_p=0.5), generator()).shape == (0, 3, 8, 8)


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
    torch.testing.assert_close(augment_views(images, NOTHING, generator()), images / 255, atol=1e-6, rtol=0)


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


def test_jitter_follows_the_order_drawn_for_each_image(pictures):
    """All 24 orders, against torchvision's functions one after another; amounts that clamp, so that the order matters."""
    amounts = (1.6, 1.6, 1.6, 0.1)
    results = set()
    for order in permutations(range(4)):
        ours = made(pictures, jitter=torch.tensor(amounts), order=torch.tensor(order))
        x = pictures / 255
        for k in order:
            x = getattr(reference, f"adjust_{PARTS[k]}")(x, amounts[k])
        torch.testing.assert_close(ours, x, atol=1e-5, rtol=0)
        results.add(tuple(ours[0].round(decimals=3).flatten().tolist()))
    assert len(results) > 8


def test_orders_are_equally_likely():
    images = torch.zeros(12_000, 3, 2, 2, dtype=torch.uint8)
    order = draw(images, AugmentConfig(jitter_p=1.0), generator()).order
    counts = torch.bincount((order * torch.tensor([64, 16, 4, 1])).sum(1), minlength=256)
    assert (counts > 0).sum() == 24
    assert (counts[counts > 0] - 500).abs().max() < 5 * math.sqrt(500)


def jitter(**spread: float) -> tv.Transform:
    return tv.RandomApply([tv.ColorJitter(**spread)], 0.8)


THEIRS = {
    "crop": tv.RandomResizedCrop(16, (0.2, 1.0), antialias=True),
    "flip": tv.RandomHorizontalFlip(),
    "jitter": jitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    "brightness": jitter(brightness=0.4),
    "contrast": jitter(contrast=0.4),
    "saturation": jitter(saturation=0.4),
    "hue": jitter(hue=0.1),
    "grey": tv.RandomGrayscale(0.2),
    "blur": tv.RandomApply([tv.GaussianBlur(2 * augment.blur_radius(16) + 1, (0.1, 2.0))], 0.5),
}
THEIRS["all"] = tv.Compose([THEIRS[name] for name in ("crop", "flip", "jitter", "grey", "blur")])


def test_torchvision_has_every_operation():
    assert THEIRS.keys() - {"all"} == OPERATIONS.keys()


@pytest.mark.parametrize("name", THEIRS)
def test_the_moments_of_views_match_torchvision(name):
    """Mean and spread over the views of channel means, of what varies within a channel, of a corner and of a row."""
    images = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=generator(3))
    config = AugmentConfig(jitter_strength=0.5, blur_p=0.5)
    config = config if name == "all" else only(config, name)
    ours = augment_views(images.repeat(6000, 1, 1, 1), config, generator())
    torch.manual_seed(0)
    theirs = torch.stack([THEIRS[name](images[0] / 255) for _ in range(1000)])
    for statistic in (
        lambda v: v.mean((2, 3)),
        lambda v: v.std((2, 3)),
        lambda v: v[:, :, 0, 0],
        lambda v: v[:, :, 5].mean(2),
    ):
        a, b = statistic(ours), statistic(theirs)
        assert ((a.mean(0) - b.mean(0)).abs() < 5 * b.std(0) / math.sqrt(len(b)) + 1e-5).all()
        assert (a.std(0) <= 1.1 * b.std(0) + 1e-5).all()
        assert (a.std(0) >= 0.9 * b.std(0) - 1e-5).all()


def test_the_stream_of_draws_is_that_of_stored_pairs():
    """Pair tables keep a seed, not pixels: these draws must stay what they were."""
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    draws = draw(images, AugmentConfig(grayscale_p=1.0, blur_p=0.5), generator(7))
    assert draws.box.tolist() == [[8, 1, 24, 27], [1, 5, 21, 18], [1, 6, 29, 25], [3, 1, 24, 31]]
    assert draws.flipped.tolist() == [False, False, True, True]
    assert draws.jitter[3].tolist() == pytest.approx([1.3094434, 1.0427926, 0.8710058, 0.0637514], abs=1e-6)
    assert draws.order.tolist() == [[3, 1, 2, 0], [2, 0, 1, 3], [3, 1, 0, 2], [2, 3, 1, 0]]
    assert draws.sigma.tolist() == pytest.approx([0, 0, 0.1618966, 1.5606658], abs=1e-6)


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
