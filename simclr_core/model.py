"""The network: a backbone that makes h, a projection head that makes z. Only h is kept for use after training.

Legend: B images, dh width of h, dz width of z.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simclr_core.config import ModelConfig
from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import Choice, Label, pick

# Inputs in [0, 1] become about unit scale; kept in the model's file, so that every later use prepares pictures alike.
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


class Block(nn.Module):
    """One or two 3×3 convolutions with a residual path; the first may halve the picture."""

    def __init__(self, width_in: int, width: int, stride: int, convolutions: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.second: nn.Module = nn.Identity()
        if convolutions == 2:
            self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.skip = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.bn1(self.conv1(x))) + self.skip(x))


class SmallNet(nn.Module):
    """A residual net for 32×32 pictures that learns something useful in minutes on two CPU cores.

    A stem over 2×2 patches spends no time at full resolution; widths double as the picture halves, and the widest picture
    gets one convolution only: in the same minutes more pictures are seen, and more is learned. The stem gathers each patch
    into channels first: as a 1×1 convolution it costs a sixth of the strided one on a CPU.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(12, widths[0], 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        first = Block(widths[0], widths[0], 1, convolutions=1)
        self.blocks = nn.Sequential(first, *[Block(a, b, 2) for a, b in pairwise(widths)])
        self.out_dim = widths[-1]

    def forward(self, x: Tensor) -> Float[Tensor, "b dh"]:
        return self.blocks(self.stem(x)).mean((2, 3))


def _small(widths: tuple[int, ...]) -> Callable[[ModelConfig], tuple[nn.Module, int]]:
    def build(config: ModelConfig) -> tuple[nn.Module, int]:
        net = SmallNet(widths)
        return net, net.out_dim

    return build


def _resnet(name: str) -> Callable[[ModelConfig], tuple[nn.Module, int]]:
    def build(config: ModelConfig) -> tuple[nn.Module, int]:
        import torchvision

        net = getattr(torchvision.models, name)(weights=None)
        dim = net.fc.in_features
        net.fc = nn.Identity()
        if config.stem != "imagenet":  # SimCLR appendix B.9: a 3×3 stem and no pooling for 32×32 pictures
            net.conv1 = nn.Conv2d(3, 64, 3, 1, 2 if config.stem == "cifar_padded" else 1, bias=False)
            net.maxpool = nn.Identity()
        return net, dim

    return build


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone(Choice[Callable[[ModelConfig], tuple[nn.Module, int]]]):
    """An entry of `BACKBONES`: `run(config)` gives the network that makes h, and the width of h.

    Attributes:
        stem: the name of its only stem; "" where the setting `model.stem` chooses one.
    """

    stem: str = ""


_RESNET_SOURCE = "He et al. 2016, torchvision; CIFAR stem: Chen et al. 2020, appendix B.9"
BACKBONES: dict[str, Backbone] = {
    "small": Backbone(
        label=Label("Small (minutes on a CPU)", "小型（CPU 上几分钟）"),
        run=_small((32, 64, 128)),
        stem="patch",
        source="this project; measured in benchmarks/results",
    ),
    "medium": Backbone(
        label=Label("Medium (twice the work of the small one)", "中型（计算量约为小型的两倍）"),
        run=_small((48, 96, 192)),
        stem="patch",
        source="this project; measured in benchmarks/results",
    ),
    "resnet18": Backbone(label=Label("ResNet-18", "ResNet-18"), run=_resnet("resnet18"), source=_RESNET_SOURCE),
    "resnet34": Backbone(label=Label("ResNet-34", "ResNet-34"), run=_resnet("resnet34"), source=_RESNET_SOURCE),
    "resnet50": Backbone(label=Label("ResNet-50", "ResNet-50"), run=_resnet("resnet50"), source=_RESNET_SOURCE),
}


def projection_head(dim_in: int, hidden: int, dim_out: int, layers: int) -> nn.Sequential:
    """The MLP between h and z: Linear–BatchNorm–ReLU for every layer but the last, then Linear; with 0 layers z is h.

    Raises:
        ConfigError: no layers, and z of another width than h.

    Source: Chen et al. 2020 (2 layers; figure 8 compares none and one), Chen et al. 2020b, SimCLR v2 (3 layers).
    """
    if layers == 0:
        if dim_out != dim_in:
            raise ConfigError(sentence("proj_dim", f"{dim_in}, the width of h, without a head", dim_out, "set it so"))
        return nn.Sequential()
    parts: list[nn.Module] = []
    for i in range(layers - 1):
        parts += [nn.Linear(hidden if i else dim_in, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(hidden if parts else dim_in, dim_out))


class SimClr(nn.Module):
    """Backbone and projection head, with the input normalisation they were trained with."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, head: nn.Module, feature_dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection_head = head
        self.feature_dim = feature_dim
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b dh"], Float[Tensor, "b dz"]]:
        """Pictures in [0, 1] to h and z."""
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        h = self.backbone(x)
        return h, self.projection_head(h)


def without_batches(module: nn.Module) -> None:
    """Replace every BatchNorm by a norm of one picture at a time: GroupNorm (Wu & He 2018), LayerNorm in the head."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(math.gcd(32, child.num_features), child.num_features))
        elif isinstance(child, nn.BatchNorm1d):
            setattr(module, name, nn.LayerNorm(child.num_features))
        else:
            without_batches(child)


def build_model(config: ModelConfig, seed: int) -> SimClr:
    """A freshly initialised network; the same seed gives the same weights and leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone, dim = pick(BACKBONES, config.backbone, "backbone").run(config)
        head = projection_head(dim, config.hidden_dim, config.proj_dim, config.head_layers)
        model = SimClr(backbone, head, dim)
        if config.norm == "group":
            without_batches(model)
    return model.to(memory_format=torch.channels_last)
