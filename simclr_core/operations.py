"""`OPERATIONS`: what is done to a picture to make a view, in order; recipes with one operation alone, left out, or at a strength.

Pure functions on `AugmentConfig`, without torch. `simclr_core.augment` draws and applies what a recipe asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Literal

from simclr_core.config import JITTER_PARTS, AugmentConfig
from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import Choice, Label, pick

Settings = dict[str, Any]
Trial = tuple[Literal["whole", "alone", "without"], str]  # what is done with an operation, and its name
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SMALLEST_CROP = 0.08  # share of the area: SimCLR appendix A
LARGEST_SIGMA = 2.0  # pixels: SimCLR appendix A
NOTHING = AugmentConfig(crop_scale=(1.0, 1.0), flip_p=0.0, jitter_p=0.0, grayscale_p=0.0, blur_p=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Choice[Callable[[float], Settings]]):
    """An entry of `OPERATIONS`: `run(strength)` gives the settings of `AugmentConfig` that do it alone; 0 switches it off.

    `help` says what it removes from a picture, so that an encoder cannot tell views apart by it.

    Attributes:
        strength: what a strength from 0 to 1 means.
        part_of: the operation that it is a part of; "" for one that stands alone.
    """

    strength: Label
    part_of: str = ""


def without(config: AugmentConfig, name: str) -> AugmentConfig:
    """The same recipe with one operation left out."""
    operation = pick(OPERATIONS, name, "operation")
    if operation.part_of:
        return replace(config, jitter_parts=tuple(part for part in config.jitter_parts if part != name))
    return replace(config, **operation.run(0.0))


def only(config: AugmentConfig, name: str) -> AugmentConfig:
    """One operation as the recipe has it, and nothing else."""
    kept = (name, pick(OPERATIONS, name, "operation").part_of)
    others = (other for other, entry in OPERATIONS.items() if other not in kept and entry.part_of != name)
    return reduce(without, others, config)


def uses(config: AugmentConfig, name: str) -> bool:
    """Whether a recipe does an operation at all."""
    own = only(config, name)
    jitter = own.jitter_parts if own.jitter_p and own.jitter_strength else ()
    return bool(own.crop_scale != NOTHING.crop_scale or own.flip_p or jitter or own.grayscale_p or own.blur_p)


def ablation(config: AugmentConfig) -> dict[Trial, AugmentConfig]:
    """The whole recipe, and each operation that it uses alone and left out."""
    used = [name for name in OPERATIONS if uses(config, name)]
    trials: dict[Trial, AugmentConfig] = {("whole", ""): config}
    for name in used:
        trials[("alone", name)] = only(config, name)
        trials[("without", name)] = without(config, name)
    return trials


def at_strength(name: str, strength: float) -> AugmentConfig:
    """One operation alone, in every view, at a strength from 0 (nothing) to 1 (its whole range)."""
    if not 0 <= strength <= 1:
        raise ConfigError(sentence("strength", "a number from 0 to 1", strength, "1 is the operation's whole range"))
    return replace(NOTHING, **pick(OPERATIONS, name, "operation").run(strength))


def _crop(strength: float) -> Settings:
    return {"crop_scale": (1 - (1 - SMALLEST_CROP) * strength, 1.0)}


def _jitter(parts: tuple[str, ...], strength: float) -> Settings:
    return {"jitter_p": float(strength > 0), "jitter_strength": strength, "jitter_parts": parts}


def _blur(strength: float) -> Settings:
    smallest, _ = AugmentConfig().blur_sigma
    return {"blur_p": float(strength > 0), "blur_sigma": (smallest, smallest + (LARGEST_SIGMA - smallest) * strength)}


_FACTORS = Label("1 = a factor from 0.2 to 1.8", "1 = 系数从 0.2 到 1.8")
_SIMCLR = "Chen et al. 2020, appendix A"


def _part(name: str, en: str, zh: str, strength: Label = _FACTORS) -> Operation:
    run = partial(_jitter, (name,))
    return Operation(
        label=JITTER_PARTS[name], run=run, source=_SIMCLR, help=Label(en, zh), strength=strength, part_of="jitter"
    )


OPERATIONS: dict[str, Operation] = {
    "crop": Operation(
        label=Label("Crop", "裁剪"),
        run=_crop,
        source="Szegedy et al. 2015; " + _SIMCLR,
        help=Label(
            "Removes where a thing is, how large, and what surrounds it; two crops still share their colours.",
            "去掉物体的位置、大小和周围环境；两个裁剪仍有相同的颜色。",
        ),
        strength=Label("1 = crops from 8 % of the area on, 0 = the whole picture", "1 = 面积最小 8%，0 = 整张图"),
    ),
    "flip": Operation(
        label=Label("Flip", "翻转"),
        run=lambda strength: {"flip_p": strength},
        source=_SIMCLR,
        help=Label("Removes which way the picture faces.", "去掉左右朝向。"),
        strength=Label("share of the views that are mirrored", "被翻转的视图所占比例"),
    ),
    "jitter": Operation(
        label=Label("Colour jitter", "颜色抖动"),
        run=partial(_jitter, tuple(JITTER_PARTS)),
        source=_SIMCLR + " and figure 6",
        help=Label(
            "Removes the colour histogram, by which crops of one picture would be matched without looking at it.",
            "去掉颜色直方图：否则无需看懂内容，仅凭颜色就能配对同一张图的裁剪。",
        ),
        strength=Label(
            "1 = three factors from 0.2 to 1.8, hue up to a fifth of the circle either way",
            "1 = 三个系数从 0.2 到 1.8，色调最多转动色环的五分之一",
        ),
    ),
    "brightness": _part("brightness", "Removes how much light there was.", "去掉光照强弱。"),
    "contrast": _part("contrast", "Removes how far dark and light lie apart.", "去掉明暗差距。"),
    "saturation": _part("saturation", "Removes how strong the colours are.", "去掉颜色的浓淡。"),
    "hue": _part(
        "hue",
        "Removes which colours they are.",
        "去掉具体是哪种颜色。",
        Label("1 = up to a fifth of the circle either way", "1 = 最多转动色环的五分之一"),
    ),
    "grey": Operation(
        label=Label("Grey", "灰度"),
        run=lambda strength: {"grayscale_p": strength},
        source=_SIMCLR,
        help=Label("Removes all colour: shape and texture must do.", "去掉全部颜色：只剩形状与纹理可用。"),
        strength=Label("share of the views that are grey", "变成灰度的视图所占比例"),
    ),
    "blur": Operation(
        label=Label("Blur", "模糊"),
        run=_blur,
        source=_SIMCLR,
        help=Label("Removes fine texture and sharp edges.", "去掉细纹理和锐利边缘。"),
        strength=Label("1 = σ up to 2 pixels", "1 = σ 最大 2 像素"),
    ),
}
