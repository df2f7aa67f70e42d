"""The sheet's texts, read once from `texts.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from simclr_core.registry import Label

TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def labels(table: str) -> dict[str, Label]:
    """A table of texts by name."""
    return {name: Label(**text) for name, text in TEXTS[table].items()}
