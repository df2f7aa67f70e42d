"""Directories of long jobs: written by one process, read by any number, safe against being killed at any moment.

A job directory holds `status.json` (replaced as a whole), `control` (run | pause | stop), `log.txt` and `lock`. The lock
is held by flock for the life of the process, so it is the one test of whether the job lives: a process id can be
reused or belong to a zombie. A run directory is a job directory that also holds a configuration, metrics,
checkpoints, embeddings and maps.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from simclr_core.config import RunConfig, from_dict, to_dict
from simclr_core.errors import RunError, sentence

Control = Literal["run", "pause", "stop"]
CONTROLS: tuple[Control, ...] = ("run", "pause", "stop")
ACTIVE = ("starting", "running", "paused")
LATEST = "latest"
FREE_BYTES_SPARE = 64 * 2**20  # what must stay free on the disk after everything planned is written


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace a file as a whole: a reader sees the old or the new content, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A server's threads may write one file at once: each has a temporary file of its own.
    tmp = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with tmp.open("wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
            f.flush()
            os.fsync(f.fileno())
        tmp.replace(path)
    finally:
        tmp.unlink(missing_ok=True)  # of a disk that was full


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or {} where the file is absent or not yet whole."""
    try:
        data = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return data if isinstance(data, dict) else {}


def require_space(path: Path, needed: int) -> None:
    """Refuse to start writing what the disk cannot take."""
    where = path
    while not where.exists():
        where = where.parent
    free = shutil.disk_usage(where).free
    if free < needed + FREE_BYTES_SPARE:
        rule = f"on a disk with {(needed + FREE_BYTES_SPARE) / 2**20:.0f} MiB free"
        raise RunError(
            sentence("out", rule, f"{free / 2**20:.0f} MiB free", "delete old runs or choose another folder")
        )


class JobDir:
    """One long job's directory. `status` keys: state, message, progress in [0, 1], seconds, and the job's own."""

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.name

    # -- written by the job ------------------------------------------------------------------------------------------
    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the job's lock; `RunError` when another process holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a") as f:
            deadline = time.monotonic() + 1.0
            while not _flock(f.fileno(), fcntl.LOCK_EX):
                # A reader testing for life holds a shared lock for an instant: ask again before giving up.
                if time.monotonic() > deadline:
                    remedy = "wait for it, stop it, or choose another directory"
                    raise RunError(sentence("out", "a directory no other process works in", str(self.path), remedy))
                time.sleep(0.02)
            yield

    def write_status(self, **changes: Any) -> None:
        """Merge changes into `status.json`."""
        status = read_json(self.path / "status.json") | changes | {"updated": time.time()}
        write_atomic(self.path / "status.json", json.dumps(status))

    def log(self, line: str) -> None:
        """Append a line to `log.txt`."""
        with (self.path / "log.txt").open("a") as f:
            f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    @property
    def control(self) -> Control:
        """What a person asked of the job; run where nothing was asked."""
        with suppress(OSError):
            asked = (self.path / "control").read_text().strip()
            for known in CONTROLS:
                if asked == known:
                    return known
        return "run"

    # -- asked by the app --------------------------------------------------------------------------------------------
    def ask(self, control: Control) -> None:
        """Ask the job to run, pause or stop with a result."""
        write_atomic(self.path / "control", control + "\n")

    @property
    def alive(self) -> bool:
        """Whether a process holds the lock now."""
        try:
            with (self.path / "lock").open("r") as f:
                free = _flock(f.fileno(), fcntl.LOCK_SH)
        except OSError:
            return False
        return not free

    def status(self) -> dict[str, Any]:
        """The job's last word; its state is "died" where it says it is active but no process holds the lock."""
        alive = self.alive
        status = read_json(self.path / "status.json")
        if status.get("state") in ACTIVE and not alive:
            # The job may have ended between the two readings: only what it wrote last counts.
            status = read_json(self.path / "status.json")
            if status.get("state") in ACTIVE:
                status["state"] = "died"
        return status

    def disk_bytes(self) -> int:
        """What the directory takes on disk."""
        return sum(f.stat().st_size for f in self.path.rglob("*") if f.is_file())


def _flock(fd: int, mode: int) -> bool:
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class RunDir(JobDir):
    """A training run on disk; see docs/run-directory.md for every file."""

    @property
    def config(self) -> RunConfig:
        """The configuration as the run resolved it."""
        data = read_json(self.path / "config.json")
        if "config" not in data:
            raise RunError(
                sentence("run", "a run directory with config.json", str(self.path), "choose another or train")
            )
        return from_dict(RunConfig, data["config"])

    @property
    def info(self) -> dict[str, Any]:
        """`config.json` as it is: config, run id, data digest, number of images."""
        return read_json(self.path / "config.json")

    @property
    def exists(self) -> bool:
        return (self.path / "config.json").exists()

    def require_new(self, remedy: str = "choose another name") -> None:
        """Refuse to write over a run; asked before anything is written, its status included."""
        if self.exists:
            raise RunError(sentence("out", "a new directory", str(self.path), remedy))

    @property
    def references(self) -> dict[str, Any]:
        """The numbers that its diagnosis was first set beside, {} where it has none."""
        return read_json(self.path / "embeddings" / "report.json").get("references", {})

    def write_config(self, config: RunConfig, **info: Any) -> None:
        write_atomic(self.path / "config.json", json.dumps({"config": to_dict(config)} | info, indent=1))

    # -- metrics -----------------------------------------------------------------------------------------------------
    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Write one whole line with one write, so that a reader never sees half of it for long."""
        with self.metrics_path.open("a") as f:
            f.write(json.dumps(row) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drop lines past a step: a resumed run repeats them."""
        kept = [row for row in read_metrics(self.metrics_path) if row["step"] <= step]
        write_atomic(self.metrics_path, "".join(json.dumps(row) + "\n" for row in kept))

    # -- checkpoints -------------------------------------------------------------------------------------------------
    @property
    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        return sorted(p.parent for p in self.path.glob("checkpoints/[0-9]*/model.safetensors"))

    @property
    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint that `latest` vouches for, or the newest whole one."""
        root = self.path / "checkpoints"
        with suppress(OSError):
            named = root / (root / LATEST).read_text().strip()
            if named.parent == root and (named / "model.safetensors").exists():
                return named
        return self.checkpoints[-1] if self.checkpoints else None

    @contextmanager
    def new_checkpoint(self, step: int) -> Iterator[Path]:
        """Yield a temporary folder to fill; it becomes `checkpoints/STEP` as one, and `latest` then names it."""
        root = self.path / "checkpoints"
        final, tmp = root / f"{step:08d}", root / f".{step:08d}.tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        yield tmp
        for f in tmp.iterdir():
            with f.open("rb") as handle:
                os.fsync(handle.fileno())
        shutil.rmtree(final, ignore_errors=True)
        tmp.rename(final)
        write_atomic(root / LATEST, final.name + "\n")

    def drop_old_checkpoints(self, keep_every: int | None, keep: int = 2) -> None:
        """Keep the newest few and every `keep_every`-th step."""
        for path in self.checkpoints[:-keep]:
            if not keep_every or int(path.name) % keep_every:
                shutil.rmtree(path, ignore_errors=True)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Whole lines of a metrics file; a half-written last line is left for next time."""
    try:
        text = path.read_bytes()
    except OSError:
        return []
    return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines() if line.strip()]


def list_runs(root: str | os.PathLike[str]) -> list[RunDir]:
    """Run directories under a folder, newest first."""
    found = [RunDir(p.parent) for p in Path(root).glob("*/config.json")]
    return sorted(found, key=lambda run: (run.path / "config.json").stat().st_mtime, reverse=True)
