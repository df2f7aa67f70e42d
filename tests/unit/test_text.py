"""No catalogue says what the English one does not, pages say nothing else, and nothing in them is dead."""

import ast
import re
import string
from pathlib import Path

import pytest

from pages.ui import text
from pages.ui.text import catalogues, label, languages, t, tag, texts_under, worded
from simclr_core.registry import Label

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


def english() -> dict[str, str]:
    return dict(catalogues()["en"].texts)


def test_a_language_is_one_file():
    files = {p.name for p in text.FOLDER.glob("*.toml")}
    assert files == {f"{code}.toml" for code in languages()}
    assert next(iter(languages())) == "en"
    assert languages()["zh"] == "中文"


def test_chinese_says_all_that_english_says():
    assert english().keys() ^ catalogues()["zh"].texts.keys() == set()


@pytest.mark.parametrize("code", languages())
def test_a_language_says_its_name_and_no_text_that_english_lacks(code):
    found = catalogues()[code]
    assert found.name.strip()
    assert re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", found.tag)
    assert found.texts.keys() - english().keys() == set()
    assert all(isinstance(said, str) and said.strip() for said in found.labels.values())


@pytest.mark.parametrize("code", languages())
def test_same_placeholders_and_no_empty_text(code):
    for key, said in catalogues()[code].texts.items():
        assert placeholders(said) == placeholders(english()[key]), key
        assert said.strip(), key


@pytest.fixture
def third_language(tmp_path, monkeypatch):
    """A session in a language of which one file says next to nothing."""
    for code in ("en", "zh"):
        (tmp_path / f"{code}.toml").write_bytes((text.FOLDER / f"{code}.toml").read_bytes())
    (tmp_path / "eo.toml").write_text(
        '[language]\nname = "Esperanto"\ntag = "eo"\n'
        '[common]\nyes = "jes"\n'
        '[labels]\n"Perplexity" = "Perplekso"\n"See directions only. Always." = "Nur direktoj."\n'
    )
    (tmp_path / "eo.map.toml").write_text("[map]\ntitle = 'a part of a language is none'\n")
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    monkeypatch.setattr(text, "language", lambda: "eo")


@pytest.mark.usefixtures("third_language")
def test_another_language_is_found_and_says_what_it_has():
    assert languages() == {"en": "English", "eo": "Esperanto", "zh": "中文"}
    assert tag() == "eo"
    assert t("common.yes") == "jes"
    assert label(Label("Perplexity", "困惑度")) == "Perplekso"
    assert label(Label("See directions only. Always.", "只看方向")) == "Nur direktoj."


@pytest.mark.usefixtures("third_language")
def test_what_another_language_lacks_is_english():
    assert t("common.no") == english()["common.no"]
    assert t("map.finding_classes", share="1", chance="2", classes=3)
    assert label(Label("Seed", "种子")) == "Seed"
    assert label(Label("", "")) == ""
    assert worded({"en": "one", "zh": "一"}) == "one"
    assert texts_under("temperature.explorer.")
    with pytest.raises(KeyError):
        t("common.absent")


@pytest.mark.parametrize(("code", "said"), [("en", "Seed"), ("zh", "种子")])
def test_labels_and_findings_in_their_own_two_languages(monkeypatch, code, said):
    monkeypatch.setattr(text, "language", lambda: code)
    assert label(Label("Seed", "种子")) == said
    assert worded({"en": "Seed", "zh": "种子"}) == said
    assert worded({}) == ""


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


def prefixes(tree: ast.AST) -> list[str]:
    """Under which keys a file takes all texts at once, for a component."""
    found = [call.args for call in calls(tree) if isinstance(call.func, ast.Name) and call.func.id == "strings"]
    return [arg.value for args in found for arg in args if isinstance(arg, ast.Constant)]


def test_every_key_asked_for_exists_and_every_key_is_asked_for():
    trees = {p: ast.parse(p.read_text()) for p in SOURCES}
    keys = set(english())
    used: set[str] = set()
    for path, tree in trees.items():
        for pattern in key_patterns(tree):
            hits = {k for k in keys if re.fullmatch(pattern, k)}
            assert hits or pattern.startswith(".+"), (
                f"{path.relative_to(ROOT)} asks for {pattern}, which no catalogue has"
            )
            used |= hits
        used |= {k for prefix in prefixes(tree) for k in keys if k.startswith(prefix)}
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
