"""The two steps of the zoo's own: views of different pictures paired, and a head of biases alone; and runs without a head."""

import numpy as np
import pytest
import torch

from simclr_core.config import RunConfig, with_overrides
from simclr_core.errors import ConfigError
from simclr_core.model import build_model, projection_head
from simclr_core.records import ImageSet
from simclr_core.zoo import ZOO
from simclr_core.zoo_runs import LEARNERS

SMALL = ("train.batch_size=8", "train.epochs=1", "train.lr=0.01")


@pytest.fixture(scope="module")
def pictures() -> ImageSet:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
    return ImageSet(image=image, label=None, index=np.arange(16), spec="random", split="train")


def test_unpaired_views_are_those_of_the_neighbours_in_the_batch(pictures):
    still = [f"augment.{name}=0" for name in ("flip_p", "jitter_p", "grayscale_p")] + ["augment.crop_scale=[1, 1]"]
    config = with_overrides(RunConfig(), [*SMALL, *still]).resolved(16)
    views = {}
    for name in ("", "unpaired"):
        learner = LEARNERS[name](config, pictures)
        pixels = learner.batches.take(torch.arange(8))
        views[name] = learner._views(pixels, learner._draws(0), slice(None)).chunk(2)
    torch.testing.assert_close(*views[""])
    torch.testing.assert_close(views["unpaired"][0], views[""][0])
    torch.testing.assert_close(views["unpaired"][1], views[""][0].roll(1, 0))


def test_a_head_of_biases_moves_h_and_does_nothing_else(pictures):
    config = with_overrides(RunConfig(), [*SMALL, *ZOO["bias_head"].settings]).resolved(16)
    learner = LEARNERS["bias_head"](config, pictures)
    for step in range(2):
        learner.step(step, 4)
    h, z = learner.model.eval()(torch.rand(5, 3, 16, 16))
    torch.testing.assert_close(z - h, learner.model.projection_head[0].bias.expand(5, -1))
    assert learner.model.projection_head[0].bias.abs().max() > 0


def test_without_a_head_z_is_h():
    model = build_model(with_overrides(RunConfig(), ZOO["no_head"].settings).model, 0)
    h, z = model(torch.rand(4, 3, 16, 16))
    assert z is h
    assert [type(m).__name__ for m in projection_head(8, 16, 4, 1)] == ["Linear"]
    with pytest.raises(ConfigError, match="proj_dim"):
        build_model(with_overrides(RunConfig(), ["model.head_layers=0"]).model, 0)
