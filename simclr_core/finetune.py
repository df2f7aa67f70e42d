"""Training a backbone on labels: fine-tuned from SimCLR's weights, or from scratch as the supervised comparison."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from simclr_core.augment import augment_views
from simclr_core.batches import Batches
from simclr_core.checkpoints import Encoder
from simclr_core.config import AugmentConfig
from simclr_core.device import choose_device
from simclr_core.forward import image_tensor
from simclr_core.learner import stream
from simclr_core.model import SimClr, build_model
from simclr_core.operations import NOTHING
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import ImageSet
from simclr_core.schedules import rate_at

BATCH = 128
LR = 1e-3
# Mild: crops and flips keep few pictures from being learnt by heart, and no label is a matter of colour jitter.
AUGMENT = AugmentConfig(crop_scale=(0.5, 1.0), jitter_p=0, grayscale_p=0)


class Classifier(nn.Module):
    """A backbone and one linear layer."""

    def __init__(self, model: SimClr, classes: int) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        self.linear = nn.Linear(model.feature_dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.model(x)
        return self.linear(h)


def untrained(encoder: Encoder) -> Encoder:
    """The same network with the weights it had before any training."""
    return replace(encoder, module=build_model(encoder.config.model, encoder.config.train.seed).eval())


def _fit(
    net: Classifier,
    batches: Batches,
    seen: Tensor,
    label: Tensor,
    *,
    steps: int,
    seed: int,
    size: int | None,
    progress: Progress,
) -> None:
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.05)
    net.train()
    for step in range(steps):
        generator = stream(seed, "views", step, batches.device)
        drawn = torch.randint(len(seen), (min(BATCH, len(seen)),), generator=generator, device=batches.device)
        rows = seen[drawn.cpu()]
        views = augment_views(batches.take(rows), AUGMENT, generator, size=size)
        loss = nn.functional.cross_entropy(net(views), label[rows].to(batches.device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = LR * rate_at(step, steps, warmup=0.1)
        optimizer.step()
        if progress((step + 1) / steps, "training on labels"):
            raise Stopped


@torch.inference_mode()
def _accuracy(net: Classifier, images: ImageSet, device: torch.device, size: int | None) -> float:
    net.eval()
    assert images.label is not None
    label = torch.from_numpy(images.label)
    right = 0
    for start in range(0, len(images), 512):
        pixels = image_tensor(images.image[start : start + 512], device)
        views = augment_views(pixels, NOTHING, torch.Generator(device).manual_seed(0), size=size)
        right += int((net(views).argmax(1).cpu() == label[start : start + 512]).sum())
    return right / len(images)


def fit_and_score(
    encoder: Encoder,
    train: ImageSet,
    test: ImageSet,
    *,
    seen: Int[np.ndarray, " m"],
    seed: int = 0,
    steps: int = 600,
    device: str = "auto",
    progress: Progress = silent,
) -> float:
    """Train backbone and a linear layer on labelled pictures; accuracy on the test pictures in [0, 1].

    Args:
        encoder: where the weights start: SimCLR's for fine-tuning, `untrained(encoder)` for the supervised comparison.
        train, test: pictures with labels 0 … C−1; a mapped file stays one, and is read by batches.
        seen: rows of `train` that are trained on.
        seed: of the linear layer, the batches and the views.
        steps: of AdamW.

    Source: the protocol of Chen et al. 2020, section 4.2 and appendix B.5, shortened.
    """
    where = choose_device(device)
    assert train.label is not None
    assert test.label is not None
    classes = int(max(train.label.max(), test.label.max())) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Classifier(encoder.module, classes).to(where)
    batches, label = Batches(train, where), torch.from_numpy(train.label)
    _fit(
        net, batches, torch.from_numpy(seen), label, steps=steps, seed=seed, size=encoder.image_size, progress=progress
    )
    return _accuracy(net, test, where, encoder.image_size)
