"""Several processes with gloo: together they do what one does with the whole batch."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from simclr_core.config import RunConfig, with_overrides
from simclr_core.distributed import Ranks, joined
from simclr_core.errors import ConfigError
from simclr_core.learner import Learner
from simclr_core.sources import load_images
from simclr_core.store import RunDir, read_metrics

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = ["train.batch_size=32", "train.device=cpu", "train.optimizer=sgd", "train.lr=0.05", "model.norm=group"]
# Its children begin with torch imported, which would take each longer than its steps.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["simclr_core.learner", "simclr_core.sources"])


def test_cores_are_shared_by_the_processes_of_this_machine_alone(monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert (Ranks().here, Ranks(0, 4).here) == (1, 4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert (Ranks().here, Ranks(3, 4).here) == (1, 2)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environments(processes: int) -> list[dict[str, str]]:
    """What torchrun gives to each, without its agent."""
    if processes == 1:
        return [{}]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    return [shared | {"RANK": str(r), "LOCAL_RANK": str(r)} for r in range(processes)]


def two_steps(environment: dict[str, str], out: Path, settings: list[str]) -> None:
    """One process of several; the first writes losses, gradients of the first step, and what the objective remembers."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    images = load_images("digits", split="train")
    config = with_overrides(RunConfig(images="digits"), settings).resolved(len(images))
    with joined("cpu") as ranks:
        made = Learner(config, images, ranks)
        loss = [made.step(0, 10).loss]
        gradient = [p.grad.clone() for p in made.model.parameters()]
        loss.append(made.step(1, 10).loss)
        if ranks.first:
            torch.save({"loss": loss, "gradient": gradient, "objective": made.objective.state_dict()}, out)


def steps_of(processes: int, out: Path, settings: list[str]) -> dict:
    started = [FORKS.Process(target=two_steps, args=(e, out, settings)) for e in environments(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(240)
        assert process.exitcode == 0
    return torch.load(out, weights_only=True)


def launch(processes: int, *command: str) -> list[subprocess.CompletedProcess]:
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments(processes)
    ]
    done = []
    for process in started:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err[-3000:]
        done.append(subprocess.CompletedProcess(command, 0, out, err))
    return done


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["nt_xent", "moco", "bank"])
def test_processes_together_equal_one(tmp_path, objective):
    found = {}
    for processes, chunk in ((1, None), (2, None), (4, 4)) if objective == "nt_xent" else ((1, None), (2, 8)):
        chunked = [f"train.chunk={chunk}"] if chunk else []
        settings = [*SETTINGS, f"train.objective={objective}", *chunked]
        found[processes] = steps_of(processes, tmp_path / f"{processes}.pt", settings)
    one = found.pop(1)
    for several in found.values():
        torch.testing.assert_close(torch.stack(several["loss"]), torch.stack(one["loss"]), rtol=1e-5, atol=1e-6)
        for a, b in zip(one["gradient"], several["gradient"], strict=True):
            assert (a - b).norm() <= 1e-5 * a.norm() + 1e-8
        for name, value in one["objective"].items():
            torch.testing.assert_close(several["objective"][name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_run_of_two_processes_is_resumed_by_one(tmp_path):
    out = tmp_path / "run"
    train = ["-m", "simclr_core", "train", "--images", "digits", "--out", str(out), "--json", "--threads", "1"]
    stop = ["--set", "train.batch_size=64", "train.device=cpu", "train.epochs=2", "model.norm=group"]
    first, second = launch(2, *train, *stop)
    assert json.loads(first.stdout)["processes"] == 2
    assert second.stdout == ""
    whole = RunDir(out)
    rows = read_metrics(whole.metrics_path)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    newest = whole.checkpoints[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    (alone,) = launch(1, *train, "--resume")
    assert json.loads(alone.stdout)["steps"] == len(rows)
    again = read_metrics(whole.metrics_path)
    assert again[-1]["loss"] == pytest.approx(rows[-1]["loss"], rel=1e-3)


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    assert Ranks(1, 4).mine(8) == slice(2, 4)
    with pytest.raises(ConfigError, match="multiple of the number of processes"):
        Ranks(0, 3).mine(8)
