"""Every text a person reads, in two languages: `t("map.title")`.

The catalogues are the TOML files beside this module: `en.toml` and `zh.toml` hold what all pages share, and
`en.map.toml`, `zh.map.toml` what one page says under its own table `[map]`. Values use `str.format` placeholders.
Entries of the core's families carry their own `Label`; `label` picks the language.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from simclr_core.registry import Label

LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT = "en"
LANGUAGE_KEY = "lang"


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: str(value)}
    return flat


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of one language, by dotted key; a key given twice is a bug."""
    texts: dict[str, str] = {}
    here = Path(__file__).parent
    for path in [here / f"{language}.toml", *sorted(here.glob(f"{language}.*.toml"))]:
        page = _flatten(tomllib.loads(path.read_text(encoding="utf-8")))
        if twice := texts.keys() & page.keys():
            raise KeyError(f"{path.name} repeats {sorted(twice)}")
        texts |= page
    return texts


def language() -> str:
    """The language of this session; English outside one."""
    chosen = st.session_state.get(LANGUAGE_KEY, DEFAULT)
    return chosen if chosen in LANGUAGES else DEFAULT


def t(key: str, /, **values: Any) -> str:
    """The text of a key in the session's language, its placeholders filled in. An unknown key is a bug: KeyError."""
    return catalogue(language())[key].format(**values)


def label(text: Label) -> str:
    """A label that an entry of the core carries itself, in the session's language."""
    return text.zh if language() == "zh" else text.en


def escape_markdown(text: str) -> str:
    """Text from a file name or a data set, shown as it is."""
    return re.sub(r"([\\`*_\[\]<>$:#|~])", r"\\\1", text)
