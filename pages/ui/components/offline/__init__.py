"""A page of the classroom as one HTML file: the same component, its data and state, and a shim in Streamlit's place.

The file opens from a disk, asks for no network (its own policy forbids it), follows the system's light or dark, and keeps what
is done in it in its own address behind `#`, so that loading it again or sharing that address shows the same.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import streamlit as st

from pages.ui import state
from pages.ui.components.shared import bundle, style
from pages.ui.text import t

HERE = Path(__file__).parent
CONFIG = Path(__file__).resolve().parents[4] / ".streamlit" / "config.toml"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
EXPORT = "export default "
PROJECTOR = "html { font-size: 22.5px; }"


class ListOf(TypedDict):
    """A setting of the component that the file lets one choose: its name in `data["setting"]`, values with their texts."""

    name: str
    label: str
    values: list[tuple[str, str]]


class Scene(TypedDict):
    """A whole setting with its question; `reveal` is empty where a teacher keeps the answer."""

    label: str
    setting: Mapping[str, Any]
    note: str
    question: str
    options: list[str]
    reveal: str


class Page(NamedTuple):
    """What a file holds: the component's entry file and data, words around it, and what can be set where it has settings."""

    component: Path
    data: Mapping[str, Any]
    title: str
    lead: str
    note: str
    settings: Sequence[ListOf] = ()
    scenes: Sequence[Scene] = ()
    scene_label: str = ""
    answer_label: str = ""
    projector: bool = False


def save(page: Page) -> None:
    """A button that keeps the page as a file; it is made when it is asked for."""
    name = f"{page.component.stem}-{page.data['lang']}.html"
    st.download_button(
        t("offline.save"), partial(render, page), name, "text/html", key="offline.save", icon=":material/download:", on_click="ignore"
    )  # fmt: skip


def render(page: Page) -> bytes:
    """The file."""
    held = {
        "css": style(page.component), "data": page.data, "settings": page.settings, "version": state.VERSION,
        "scenes": page.scenes, "scene_label": page.scene_label, "answer_label": page.answer_label,
    }  # fmt: skip
    script = bundle(page.component).replace(EXPORT, "const component = ") + _read("offline.js")
    looks = theme() + _read("offline.css") + PROJECTOR * page.projector
    words = {name: escape(getattr(page, name)) for name in ("title", "lead", "note")}
    return f"""<!doctype html>
<html lang="{escape(page.data["lang"])}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words["title"]}</title>
<style>{looks}</style>
</head>
<body>
<main><h1>{words["title"]}</h1><p>{words["lead"]}</p><div id="settings"></div><div id="host"></div><footer>{words["note"]}</footer></main>
<script type="application/json" id="page">{_inert(json.dumps(held, ensure_ascii=False))}</script>
<script type="module">
{script}</script>
</body>
</html>
""".encode()


def _inert(text: str) -> str:
    """JSON that no parser of HTML takes for markup."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache
def theme() -> str:
    """The app's colours, light and dark, as the variables that components read."""
    found = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"]
    radius = found["baseRadius"]
    shared = f"--st-font: {found['font']}; --st-base-radius: {radius}; --st-button-radius: {radius};"

    def colours(scheme: str) -> str:
        named = {
            "primary": "primaryColor", "background": "backgroundColor", "secondary-background": "secondaryBackgroundColor",
            "text": "textColor", "border": "borderColor", "widget-border": "borderColor",
        }  # fmt: skip
        return " ".join(f"--st-{name}-color: {found[scheme][key]};" for name, key in named.items())

    light = f":root {{ color-scheme: light dark; {shared} {colours('light')} }}"
    return f"{light} @media (prefers-color-scheme: dark) {{ :root {{ {colours('dark')} }} }}\n"
