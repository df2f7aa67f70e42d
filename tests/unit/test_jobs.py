"""A job in its own process: started without a shell, reaped, told dead when killed, told why when it ends early."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pages.ui import jobs
from simclr_core.store import JobDir

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
sys.path.insert(0, {root!r})
from simclr_core.store import JobDir
job = JobDir(sys.argv[1])
with job.locked():
    job.write_status(state="running", progress=0.5, message="half")
    while job.control != "stop":
        time.sleep(0.02)
    job.write_status(state="stopped", progress=0.5)
"""


@pytest.fixture
def worker(monkeypatch):
    """Replace the command line by a small program that holds the lock until it is asked to stop."""

    def use(code=WORKER):
        program = code.replace("{root!r}", repr(str(ROOT)))
        monkeypatch.setattr(jobs, "command", lambda arguments: [sys.executable, "-c", program, *arguments])

    return use


def until(state: str, job: JobDir, seconds: float = 20.0) -> dict:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = jobs.watch(job)
        if status.get("state") == state:
            return status
        time.sleep(0.02)
    raise AssertionError(f"not {state} but {jobs.watch(job)}; log: {jobs.last_line(job)}")


def test_command_is_a_list_with_this_interpreter():
    line = jobs.command(["map", "a b; rm -rf /"])
    assert line[-1] == "a b; rm -rf /"
    assert line[-5:-1] == [sys.executable, "-m", "simclr_core", "map"]


def test_nothing_started_says_nothing(tmp_path):
    assert jobs.watch(JobDir(tmp_path)) == {}


def test_start_run_stop(tmp_path, worker):
    worker()
    job = jobs.start([str(tmp_path / "j")], tmp_path / "j")
    assert jobs.watch(job)["state"] in ("starting", "running")
    assert until("running", job)["message"] == "half"
    job.ask("stop")
    until("stopped", job)


def test_killed_is_told_within_two_seconds_and_the_child_is_reaped(tmp_path, worker):
    worker()
    job = jobs.start([str(tmp_path)], tmp_path)
    until("running", job)
    pid = json.loads((tmp_path / jobs.LAUNCH).read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until("died", job, seconds=2.0)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists(), "a zombie is left"


def test_a_job_that_ends_before_its_first_word_failed_with_its_last_line(tmp_path, worker):
    worker("import sys; sys.exit('`images` must be a folder, got 3')")
    job = jobs.start([], tmp_path)
    assert until("failed", job)["message"] == "`images` must be a folder, got 3"


def test_a_resumed_job_is_starting_not_died(tmp_path, worker):
    job = JobDir(tmp_path)
    (tmp_path / "lock").touch()
    job.write_status(state="running")
    assert jobs.watch(job)["state"] == "died"
    worker("import time; time.sleep(3)")
    jobs.start([], tmp_path)
    assert jobs.watch(job)["state"] == "starting"


def test_a_new_app_process_sees_the_same_job(tmp_path, worker):
    worker()
    job = jobs.start([str(tmp_path)], tmp_path)
    until("running", job)
    assert jobs.watch(JobDir(tmp_path))["state"] == "running"
    assert jobs.active(JobDir(tmp_path))
    JobDir(tmp_path).ask("stop")
    until("stopped", job)
