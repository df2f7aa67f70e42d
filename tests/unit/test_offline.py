"""A page as one file: whole, inert, without addresses, in the app's colours."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from pages.ui.components import lab, offline, temperature
from pages.ui.components.shared import style
from tests.unit.test_components import NODE

ROOT = Path(__file__).resolve().parents[2]


def page(component: Path, **more) -> str:
    data = {"lang": "en", "texts": {}, "setting": {}} | more
    return offline.render(offline.Page(component, data, "A <title>", "lead & more", "note")).decode()


@pytest.mark.parametrize("component", [temperature.ENTRY, lab.ENTRY], ids=["temperature", "lab"])
def test_nothing_is_loaded_from_elsewhere(component):
    text = page(component)
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|\bfetch\(|import\(|import ["{]""", text)
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "A &lt;title&gt;" in text
    assert "lead &amp; more" in text


@pytest.mark.parametrize("component", [temperature.ENTRY, lab.ENTRY], ids=["temperature", "lab"])
def test_the_script_is_one_module_that_javascript_accepts(component):
    (script,) = re.findall(r'<script type="module">\n(.*)</script>', page(component), re.DOTALL)
    assert script.count("const component = mounting(") == 1
    assert "</script" not in script
    if NODE is None:
        pytest.skip("node is missing: the script is not parsed here")
    done = subprocess.run(
        [NODE, "--check", "--input-type=module", "-"], input=script, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@examples(text=st.text(max_size=80))
def test_no_text_leaves_its_place(text):
    rendered = page(lab.ENTRY, texts={"play": text + "</script><!--"})
    (held,) = re.findall(r'id="page">(.*?)</script>', rendered, re.DOTALL)
    assert json.loads(held)["data"]["texts"]["play"] == text + "</script><!--"


def test_colours_are_the_apps():
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"]
    light, dark = offline.theme().split("@media")
    for scheme, rules in (("light", light), ("dark", dark)):
        assert f"--st-text-color: {theme[scheme]['textColor']};" in rules
    used = {
        name for entry in (temperature.ENTRY, lab.ENTRY) for name in re.findall(r"var\((--st-[\w-]+)", style(entry))
    }
    assert all(f"{name}:" in light for name in used)
