"""The class mode: which hosts it takes, what it refuses in the code that would do it, what it does not show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from pages.ui import classroom, cures, jobs, loading, reports, training
from simclr_core.errors import ConfigError, RunError
from simclr_core.store import JobDir
from tests.app.conftest import build_run
from tests.unit.asgi import Client

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def open_to_class(monkeypatch):
    monkeypatch.setenv(classroom.HOSTS, "192.168.1.10, Lab.local")


# -- hosts ---------------------------------------------------------------------------------------------------------------
def test_without_a_class_only_this_machine(monkeypatch):
    monkeypatch.delenv(classroom.HOSTS, raising=False)
    assert not classroom.read_only()
    assert classroom.hosts() == ["127.0.0.1", "localhost"]
    assert classroom.options() == {}


@pytest.mark.usefixtures("open_to_class")
def test_the_first_host_is_listened_at_and_all_are_answered():
    options = classroom.options()
    assert options["server.address"] == "192.168.1.10"
    assert options["server.allowedHosts"] == ["192.168.1.10", "lab.local"]
    assert options["client.showErrorDetails"] == "none"


@pytest.mark.parametrize(
    "host",
    ["*", "*.lab", "0.0.0.0", "0", "255.255.255.255", "224.0.0.1", "::", "[::1]", "a b", "a/b", "a:1", "-a", "a..b", "300.1.1.1", "x" * 64, "ａ"],
)  # fmt: skip
def test_a_host_that_is_many_or_none_is_refused(monkeypatch, host):
    monkeypatch.setenv(classroom.HOSTS, f"lab.local,{host}")
    with pytest.raises(ConfigError, match="HOST"):
        classroom.hosts()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_whatever_is_written_no_host_stands_for_more_than_itself(monkeypatch, text):
    monkeypatch.setenv(classroom.HOSTS, text)
    try:
        found = classroom.hosts()
    except ConfigError:
        return
    assert all(set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for host in found)


@pytest.mark.parametrize("port", ["80", "99999", "8501x", "-1", "٨٥٠١"])
def test_a_port_is_a_number_that_a_person_may_open(monkeypatch, port):
    monkeypatch.setenv(classroom.PORT, port)
    with pytest.raises(ConfigError, match="PORT"):
        classroom.port()


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.10", "", None, "::", "example.org"])
def test_no_setting_lets_the_app_listen_elsewhere(address):
    with pytest.raises(ConfigError, match="make class"):
        classroom.check_address(address)
    classroom.check_address("127.0.0.1")


# -- the door ------------------------------------------------------------------------------------------------------------
class At(Client):
    """A client whose connection arrived at one of this machine's addresses."""

    def __init__(self, address: str) -> None:
        async def behind(scope, receive, send):
            scope["server"] = (address, 80)
            await door(scope, receive, send)

        door = classroom.Door(PlainTextResponse("in"))
        super().__init__(behind)


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.168.1.10", 403), ("", 403)])
def test_a_connection_at_another_address_is_refused_whatever_runs_the_server(monkeypatch, address, status):
    monkeypatch.delenv(classroom.HOSTS, raising=False)
    assert At(address).get("/").status_code == status


@pytest.mark.parametrize(("address", "status"), [("192.168.1.10", 200), ("192.168.1.11", 403), ("127.0.0.1", 403)])
@pytest.mark.usefixtures("open_to_class")
def test_a_class_comes_in_at_its_address_alone(address, status):
    assert At(address).get("/").status_code == status


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("HEAD", 200), ("PUT", 403), ("POST", 403), ("DELETE", 403)]
)
@pytest.mark.usefixtures("open_to_class")
def test_a_class_only_reads(method, status):
    answer = At("192.168.1.10").get("/_stcore/upload_file/1/2", method=method)
    assert answer.status_code == status


# -- every change is refused where it would be done ----------------------------------------------------------------------
@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_RUNS", str(tmp_path))
    return build_run(tmp_path / "one")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


CHANGES = {
    "start a job": lambda run: jobs.start(["train"], run.path.parent / "new"),
    "train": lambda run: training.start(run.config, "new"),
    "measure": lambda run: training.measure(run.config, None),
    "resume": lambda run: __import__("pages.ui.monitor", fromlist=["resume"]).resume(run),
    "pause": lambda run: jobs.ask(run, "pause"),
    "rename": lambda run: training.rename("one", "two"),
    "delete": lambda run: training.delete("one"),
    "cure": lambda run: cures.start(run, None, None, "new"),
    "import": lambda run: loading.import_embeddings(b"PK", "new"),
    "a path": lambda run: loading.allowed_path(str(run.path)),
    "report": lambda run: reports.as_file(run, None, "html", "en"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.usefixtures("open_to_class")
def test_a_change_is_refused_in_one_sentence_and_nothing_is_written(run, name):
    before = everything(run.path.parent)
    with pytest.raises(RunError, match="open to a class"):
        CHANGES[name](run)
    assert everything(run.path.parent) == before


def test_the_same_changes_are_allowed_in_the_teachers_own_app(run, monkeypatch):
    monkeypatch.delenv(classroom.HOSTS, raising=False)
    jobs.ask(run, "pause")
    training.rename("one", "two")
    assert JobDir(run.path.with_name("two")).control == "pause"


WALL = """
import os, subprocess, sys
from pathlib import Path
from pages.ui.classroom import wall
kept, free = map(Path, sys.argv[1:])
wall([kept])
def refused(act):
    try:
        act()
    except PermissionError:
        return True
    return False
inside = kept / "file"
acts = [
    lambda: inside.write_text("x"), lambda: inside.open("ab"), lambda: inside.open("r+"), lambda: os.open(inside, os.O_RDWR),
    lambda: (kept / "new").mkdir(), inside.unlink, lambda: inside.rename(free / "out"), lambda: (free / "a").rename(kept / "in"),
    lambda: os.symlink(free, kept / "link"), lambda: (free / "link" / "file").write_text("x"),
    lambda: os.open(bytes(inside), os.O_WRONLY), lambda: subprocess.run(["true"]), lambda: os.system("true"), os.fork,
]
assert [i for i, act in enumerate(acts) if not refused(act)] == []
assert inside.read_text() == "kept"
(free / "b").write_text("allowed")
"""


def test_below_the_pages_the_interpreter_refuses_too(tmp_path):
    """The last wall: what a page forgets to ask for is refused all the same, through a link as well."""
    kept, free = tmp_path / "kept", tmp_path / "free"
    kept.mkdir(), free.mkdir()
    (kept / "file").write_text("kept")
    (free / "a").write_text("a")
    (free / "link").symlink_to(kept)
    command = [sys.executable, "-c", WALL, str(kept), str(free)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert everything(kept) == {"file": b"kept"}


# -- no paths ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("said", "shown"), [
    ("`path` must be inside, got '/home/an other/cats.npz'; check", "`path` must be inside, got '…/cats.npz'; check"),
    ("no file /srv/data/cats/a.png here", "no file …/a.png here"),
    ("got 'folder:/home/me/cats'; look", "got '…/cats'; look"),
    ("see ~/runs/one.", "see …/one."),
    ("(1 − p₊)/τ and 3/4 of 1/2/3; see https://example.org/a/b", "(1 − p₊)/τ and 3/4 of 1/2/3; see https://example.org/a/b"),
])  # fmt: skip
@pytest.mark.usefixtures("open_to_class")
def test_a_sentence_keeps_no_path(said, shown):
    assert classroom.public(said) == shown


@pytest.mark.usefixtures("open_to_class")
def test_a_source_keeps_its_kind_and_its_last_name():
    assert classroom.source("folder:/home/me and you/cats") == "folder:…/cats"
    assert classroom.source("demo") == "demo"


def test_the_teacher_sees_every_path(monkeypatch):
    monkeypatch.delenv(classroom.HOSTS, raising=False)
    assert classroom.public(ConfigError("got '/home/me/x'")) == "got '/home/me/x'"
    assert classroom.source("folder:/home/me/cats") == "folder:/home/me/cats"


def test_make_class_without_a_host_says_what_it_needs():
    command = ["make", "-o", ".venv/.app", "class"]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "HOST")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode != 0
    assert "`HOST` must be this machine's address, got nothing; make class HOST=192.168.1.10" in done.stderr
