"""Several processes with gloo: together they do what one does with the whole batch."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from simclr_core.distributed import Ranks
from simclr_core.errors import ConfigError
from simclr_core.store import RunDir, read_metrics

ROOT = Path(__file__).resolve().parents[2]

# One process of several: a step of the learner, its loss and gradients written by the first.
STEP = """
import sys, torch
from simclr_core.config import RunConfig, with_overrides
from simclr_core.distributed import joined
from simclr_core.learner import Learner
from simclr_core.sources import load_images
torch.set_num_threads(1)
images = load_images("digits", split="train")
config = with_overrides(RunConfig(images="digits"), sys.argv[2:]).resolved(len(images))
with joined("cpu") as ranks:
    made = Learner(config, images, ranks)
    loss = [made.step(0, 10).loss]
    gradient = [p.grad.clone() for p in made.model.parameters()]
    loss.append(made.step(1, 10).loss)
    if ranks.first:
        state = made.objective.state_dict()
        torch.save({"loss": loss, "gradient": gradient, "objective": state}, sys.argv[1])
"""
SETTINGS = ["train.batch_size=32", "train.device=cpu", "train.optimizer=sgd", "train.lr=0.05", "model.norm=group"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def launch(processes: int, *command: str) -> list[subprocess.CompletedProcess]:
    """The environment that torchrun gives, without its agent."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    if processes == 1:
        shared = {}
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | shared | ({"RANK": str(r), "LOCAL_RANK": str(r)} if shared else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for r in range(processes)
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
        out = tmp_path / f"{processes}.pt"
        chunked = [f"train.chunk={chunk}"] if chunk else []
        launch(processes, "-c", STEP, str(out), *SETTINGS, f"train.objective={objective}", *chunked)
        found[processes] = torch.load(out, weights_only=True)
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
