"""The shell: one list of pages, the run and the language in the URL, errors as sentences, light imports."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pages.ui import text
from pages.ui.text import languages

ROOT = Path(__file__).resolve().parents[2]


def page_names() -> list[str]:
    tree = ast.parse((ROOT / "pages/shell.py").read_text())
    table = next(n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and n.targets[0].id == "PAGES")
    return [k.value for k in table.keys]


def test_every_page_file_is_listed_and_every_listed_page_is_a_file():
    files = {p.stem for p in (ROOT / "pages").glob("*.py")} - {"shell", "__init__"}
    assert set(page_names()) == files


@pytest.fixture(scope="module")
def opened() -> dict:
    """What the pages opened so far say, by name, language and run."""
    return {}


def said(at) -> list[list[str]]:
    return [[e.value for e in kind] for kind in (at.title, at.markdown)]


@pytest.mark.parametrize("run", ["small", None])
@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("name", page_names())
def test_every_page_opens_with_and_without_a_run(open_page, opened, name, lang, run):
    at = open_page(name, run=run, lang=lang)
    assert not at.exception
    assert at.main.children, "never an empty screen"
    opened[name, lang, run] = said(at)


@pytest.mark.parametrize("name", page_names())
def test_every_page_opens_in_a_language_that_says_nothing_yet(open_page, opened, tmp_path, monkeypatch, name):
    for path in text.FOLDER.glob("*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "eo.toml").write_text('[language]\nname = "Esperanto"\ntag = "eo"\n[labels]\nMap = "Mapo"\n')
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    english = opened.get((name, "en", "small")) or said(open_page(name))
    at = open_page(name, lang="eo")
    assert not at.exception
    assert at.session_state["lang"] == "eo"
    assert said(at) == english


@pytest.mark.parametrize(("lang", "title"), [("en", "Map"), ("zh", "特征地图")])
def test_a_link_to_a_page_is_called_as_the_page_is(open_page, lang, title):
    links = [e.proto.label for e in open_page("home", lang=lang).get("page_link")]
    assert title in links


def test_language_and_run_are_kept_in_the_url(open_page):
    at = open_page("home", lang="zh")
    assert at.query_params == {"run": "small", "lang": "zh"}
    assert at.sidebar.selectbox(key="run").value == "small"
    at.session_state["lang"] = "en"
    at.run()
    assert at.query_params == {"run": "small"}


def test_unknown_run_and_language_in_the_url_are_dropped(open_page):
    at = open_page("home", run="../../etc", lang="xx")
    assert not at.exception
    assert at.query_params == {}


def test_the_url_wins_when_it_changes_by_itself(open_page, tmp_path):
    from tests.app.conftest import build_run

    build_run(tmp_path / "first", embeddings=False)
    build_run(tmp_path / "second", embeddings=False)
    at = open_page("home", run="first", root=tmp_path)
    at.query_params["run"] = "second"
    at.run()
    assert at.session_state["run"] == "second"


def test_a_deleted_run_is_let_go(open_page, tmp_path):
    from tests.app.conftest import build_run

    run = build_run(tmp_path / "gone", embeddings=False)
    at = open_page("home", run="gone", root=tmp_path)
    (run.path / "config.json").unlink()
    at.run()
    assert not at.exception
    assert at.session_state["run"] is None


def test_a_bad_input_is_a_sentence_and_a_bug_is_not():
    from streamlit.testing.v1 import AppTest

    script = """
from pages.ui.frame import error_frame
from simclr_core.errors import DataError
import streamlit as st
with error_frame():
    raise {error}
"""
    at = AppTest.from_string(script.format(error="DataError('one sentence')")).run()
    assert at.error[0].value == "one sentence"
    assert not at.exception
    at = AppTest.from_string(script.format(error="KeyError('bug')")).run()
    assert at.exception


def test_the_shell_and_the_server_import_no_heavy_module():
    code = "import sys, app, pages.ui.state, pages.ui.jobs, pages.ui.widgets; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "umap", "sklearn", "openTSNE"} & set(done.stdout.split())


LIGHT = """
import json, sys
from streamlit.testing.v1 import AppTest
found = {}
for page in ("temperature", "queue", "lab", "worksheet"):
    at = AppTest.from_file("pages/shell.py", default_timeout=60)
    at.switch_page(f"{page}.py").run()
    if page == "worksheet":
        at.segmented_control(key="exercise").set_value("6").run()
    assert not at.exception, at.exception
    found[page] = [m for m in ("torch", "umap", "sklearn", "scipy") if m in sys.modules]
import queue
assert "SimpleQueue" in dir(queue), "a page of this name hides the module"
print(json.dumps(found))
"""


def test_pages_that_compute_in_the_browser_load_no_heavy_library():
    done = subprocess.run([sys.executable, "-c", LIGHT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"temperature": [], "queue": [], "lab": [], "worksheet": []}
