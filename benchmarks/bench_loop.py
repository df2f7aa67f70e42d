"""The whole training loop including data: images per second here and in a loop as lightly's example writes it.

    python -m simclr_core bench loop [--threads 1 2] [--rounds 5]

Both train the same network with AdamW on the same CIFAR-sized pictures with the same operations (crop, flip, jitter 0.5, grey; no
blur). Peer: PIL pictures through `SimCLRTransform`, a DataLoader without workers, contiguous NCHW float32, `NTXentLoss`.
Rounds alternate; the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.machine import write
from simclr_core.config import RunConfig, with_overrides
from simclr_core.learner import Learner
from simclr_core.model import MEAN, STD, build_model
from simclr_core.records import ImageSet

CASES = {"small": (256, 6), "resnet18": (64, 2)}  # images of a batch, steps of a round


def pictures(n: int = 2048) -> ImageSet:
    """Smooth random pictures, so that colour operations meet no trivial input."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    image = np.stack([np.asarray(Image.fromarray(x).resize((32, 32), Image.Resampling.BICUBIC)) for x in coarse])
    return ImageSet(image=image, label=None, index=np.arange(n), spec="random", split="train")


class Peer:
    """The loop of lightly's SimCLR example."""

    def __init__(self, config: RunConfig, images: ImageSet) -> None:
        from lightly.loss import NTXentLoss
        from lightly.transforms import SimCLRTransform

        augment = config.augment
        self.transform = SimCLRTransform(
            input_size=32,
            cj_prob=augment.jitter_p,
            cj_strength=augment.jitter_strength,
            min_scale=augment.crop_scale[0],
            random_gray_scale=augment.grayscale_p,
            gaussian_blur=0.0,
            hf_prob=augment.flip_p,
            normalize={"mean": MEAN, "std": STD},
        )
        net = build_model(config.model, 0)
        self.model = torch.nn.Sequential(net.backbone, net.projection_head).to(memory_format=torch.contiguous_format)
        self.loss = NTXentLoss(temperature=config.train.temperature)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.images, self.batch = images, config.train.batch_size
        self._batches = self._endless()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> list[torch.Tensor]:
        return self.transform(Image.fromarray(self.images.image[i]))

    def _endless(self) -> Iterator[list[torch.Tensor]]:
        loader: Any = torch.utils.data.DataLoader(self, self.batch, shuffle=True, drop_last=True)  # type: ignore[arg-type]
        while True:
            yield from loader

    def step(self) -> None:
        x0, x1 = next(self._batches)
        loss = self.loss(self.model(x0), self.model(x1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def seconds(step: Callable[[], Any], steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began


def compare(backbone: str, threads: int, rounds: int, images: ImageSet) -> dict[str, float]:
    batch, steps = CASES[backbone]
    torch.set_num_threads(threads)
    settings = [f"model.backbone={backbone}", f"train.batch_size={batch}", "train.optimizer=adamw", "train.epochs=1000"]
    config = with_overrides(RunConfig(), settings).resolved(len(images))
    ours, peer, count = Learner(config, images), Peer(config, images), iter(range(10**6))
    mine = lambda: ours.step(next(count), 10**6)  # noqa: E731
    mine(), peer.step()
    pairs = [(seconds(mine, steps), seconds(peer.step, steps)) for _ in range(rounds)]
    done = steps * batch
    return {
        "images_per_second": round(done / statistics.median(a for a, _ in pairs), 1),
        "peer_images_per_second": round(done / statistics.median(b for _, b in pairs), 1),
        "ratio": round(statistics.median(b / a for a, b in pairs), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backbones", nargs="+", default=list(CASES))
    args = parser.parse_args()
    images = pictures()
    found = {
        f"{backbone}, {threads} threads": compare(backbone, threads, args.rounds, images)
        for backbone in args.backbones
        for threads in args.threads
    }
    write("loop", {"cases": found, "rounds": args.rounds})


if __name__ == "__main__":
    main()
