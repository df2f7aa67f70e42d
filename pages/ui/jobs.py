"""Long work in its own process: start it, watch it, ask it to stop. All truth is in the job's directory.

The process outlives the page, the browser and the app. Whether it lives is told by its lock alone, except in the
seconds between its start and its first lock, which `launch.json` bridges.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.classroom import public, read_only, refuse
from pages.ui.frame import error_frame
from pages.ui.state import ROOT
from pages.ui.text import t
from simclr_core.store import ACTIVE, Control, JobDir, read_json, write_atomic

LAUNCH = "launch.json"
NICENESS = "10"
TICK_SECONDS = 1.0


def threads_to_use() -> int:
    """One core is left to the browser and the app; two torch threads on two busy cores collapse."""
    return max(1, (os.cpu_count() or 2) - 1)


def command(arguments: Sequence[str]) -> list[str]:
    """The full command line: this interpreter, niced where the system can."""
    nice = shutil.which("nice")
    return [*([nice, "-n", NICENESS] if nice else []), sys.executable, "-m", "simclr_core", *arguments]


def start(arguments: Sequence[str], path: str | os.PathLike[str], *, threads: int | None = None) -> JobDir:
    """Start `python -m simclr_core ARGUMENTS` with its output in the job directory's log.

    Args:
        arguments: the verb and its options, one list item each; no shell ever sees them.
        path: the job directory, made if absent; the command itself must work in it.
        threads: numeric threads of the process; by default at most all cores but one, fewer where others need them.
    """
    refuse("start a job")
    job = JobDir(path)
    job.path.mkdir(parents=True, exist_ok=True)
    n = str(threads or threads_to_use())
    search = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": n, "NUMBA_NUM_THREADS": n, "PYTHONPATH": search}
    with (job.path / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # survives the app and its terminal
            env=environment,
        )
    write_atomic(job.path / LAUNCH, f'{{"time": {time.time()}, "pid": {process.pid}}}')
    threading.Thread(target=process.wait, daemon=True).start()  # reaped: a zombie would look alive to /proc
    return job


def ask(job: JobDir, control: Control) -> None:
    """Ask a job to run, pause or stop."""
    refuse(f"ask a job to {control}")
    job.ask(control)


def watch(job: JobDir) -> dict[str, Any]:
    """`JobDir.status()`, with the seconds before the first lock told as "starting" and an early end as "failed"."""
    launch = read_json(job.path / LAUNCH)
    status = job.status()
    if not launch or status.get("updated", 0.0) >= launch["time"]:
        return status
    if job.alive or _exists(launch["pid"]):
        return status | {"state": "starting", "message": ""}
    status = job.status()  # it may have ended between the two readings
    if status.get("updated", 0.0) >= launch["time"]:
        return status
    return status | {"state": "failed", "message": last_line(job)}


def active(job: JobDir) -> bool:
    """Whether the job is starting, running or paused."""
    return watch(job).get("state") in ACTIVE


def active_jobs(root: Path) -> list[JobDir]:
    """Every job under a folder that is starting, running or paused, the newest first."""
    launched = sorted(root.glob(f"*/{LAUNCH}"), key=lambda p: p.stat().st_mtime, reverse=True)
    return [job for job in (JobDir(p.parent) for p in launched) if active(job)]


def last_line(job: JobDir) -> str:
    """The last line of the job's log: where it ended early, the sentence that says why."""
    with suppress(OSError):
        lines = (job.path / "log.txt").read_bytes()[-4000:].decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")
    return ""


def show(job: JobDir, key: str, on_end: Callable[[], None] | None = None) -> str:
    """A job's progress with a cancel button, refreshed each second while it is active.

    Args:
        job: the job.
        key: prefix of the widgets' keys.
        on_end: called once in the session that saw the job end, before the whole page reruns.

    Returns:
        The state when this page was drawn: "" where nothing ever ran, else one of `JobDir`'s states.
    """
    state = str(watch(job).get("state", ""))
    tick = TICK_SECONDS if state in ACTIVE else None
    if state and state != "done":
        st.fragment(_panel, run_every=tick)(job, key, on_end, tick is not None)
    return state


def _panel(job: JobDir, key: str, on_end: Callable[[], None] | None, was_active: bool) -> None:
    with error_frame():
        status = watch(job)
        state = status.get("state", "")
        if state in ACTIVE:
            _progress(job, key, status)
        elif was_active:
            if on_end is not None:
                on_end()
            st.rerun()
        elif state in ("failed", "died"):
            st.error(
                t(f"jobs.{state}", reason=public(status.get("message") or last_line(job))), icon=":material/error:"
            )


def _progress(job: JobDir, key: str, status: dict[str, Any]) -> None:
    share = min(max(float(status.get("progress") or 0.0), 0.0), 1.0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, text=public(status.get("message") or t(f"jobs.{status['state']}")))
        if read_only():
            return
        asked = job.control == "stop"
        text = t("jobs.stopping") if asked else t("jobs.cancel")
        st.button(
            text, key=f"{key}.cancel", disabled=asked, icon=":material/stop_circle:", on_click=ask, args=(job, "stop")
        )


def _exists(pid: int) -> bool:
    """Whether a process of this id is there; zombies do not count."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return False
        with suppress(OSError):  # no /proc: a signal that does nothing
            os.kill(pid, 0)
            return True
        return False
    return fields[0] != "Z"
