"""Every page of an app that is open to a class: it opens, and nothing on it changes anything or names a file."""

import json
import re

import pytest

from pages.ui import classroom
from tests.app.conftest import build_run
from tests.app.test_shell import page_names

CHANGING = (
    "train.start", "train.rename", "train.delete", "train.manage", "map.draw", "timeline.make", "home.load_encoder", "home.load_embeddings",
    "train.measure",
)  # fmt: skip


@pytest.fixture
def open_class_page(open_page, monkeypatch, tmp_path):
    """As `open_page`, of an app that is open to a class, with a run that has much to hide: stopped, of a folder."""
    run = build_run(tmp_path / "shown", state="failed", message=f"no file {tmp_path}/secret/cats.npz")
    about = json.loads((run.path / "config.json").read_text())
    about["config"]["images"] = "folder:/srv/private place/cats"
    (run.path / "config.json").write_text(json.dumps(about))
    monkeypatch.setenv(classroom.HOSTS, "192.168.1.10")
    return lambda page, **query: open_page(page, run="shown", root=tmp_path, **query)


def shown(at) -> str:
    """All that the server sends of a page, as text."""
    return str(at.main) + str(at.sidebar)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", page_names())
def test_a_page_opens_changes_nothing_and_names_no_file(open_class_page, tmp_path, name, lang):
    before = sorted(p for p in tmp_path.rglob("*"))
    at = open_class_page(name, lang=lang)
    assert not at.exception
    keys = {str(b.key) for b in (*at.button, *at.text_input, *at.selectbox)}
    assert not {
        key for key in keys if key in CHANGING or re.search(r"\.(resume|pause|stop|go_on|cancel)$|^cures\.", key)
    }
    assert not at.get("file_uploader")
    assert sorted(p for p in tmp_path.rglob("*")) == before
    text = shown(at)
    assert "/srv" not in text
    assert "private place" not in text
    assert str(tmp_path) not in text
    assert "secret" not in text


def test_what_is_closed_says_so(open_class_page):
    for name in ("train", "home", "map"):
        said = [e.value for e in open_class_page(name).info]
        assert any("open to a class" in text for text in said), name


def test_a_failed_run_says_why_without_the_path(open_class_page):
    at = open_class_page("train")
    assert any("…/cats.npz" in e.value for e in at.error)
