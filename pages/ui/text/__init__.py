"""Every text a person reads, in the session's language: `t("map.title")`.

A language is one TOML file beside this module, `CODE.toml`: `[language]` says what it is called (`name`) and its tag for
browsers (`tag`); the other tables hold texts by key, in `str.format` form. What a file leaves out is English.

Entries of the core's families carry their own `Label` in English and Chinese; `label` picks. Another language translates
such a text in its table `[labels]`, by the English words: `"Perplexity" = "…"`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from simclr_core.registry import Label

FOLDER = Path(__file__).parent
DEFAULT = "en"
LANGUAGE_KEY = "lang"


class Catalogue(NamedTuple):
    """One language's file: what the language is called, its tag, its texts by dotted key, core labels by English words."""

    name: str
    tag: str
    texts: Mapping[str, str]
    labels: Mapping[str, str]


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: str(value)}
    return flat


@cache
def _read(folder: Path) -> dict[str, Catalogue]:
    """The languages of a folder by code, English first."""
    found = {}
    for path in sorted(
        (p for p in folder.glob("*.toml") if "." not in p.stem), key=lambda p: (p.stem != DEFAULT, p.stem)
    ):
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        about, labels = tables.pop("language"), tables.pop("labels", {})
        found[path.stem] = Catalogue(about["name"], about["tag"], _flatten(tables), labels)
    return found


def catalogues() -> dict[str, Catalogue]:
    """What each language's file holds, English first, read once."""
    return _read(FOLDER)


def languages() -> dict[str, str]:
    """The languages there are: code → own name, English first."""
    return {code: c.name for code, c in catalogues().items()}


def language() -> str:
    """The language of this session; English outside one."""
    chosen = st.session_state.get(LANGUAGE_KEY, DEFAULT)
    return chosen if chosen in catalogues() else DEFAULT


def tag() -> str:
    """The session's language as browsers and screen readers know it: "en", "zh-Hans"."""
    return catalogues()[language()].tag


def texts_under(prefix: str) -> list[str]:
    """The names of all texts whose keys begin with a prefix, without it."""
    return [key.removeprefix(prefix) for key in catalogues()[DEFAULT].texts if key.startswith(prefix)]


def t(key: str, /, **values: Any) -> str:
    """The text of a key in the session's language, else in English, filled in. An unknown key is a bug: KeyError."""
    return _said(key).format(**values)


def strings(*prefixes: str) -> dict[str, str]:
    """All texts under some prefixes by the rest of their keys, placeholders and all, for a component that fills them in."""
    return {name: _said(prefix + name) for prefix in prefixes for name in texts_under(prefix)}


def _said(key: str) -> str:
    found = catalogues()
    text = found[language()].texts.get(key)
    return found[DEFAULT].texts[key] if text is None else text


def label(text: Label) -> str:
    """A label that an entry of the core carries itself, in the session's language, else in English."""
    code = language()
    return text._asdict().get(code) or catalogues()[code].labels.get(text.en, text.en)


def worded(sentences: Mapping[str, str]) -> str:
    """One of a sentence's wordings by language: the session's, else English, else nothing."""
    return sentences.get(language()) or sentences.get(DEFAULT, "")


def escape_markdown(text: str) -> str:
    """Text from a file name or a data set, shown as it is."""
    return re.sub(r"([\\`*_\[\]<>$:#|~])", r"\\\1", text)
