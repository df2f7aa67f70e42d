"""`RECIPES`: named settings with the result that may be expected of them and what they cost.

A recipe names everything but the pictures. "measured" results were obtained by this program (the script is named), "cited" ones
by others with the same settings as far as their papers give them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simclr_core.config import RunConfig, with_overrides
from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings as `--set` takes them, what they lead to, at what cost, and who says so."""

    label: Label
    settings: tuple[str, ...]
    expected: Label
    cost: Label
    status: Literal["measured", "cited"]
    source: str


_RESNET_CIFAR = ("model.backbone=resnet18", "model.stem=cifar", "model.hidden_dim=512", "model.proj_dim=128")
_SGD = ("train.optimizer=sgd", "train.weight_decay=5e-4")
_COLOUR_AND_BLUR = ("augment.crop_scale=[0.08, 1]", "augment.jitter_strength=1", "augment.blur_p=0.5")

RECIPES: Mapping[str, Recipe] = {
    "cifar10-small-cpu": Recipe(
        label=Label("CIFAR-10, small encoder on a CPU", "CIFAR-10，CPU 上的小编码器"),
        settings=(),
        expected=Label("kNN accuracy .565 (untrained .319)", "kNN 准确率 .565（未训练 .319）"),
        cost=Label("282 s on 2 cores without AVX-512", "2 核（无 AVX-512）282 秒"),
        status="measured",
        source="benchmarks/bench_cifar.py, benchmarks/results/cifar10_default.json",
    ),
    "cifar10-r18": Recipe(
        label=Label("CIFAR-10, ResNet-18", "CIFAR-10，ResNet-18"),
        settings=(
            *_RESNET_CIFAR,
            *_SGD,
            "train.batch_size=512",
            "train.lr=0.24",
            "train.temperature=0.5",
            "train.epochs=200",
        ),
        expected=Label("kNN accuracy .848 (k = 200)", "kNN 准确率 .848（k = 200）"),
        cost=Label("87 min on one A6000", "单张 A6000 约 87 分钟"),
        status="cited",
        source="lightly 1.6, CIFAR-10 benchmark, SimCLR, batch 512, 200 epochs",
    ),
    "stl10-r18": Recipe(
        label=Label("STL-10, ResNet-18", "STL-10，ResNet-18"),
        settings=(
            "model.backbone=resnet18",
            "model.stem=imagenet",
            "model.hidden_dim=512",
            "model.proj_dim=128",
            *_COLOUR_AND_BLUR,
            "augment.jitter_strength=0.6",
            "train.optimizer=adamw",
            "train.lr=5e-4",
            "train.temperature=0.07",
            "train.epochs=500",
        ),
        expected=Label(
            "linear accuracy .81 from 500 labels a class (supervised .716)",
            "每类 500 个标签的线性准确率 .81（监督学习 .716）",
        ),
        cost=Label("a day on one GPU", "单张 GPU 约一天"),
        status="cited",
        source="UvA deep learning tutorial 17 (Lippe 2022)",
    ),
    "imagenet-r50": Recipe(
        label=Label("ImageNet, ResNet-50", "ImageNet，ResNet-50"),
        settings=(
            "model.backbone=resnet50",
            "model.stem=imagenet",
            "model.hidden_dim=2048",
            "model.proj_dim=128",
            *_COLOUR_AND_BLUR,
            "image_size=224",
            "train.optimizer=lars",
            "train.lr=4.8",
            "train.weight_decay=1e-6",
            "train.warmup=0.1",
            "train.batch_size=4096",
            "train.temperature=0.1",
            "train.epochs=100",
            "train.sync_bn=true",
        ),
        expected=Label("linear top-1 about .645", "线性 top-1 约 .645"),
        cost=Label("8 GPUs with 80 GB each, or chunks", "8 张 80 GB GPU，或使用分块"),
        status="cited",
        source="Chen et al. 2020, table B.1, batch 4096, 100 epochs",
    ),
    "small-batch-dcl": Recipe(
        label=Label("Small batch with DCL", "小批次 + DCL"),
        settings=(
            *_RESNET_CIFAR,
            *_SGD,
            "train.objective=dcl",
            "train.batch_size=32",
            "train.temperature=0.1",
            "train.epochs=100",
        ),
        expected=Label("linear accuracy .846 (NT-Xent .783)", "线性准确率 .846（NT-Xent .783）"),
        cost=Label("hours on one GPU", "单张 GPU 数小时"),
        status="cited",
        source="Yeh et al. 2022, CIFAR-10, batch 32",
    ),
    "10k-images": Recipe(
        label=Label("Ten thousand pictures", "一万张图像"),
        settings=("train.epochs=30", "train.batch_size=256", "train.optimizer=muon"),
        expected=Label(
            "linear accuracy .857 on the bundled garments (pixels .809)", "自带服装图：线性准确率 .857（像素 .809）"
        ),
        cost=Label("9 minutes on one core", "单核 9 分钟"),
        status="measured",
        source="python -m simclr_core.demo.build",
    ),
}


def recipe(name: str) -> RunConfig:
    """The configuration a recipe stands for; the pictures are still to be chosen.

    Raises:
        ConfigError: no recipe of this name.
    """
    if name not in RECIPES:
        raise ConfigError(sentence("recipe", f"one of {', '.join(RECIPES)}", name, "choose one of these"))
    return with_overrides(RunConfig(), RECIPES[name].settings)
