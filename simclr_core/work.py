"""A verb's work as a job: progress on stderr and in a job directory, and how it ended told there. Nothing goes to stdout."""

from __future__ import annotations

import errno
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simclr_core.errors import RunError, SimclrError, sentence
from simclr_core.progress import Progress, Stopped
from simclr_core.store import JobDir, RunDir

STATUS_SECONDS = 0.25  # how often a job tells its progress at most
# What the system says of a path that a person chose.
REFUSED = {
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EISDIR,
    errno.ENOTDIR,
}


def environment_error(error: BaseException) -> str | None:
    """A sentence where the system refused a path or the disk is full; None where the error is a bug."""
    if not isinstance(error, OSError) or error.errno not in REFUSED:
        return None
    return sentence("path", "one that can be read or written here", error.filename, f"{error.strerror}; choose another")


def say(line: str) -> None:
    """A line for the person watching; stdout is for the one JSON object."""
    print(line, file=sys.stderr, flush=True)


def reporter(job: JobDir | None) -> Progress:
    """Progress on stderr and, for a job, in its status; a job asked to stop says so."""
    last: dict[str, Any] = {"time": 0.0, "message": ""}

    def report(share: float, message: str) -> bool:
        now = time.monotonic()
        if message != last["message"]:
            say(message)
        if job is not None and (now - last["time"] > STATUS_SECONDS or message != last["message"]):
            job.write_status(state="running", progress=share, message=message)
            last["time"] = now
        last["message"] = message
        return job is not None and job.control == "stop"

    return report


@contextmanager
def job_of(args: Namespace) -> Iterator[Progress]:
    """Do a verb's work as a job where `--job DIR` asks for one: lock, status, log; otherwise only report."""
    if not args.job:
        yield reporter(None)
        return
    job = JobDir(args.job)
    with job.locked():
        job.ask("run")
        job.write_status(state="running", progress=0.0, message="", began=time.time())
        with told(job):
            yield reporter(job)
        job.write_status(state="done", progress=1.0)


@contextmanager
def told(job: JobDir) -> Iterator[None]:
    """Write how work ended badly into its job directory, then let the error go on."""
    try:
        yield
    except Stopped:
        job.write_status(state="stopped", message="stopped")
        raise
    except SimclrError as error:
        job.write_status(state="failed", message=str(error))
        raise
    except BaseException as error:
        line = environment_error(error)
        if line is None:
            job.log(traceback.format_exc())
        job.write_status(state="failed", message=line or "a bug; the traceback is in log.txt")
        raise


def finishing(run: RunDir) -> Progress:
    def report(share: float, message: str) -> bool:
        say(message)
        run.write_status(state="running", message=message)
        return False

    return report


def known_run(path: str, name: str = "run") -> RunDir:
    """A run directory that an option called `name` points at; `RunError` where there is none."""
    run = RunDir(path)
    if not run.exists:
        raise RunError(sentence(name, "a run directory", path, "check the path"))
    return run
