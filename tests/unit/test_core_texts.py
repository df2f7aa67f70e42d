"""What the core says stands in TOML beside its modules: both languages take the same values, every text is said, none is missing."""

import re
import string
from pathlib import Path

import pytest

from simclr_core.registry import Label
from simclr_core.texts import beside, template

CORE = Path(__file__).resolve().parents[2] / "simclr_core"
FILES = sorted(CORE.rglob("*.toml"))


def texts(found, key="") -> dict[str, Label]:
    """Every text of a file by its dotted key."""
    if isinstance(found, Label):
        return {key: found}
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, tuple) else ()
    return {
        k: label for name, value in items for k, label in texts(value, f"{key}.{name}" if key else str(name)).items()
    }


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_both_languages_say_something_and_take_the_same_values(file):
    found = texts(beside(str(file)))
    assert found
    for key, label in found.items():
        assert all(text.strip() for text in label), key
        # A name put into a Chinese sentence is the Chinese one, {what_zh} for {what}.
        asked = [{n.removesuffix("_zh") for _, n, _, _ in string.Formatter().parse(text) if n} for text in label]
        assert asked[0] == asked[1], key


@pytest.mark.parametrize("file", [f for f in FILES if f.with_suffix(".py").exists()], ids=lambda f: f.stem)
def test_every_text_that_is_said_is_there(file):
    known = texts(beside(str(file)))
    for key in re.findall(r'TEXTS\.say\(f?"([^"]+)"', file.with_suffix(".py").read_text()):
        pattern = re.sub(r"\\\{.*?\\\}", r"[^.]+", re.escape(key))
        assert any(re.fullmatch(pattern, name) for name in known), key


def test_a_text_takes_its_values_and_another_sentence():
    first = Label("{n} rows.", "{n} 行。").format(n=3)
    assert first.then(None) == Label("3 rows.", "3 行。")
    assert first.then(Label("Few.", "很少。")) == Label("3 rows. Few.", "3 行。很少。")


def test_a_template_escapes_what_it_is_given_and_refuses_what_it_is_not(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>{{ name }} {{ 2 | half }}</p>")
    assert template(page, half=lambda x: str(x / 2)).render(name="<b>") == "<p>&lt;b&gt; 1.0</p>"
    with pytest.raises(Exception, match="name"):
        template(page, half=str).render()
