"""The timeline diagnoses every kept checkpoint on one sample, as the run's own looks did, and its page tells it."""

import json

import numpy as np
import pytest

from simclr_core.__main__ import main
from simclr_core.config import RunConfig, with_overrides
from simclr_core.errors import RunError
from simclr_core.progress import Stopped
from simclr_core.store import RunDir
from simclr_core.timeline import TIMELINE, make_timeline
from simclr_core.train import Training
from simclr_core.verdict import DIAGNOSES

FAST = [
    "train.batch_size=20",
    "train.epochs=4",
    "train.threads=1",
    "train.device=cpu",
    "model.hidden_dim=16",
    "model.proj_dim=8",
]
FAST += ["train.checkpoint_every=2", "train.keep_every=2", "train.monitor_every=4", "train.objective=alignment"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDir:
    """Six steps that draw views together only, a checkpoint every second, a live look at the fourth."""
    root = tmp_path_factory.mktemp("timeline")
    rng = np.random.default_rng(0)
    image, label = rng.integers(0, 255, (60, 16, 16, 3), dtype=np.uint8), np.arange(60) % 3
    np.savez(root / "set.npz", train_x=image[:40], train_y=label[:40], test_x=image[40:], test_y=label[40:])
    from simclr_core.pipeline import load_for

    config = with_overrides(RunConfig(images=f"npz:{root / 'set.npz'}"), FAST)
    run = RunDir(root / "run")
    list(Training(config, load_for(config, "train"), run=run, held=load_for(config, "test")))
    return run


def test_every_kept_checkpoint_is_a_point_as_the_live_look_saw_it(run):
    found = make_timeline(run)
    assert json.loads((run.path / TIMELINE).read_text()) == found
    assert [p["step"] for p in found["points"]] == [int(c.name) for c in run.checkpoints] == [2, 4, 6, 8]
    assert found["n"] == 20
    live = {
        row["step"]: row for row in map(json.loads, run.metrics_path.read_text().splitlines()) if row["knn_accuracy"]
    }
    assert set(live) == {4, 8}
    for point in found["points"]:
        for space in point["spaces"].values():
            assert space["verdict"] in {"healthy", *DIAGNOSES}
            assert (space["verdict"] == "healthy") == (not space["failing"])
        if point["step"] in live:
            assert point["knn_accuracy"] == pytest.approx(live[point["step"]]["knn_accuracy"])
    assert len({p["spaces"]["z"]["metrics"]["std_ratio"] for p in found["points"]}) == 4


def test_the_verb_prints_the_points(run, capsys):
    assert main(["timeline", str(run.path), "--json", "--job", str(run.path / "timeline")]) == 0
    assert len(json.loads(capsys.readouterr().out)["points"]) == 4
    assert RunDir(run.path / "timeline").status()["state"] == "done"


def test_a_stop_writes_nothing(run):
    (run.path / TIMELINE).unlink(missing_ok=True)
    with pytest.raises(Stopped):
        make_timeline(run, lambda share, message: share > 0.3)
    assert not (run.path / TIMELINE).exists()


def test_a_run_without_checkpoints_is_a_sentence(tmp_path):
    run = RunDir(tmp_path / "run")
    run.write_config(RunConfig())
    with pytest.raises(RunError, match="keep_every"):
        make_timeline(run)
