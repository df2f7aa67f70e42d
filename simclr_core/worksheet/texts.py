"""The sheet's texts, read once from `texts.toml`."""

from __future__ import annotations

from typing import Any

from simclr_core.texts import beside

TEXTS: dict[str, Any] = beside(__file__)
