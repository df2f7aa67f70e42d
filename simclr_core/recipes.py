"""`RECIPES`: named settings with the result that may be expected of them and what they cost; they stand in `recipes.toml`.

A recipe names everything but the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simclr_core.config import RunConfig, with_overrides
from simclr_core.registry import Label, pick
from simclr_core.texts import beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings as `--set` takes them, what they lead to, at what cost, and who says so."""

    label: Label
    settings: tuple[str, ...]
    expected: Label
    cost: Label
    status: Literal["measured", "cited"]
    source: str


RECIPES: Mapping[str, Recipe] = {name: Recipe(**entry) for name, entry in beside(__file__).items()}


def recipe(name: str) -> RunConfig:
    """The configuration a recipe stands for; the pictures are still to be chosen.

    Raises:
        ConfigError: no recipe of this name.
    """
    return with_overrides(RunConfig(), pick(RECIPES, name, "recipe").settings)
