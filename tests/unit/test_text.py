"""Both catalogues say the same things, pages say nothing else, and nothing in them is dead."""

import ast
import re
import string
from pathlib import Path

import pytest

from pages.ui.text import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [p for p in sorted((ROOT / "pages").rglob("*.py")) if "__pycache__" not in p.parts]
SHOWN = {
    "title", "header", "subheader", "markdown", "caption", "text", "info", "warning", "error", "success", "toast", "badge",
    "button", "download_button", "checkbox", "toggle", "radio", "selectbox", "multiselect", "slider", "select_slider",
    "number_input", "text_input", "text_area", "file_uploader", "segmented_control", "pills", "metric", "expander", "tabs",
    "popover", "spinner", "status", "form_submit_button", "link_button", "dialog", "write",
}  # fmt: skip


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_same_keys_in_every_language():
    keys = {lang: set(catalogue(lang)) for lang in LANGUAGES}
    assert keys["en"] ^ keys["zh"] == set()


@pytest.mark.parametrize("key", sorted(catalogue("en")))
def test_same_placeholders_and_no_empty_text(key):
    en, zh = catalogue("en")[key], catalogue("zh").get(key, "")
    assert placeholders(en) == placeholders(zh)
    assert en.strip()
    assert zh.strip()


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def is_t(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "t" and bool(call.args)


def key_patterns(tree: ast.AST) -> list[str]:
    """What a file asks the catalogue for: literal keys, and f-strings as regular expressions."""
    found = []
    for call in calls(tree):
        if is_t(call):
            asked = call.args[0]
            branches = [asked.body, asked.orelse] if isinstance(asked, ast.IfExp) else [asked]
            for node in branches:
                if isinstance(node, ast.JoinedStr):
                    parts = (re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in node.values)
                    found.append("".join(parts))
                elif isinstance(node, ast.Constant):
                    found.append(re.escape(node.value))
    return found


def test_every_key_asked_for_exists_and_every_key_is_asked_for():
    trees = {p: ast.parse(p.read_text()) for p in SOURCES}
    keys = set(catalogue("en"))
    used: set[str] = set()
    for path, tree in trees.items():
        for pattern in key_patterns(tree):
            hits = {k for k in keys if re.fullmatch(pattern, k)}
            assert hits or pattern.startswith(".+"), (
                f"{path.relative_to(ROOT)} asks for {pattern}, which no catalogue has"
            )
            used |= hits
        # Keys may also be passed around as data: any literal equal to a key, or to the table it stands in.
        literals = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        used |= keys & literals
    shared = {k for k in keys if k.startswith("common.")}
    assert keys - used - shared == set(), "texts that no page shows"


def literal_text(node: ast.AST) -> str:
    """The letters a person would read if this argument were shown as it is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value for v in node.values if isinstance(v, ast.Constant))
    return ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_text_outside_the_catalogue(path):
    for call in calls(ast.parse(path.read_text())):
        shown = [k.value for k in call.keywords if k.arg in ("label", "help", "placeholder", "caption", "alt")]
        if isinstance(call.func, ast.Attribute) and call.func.attr in SHOWN and call.args:
            shown.append(call.args[0])
        for node in shown:
            text = re.sub(r"~/\S+|:material/\w+:|:\w+-badge|[*_`#]", "", literal_text(node))
            assert not re.search(r"[A-Za-z]{2}|[一-鿿]", text), f"{path.name}:{call.lineno} shows {text!r}; use t()"
