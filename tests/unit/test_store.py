"""Run directories: atomic, honest about who is alive, readable while being written."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from simclr_core import store
from simclr_core.config import RunConfig
from simclr_core.errors import RunError
from simclr_core.store import JobDir, RunDir, list_runs, read_json, read_metrics, require_space, write_atomic

HOLD = """
import sys, time
from simclr_core.store import JobDir
job = JobDir(sys.argv[1])
with job.locked():
    job.write_status(state="running", progress=0.5)
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_job_lives_while_its_lock_is_held_and_died_once_killed(tmp_path):
    job = JobDir(tmp_path / "job")
    assert not job.alive
    process = hold(job.path)
    try:
        assert job.alive
        assert job.status()["state"] == "running"
        with pytest.raises(RunError, match="no other process"), job.locked():
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        time.sleep(0.2)  # not waited for: a zombie must count as dead too
    assert not job.alive
    assert job.status()["state"] == "died"
    process.wait()


def test_a_finished_job_is_not_called_dead(tmp_path):
    job = JobDir(tmp_path / "job")
    with job.locked():
        job.write_status(state="done")
    assert job.status()["state"] == "done"


def test_status_is_merged_and_never_half_written(tmp_path):
    job = JobDir(tmp_path)
    job.write_status(state="running", step=1)
    job.write_status(step=2)
    status = job.status()
    assert status["step"] == 2
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".tmp")]


def test_control_is_run_unless_something_known_was_asked(tmp_path):
    job = JobDir(tmp_path)
    assert job.control == "run"
    job.ask("pause")
    assert job.control == "pause"
    (tmp_path / "control").write_text("explode\n")
    assert job.control == "run"


def test_metrics_are_read_line_by_whole_line(tmp_path):
    run = RunDir(tmp_path)
    for step in (1, 2, 3):
        run.append_metrics({"step": step})
    with run.metrics_path.open("a") as f:
        f.write('{"step": 4, "lo')
    assert [r["step"] for r in read_metrics(run.metrics_path)] == [1, 2, 3]
    run.cut_metrics(2)
    assert [r["step"] for r in read_metrics(run.metrics_path)] == [1, 2]


def test_a_checkpoint_appears_whole_or_not_at_all(tmp_path):
    run = RunDir(tmp_path)
    with run.new_checkpoint(5) as folder:
        (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(RuntimeError), run.new_checkpoint(6) as folder:
        (folder / "model.safetensors").write_bytes(b"y")
        raise RuntimeError("killed here")
    assert [p.name for p in run.checkpoints] == ["00000005"]
    assert run.latest_checkpoint.name == "00000005"


def test_a_latest_that_points_nowhere_is_not_believed(tmp_path):
    run = RunDir(tmp_path)
    with run.new_checkpoint(5) as folder:
        (folder / "model.safetensors").write_bytes(b"x")
    write_atomic(tmp_path / "checkpoints" / "latest", "../../etc\n")
    assert run.latest_checkpoint.name == "00000005"


def test_a_full_disk_is_named_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        store.shutil, "disk_usage", lambda p: os.terminal_size((0, 0)) and type("U", (), {"free": 2**20})()
    )
    with pytest.raises(RunError, match="MiB free.*delete old runs"):
        require_space(tmp_path / "not" / "yet", 10)


def test_runs_are_listed_newest_first_and_others_ignored(tmp_path):
    for i, name in enumerate(("old", "new")):
        RunDir(tmp_path / name).write_config(RunConfig())
        os.utime(tmp_path / name / "config.json", (i, i))
    (tmp_path / "stray").mkdir()
    assert [r.name for r in list_runs(tmp_path)] == ["new", "old"]
    assert RunDir(tmp_path / "new").config == RunConfig()


def test_a_directory_without_configuration_is_refused(tmp_path):
    with pytest.raises(RunError, match="config.json"):
        _ = RunDir(tmp_path).config


def test_unreadable_json_reads_as_nothing(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[1]")
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json") == read_json(tmp_path / "c.json") == {}


def _write_often(path: str) -> None:
    for i in range(300):
        write_atomic(store.Path(path), json.dumps({"a": "x" * 5000, "i": i}))


def test_readers_never_see_a_half_written_file(tmp_path):
    path = tmp_path / "status.json"
    write_atomic(path, json.dumps({"i": -1}))
    writer = multiprocessing.get_context("spawn").Process(target=_write_often, args=(str(path),))
    writer.start()
    while writer.is_alive():
        assert "i" in read_json(path)
    writer.join()
    assert read_json(path)["i"] == 299


def test_threads_of_one_server_may_write_one_file(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "control"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write_atomic(path, f"{i}" * 20_000), [i % 10 for i in range(200)]))
    assert len(set(path.read_text())) == 1
    assert len(path.read_text()) == 20_000
    assert [p.name for p in tmp_path.iterdir()] == ["control"]


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simclr_core.store.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(tmp_path / "status.json", "{}")
    assert list(tmp_path.iterdir()) == []
