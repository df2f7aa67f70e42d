"""The programs of `benchmarks/` at a tiny size, and the verb that lists and runs them."""

import json
import subprocess
import xml.etree.ElementTree as ET
from argparse import Namespace

import numpy as np
import pytest
import torch

from benchmarks import bench_cifar, bench_gpu, bench_threads, curve
from simclr_core import commands
from simclr_core.config import RunConfig, with_overrides
from simclr_core.errors import ConfigError, RunError
from simclr_core.knn import knn_accuracy
from simclr_core.train import Training

TINY = [
    "model.backbone=small", "model.hidden_dim=16", "model.proj_dim=8", "train.batch_size=16",
    "train.precision=fp32", "train.device=cpu", "train.threads=1",
]  # fmt: skip


@pytest.fixture
def config() -> RunConfig:
    return with_overrides(RunConfig(), TINY)


# -- accuracy against minutes --------------------------------------------------------------------------------------------
def test_a_run_is_looked_at_before_on_the_way_and_at_its_end(config, tiny_images):
    training = Training(with_overrides(config, ["train.epochs=3"]), tiny_images)
    points = list(curve.follow(training, tiny_images, tiny_images, looks=3))
    assert [p["step"] for p in points] == [0, 2, 4, 6]
    for name in ("seconds", "processor_seconds"):
        times = [p[name] for p in points]
        assert times[0] == 0
        assert times == sorted(set(times))
    assert points[-1]["seconds"] == training.seconds
    x = torch.from_numpy(tiny_images.image).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        h = training.model.eval().backbone((x - 0.5) / 0.25).numpy()
    assert points[-1]["knn"] == knn_accuracy(h, tiny_images.label, h, tiny_images.label)


def test_looking_changes_nothing_that_is_learnt(config, tiny_images):
    short = with_overrides(config, ["train.epochs=3"])
    seen, alone = Training(short, tiny_images), Training(short, tiny_images)
    list(curve.follow(seen, tiny_images, tiny_images, looks=6)), list(alone)
    assert all(torch.equal(a, b) for a, b in zip(seen.model.parameters(), alone.model.parameters(), strict=True))


@pytest.mark.parametrize(("minutes", "epochs"), [(5, 5), (0.1, 1), (20, 21)])
def test_as_many_epochs_are_begun_as_fit(config, tiny_images, monkeypatch, minutes, epochs):
    monkeypatch.setattr(curve, "estimate", lambda config, images, steps: 57.0 * config.train.epochs)
    assert curve.epochs_within(config, tiny_images, minutes) == epochs


def test_the_first_look_at_the_goal_counts():
    points = [{"seconds": 1.0, "knn": 0.5}, {"seconds": 2.0, "knn": 0.8}, {"seconds": 3.0, "knn": 0.79}]
    assert curve.seconds_to(points, 0.8) == 2
    assert curve.seconds_to(points, 0.9) is None


def test_the_drawing_stands_alone_and_goes_where_the_numbers_say():
    points = [{"seconds": 0.0, "knn": 0.3}, {"seconds": 60.0, "knn": 0.4}, {"seconds": 120.0, "knn": 0.5}]
    root = ET.fromstring(curve.drawing({"one": points, "two": points[:2]}))
    space = {"s": "http://www.w3.org/2000/svg"}
    first, second = root.findall(".//s:polyline", space)
    xy = [tuple(map(float, p.split(","))) for p in first.get("points").split()]
    assert xy[1] == pytest.approx(np.mean([xy[0], xy[2]], axis=0), abs=0.1)
    assert second.get("points") in first.get("points")
    texts = [t.text for t in root.findall(".//s:text", space)]
    assert {"0.30", "0.50", "2.0", "one", "two"} <= set(texts)


def test_curves_are_kept_by_name_on_one_machine_only(config, tiny_images, tmp_path, monkeypatch):
    part = tiny_images.image[:, :16, :16]
    np.savez(tmp_path / "x.npz", train_x=part, train_y=tiny_images.label, test_x=part, test_y=tiny_images.label)
    monkeypatch.setattr(bench_cifar, "RESULTS", tmp_path)
    monkeypatch.setattr("benchmarks.machine.RESULTS", tmp_path)
    monkeypatch.setattr(bench_cifar, "DRAWING", tmp_path / "x.svg")
    monkeypatch.setattr(bench_cifar, "epochs_within", lambda config, images, minutes: 1)
    base = {"images": f"npz:{tmp_path / 'x.npz'}", "recipe": None, "set": TINY, "looks": 1}
    for name in ("a", "b"):
        bench_cifar.of_curves(Namespace(name=name, minutes=[0.1], **base))
    kept = json.loads((tmp_path / "cifar10_curve.json").read_text())
    assert list(kept["runs"]) == ["a, 0.1 min", "b, 0.1 min"]
    assert kept["runs"]["a, 0.1 min"]["epochs"] == 1
    ET.parse(tmp_path / "x.svg")
    monkeypatch.setattr(bench_cifar, "processor", lambda: "another")
    bench_cifar.of_curves(Namespace(name="c", minutes=[0.1], **base))
    assert list(json.loads((tmp_path / "cifar10_curve.json").read_text())["runs"]) == ["c, 0.1 min"]


# -- on a GPU ------------------------------------------------------------------------------------------------------------
def test_one_way_to_train_is_measured(tmp_path):
    found = bench_gpu.measure(TINY, bench_gpu.pictures(64), steps=2, warm=1)
    assert found["images_per_second"] > 0
    assert 0 < found["views_share_of_step"] < 1
    assert found["peak_gib"] is None
    assert 0 < max(found["busiest"].values()) <= 1


def test_the_way_to_a_goal_is_timed(tiny_images, tmp_path):
    np.savez(tmp_path / "x.npz", train_x=tiny_images.image, train_y=tiny_images.label,
             test_x=tiny_images.image, test_y=tiny_images.label)  # fmt: skip
    found = bench_gpu.time_to_goal(f"npz:{tmp_path / 'x.npz'}", TINY, epochs=1, looks=1)
    reached = [p["seconds"] for p in found["points"] if p["knn"] >= 0.8]
    assert found["seconds_to_goal"] == (reached[0] if reached else None)
    assert len(found["points"]) == 2


def test_without_a_gpu_it_is_said_and_nothing_is_written(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench_gpu, "write", lambda *_: pytest.fail("nothing was measured"))
    monkeypatch.setattr("sys.argv", ["bench_gpu.py"])
    assert bench_gpu.main() == 2
    assert "no GPU" in capsys.readouterr().err


# -- a busy neighbour ----------------------------------------------------------------------------------------------------
def test_a_neighbour_ends_with_its_block_whatever_happens(monkeypatch):
    begun: list[subprocess.Popen] = []
    start = subprocess.Popen
    monkeypatch.setattr(bench_threads.subprocess, "Popen", lambda *a: begun.append(start(*a)) or begun[-1])
    with pytest.raises(KeyboardInterrupt), bench_threads.neighbour() as begin:
        begin()
        assert begun[0].poll() is None
        raise KeyboardInterrupt
    assert begun[0].poll() is not None


def test_a_run_that_takes_too_long_is_given_up(monkeypatch):
    seconds, training = bench_threads.run(bench_threads.pictures(256), 1, None, steps=50, most=0.0)
    assert seconds > 0
    assert training.governor.threads == 1


# -- the verb ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "old.json").write_text("{}")
    writes = 'import pathlib, sys\npathlib.Path(__file__).parent.joinpath("results/%s.json").write_text(\'{"n": 1}\')'
    (tmp_path / "bench_quick.py").write_text(f'"""How quick it is.\n\nMore."""\n{writes % "quick_b"}')
    (tmp_path / "bench_needy.py").write_text('"""What needs pictures."""\nimport sys; sys.exit(2)')
    (tmp_path / "bench_broken.py").write_text('"""What fails."""\n1 / 0')
    monkeypatch.setattr(commands, "BENCHMARKS", tmp_path)
    return tmp_path


def bench(name, *options):
    return commands.bench(Namespace(name=name, options=list(options)))


def test_without_a_name_measurements_are_listed(folder):
    assert bench(None) == {"broken": "What fails.", "needy": "What needs pictures.", "quick": "How quick it is."}


def test_a_measurement_s_result_file_is_the_answer(folder):
    assert bench("quick") == {"n": 1}
    with pytest.raises(ConfigError, match="all, or one of broken, needy, quick"):
        bench("slow")
    with pytest.raises(ConfigError, match="needs more than this"):
        bench("needy")
    with pytest.raises(RunError, match="ended with code 1"):
        bench("broken")


def test_all_are_run_and_what_needs_more_is_not_measured(folder):
    (folder / "bench_broken.py").unlink()
    found = bench("all")
    assert found["quick"] == {"quick_b": {"n": 1}}
    assert found["needy"].startswith("not measured")
