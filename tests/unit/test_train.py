"""The loop: what it reports, that it stops with a result, and that an interrupted run ends in the same weights."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch

from simclr_core import device
from simclr_core.checkpoints import inspect, load_encoder
from simclr_core.config import RunConfig, with_overrides
from simclr_core.encode import batch_norm_agreement, encode, encode_pairs, encode_views
from simclr_core.errors import CheckpointError, ConfigError, RunError
from simclr_core.learner import stream
from simclr_core.records import TrainStep
from simclr_core.schedules import rate_at
from simclr_core.store import RunDir, read_metrics
from simclr_core.train import Training, estimate, train

SETTINGS = [
    "train.batch_size=8",
    "train.epochs=2",
    "train.threads=1",
    "train.precision=fp32",
    "train.checkpoint_every=3",
    "model.hidden_dim=16",
    "model.proj_dim=8",
]


@pytest.fixture
def config() -> RunConfig:
    return with_overrides(RunConfig(images="test"), SETTINGS)


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in training.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def test_reports_every_step_of_a_short_run_and_learns_to_tell_twins(config, tiny_images):
    longer = with_overrides(config, ["train.epochs=8"])
    reports = list(train(longer, tiny_images))
    assert [r.step for r in reports] == list(range(1, 41))
    measured = [f.name for f in dataclasses.fields(TrainStep) if f.name not in ("knn_accuracy", "alarms")]
    assert all(math.isfinite(getattr(r, name)) for r in reports for name in measured)
    assert reports[0].loss_ceiling == pytest.approx(math.log(15))
    assert np.mean([r.loss for r in reports[-5:]]) < np.mean([r.loss for r in reports[:5]])


def test_pictures_read_from_a_file_train_the_same_weights(config, tiny_images, tmp_path):
    np.save(tmp_path / "x.npy", tiny_images.image)
    mapped = dataclasses.replace(tiny_images, image=np.load(tmp_path / "x.npy", mmap_mode="c"))
    held, read = Training(config, tiny_images), Training(config, mapped)
    assert held.learner.batches.resident
    assert not read.learner.batches.resident
    list(held), list(read)
    assert same(weights(held), weights(read))


def test_a_run_says_when_others_took_its_cores(config, tiny_images, tmp_path, monkeypatch):
    automatic = with_overrides(config, ["train.threads=null"])
    monkeypatch.setattr(device, "free_cores", lambda: 2)
    monkeypatch.setattr(device, "WATCHED_SECONDS", 0)
    monkeypatch.setattr(device._Others, "cores", lambda self: float(len(device.allowed_cores())))
    run = RunDir(tmp_path / "run")
    list(train(automatic, tiny_images, run=run))
    status = run.status()
    assert (status["threads"], status["backed_off_at"], status["reproducible"]) == (1, 1, False)
    assert "step 1: other programs need cores; 1 threads from here on" in (run.path / "log.txt").read_text()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(config, tiny_images):
    first, second = Training(config, tiny_images), Training(config, tiny_images)
    list(first), list(second)
    assert same(weights(first), weights(second))
    other = Training(with_overrides(config, ["train.seed=1"]), tiny_images)
    list(other)
    assert not same(weights(first), weights(other))


def test_a_step_left_out_by_half_precision_is_a_line_that_every_json_reader_takes(config, tiny_images, tmp_path):
    run = RunDir(tmp_path / "run")
    half = with_overrides(config, ["train.precision=fp16", "train.epochs=2"])
    steps = list(train(half, tiny_images, run=run))
    assert steps[0].grad_norm is None  # the scale begins too high
    lines = run.metrics_path.read_text().splitlines()
    rows = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]
    assert rows[0]["grad_norm"] is None


@pytest.mark.parametrize("killed_after", [1, 4, 7])
def test_a_killed_run_resumed_equals_an_undisturbed_one(config, tiny_images, tmp_path, killed_after):
    whole = Training(config, tiny_images)
    list(whole)
    killed = Training(config, tiny_images, run=RunDir(tmp_path / "run"))
    for report in killed:
        if report.step == killed_after:
            break  # as after kill -9: nothing more is written, not even the step just done
    resumed = Training(config, tiny_images, run=RunDir(tmp_path / "run"), resume=True)
    assert resumed.step == killed_after // 3 * 3
    list(resumed)
    assert same(weights(whole), weights(resumed))
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [r["step"] for r in rows] == list(range(1, 11))


def test_stop_leaves_a_checkpoint_of_that_very_step(config, tiny_images, tmp_path):
    run = RunDir(tmp_path / "run")
    training = Training(config, tiny_images, run=run)
    for report in training:
        if report.step == 5:
            run.ask("stop")
    assert training.step == 5
    assert run.latest_checkpoint.name == "00000005"
    assert load_encoder(run.path).report.matched == load_encoder(run.path).report.total


def test_resume_refuses_other_pictures_and_a_new_run_refuses_an_old_directory(config, tiny_images, tmp_path):
    list(Training(config, tiny_images, run=RunDir(tmp_path / "run")))
    with pytest.raises(RunError, match="add --resume"):
        Training(config, tiny_images, run=RunDir(tmp_path / "run"))
    with pytest.raises(RunError, match="resume with the configuration and pictures"):
        Training(config, tiny_images.take(np.arange(39)), run=RunDir(tmp_path / "run"), resume=True)


def test_only_the_newest_checkpoints_and_those_asked_for_are_kept(config, tiny_images, tmp_path):
    kept = with_overrides(config, ["train.checkpoint_every=1", "train.keep_every=4"])
    run = RunDir(tmp_path / "run")
    list(Training(kept, tiny_images, run=run))
    assert [int(p.name) for p in run.checkpoints] == [4, 8, 9, 10]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_last_good_checkpoint(config, tiny_images, tmp_path):
    run = RunDir(tmp_path / "run")
    training = Training(config, tiny_images, run=run)
    with pytest.raises(RunError, match=r"got nan at step 5; the last good checkpoint is step 3.*learning rate"):
        for report in training:
            if report.step == 4:
                next(training.model.parameters()).data.fill_(float("nan"))
    assert [int(p.name) for p in run.checkpoints] == [3]


@pytest.mark.parametrize(
    ("setting", "says"), [("train.batch_size=1", "no negatives"), ("train.batch_size=64", "at most")]
)
def test_batches_that_cannot_work_are_refused(config, tiny_images, setting, says):
    with pytest.raises(ConfigError, match=says):
        Training(with_overrides(config, [setting]), tiny_images)


def test_the_rate_warms_up_and_ends_at_nothing():
    rates = [rate_at(step, 100, warmup=0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1)
    assert max(rates) == pytest.approx(1)
    assert rates[-1] < 0.001
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))


def test_streams_do_not_depend_on_what_was_drawn_before():
    a = torch.rand(3, generator=stream(5, "views", 17))
    torch.rand(100, generator=stream(5, "views", 16))
    assert torch.equal(a, torch.rand(3, generator=stream(5, "views", 17)))
    assert not torch.equal(a, torch.rand(3, generator=stream(5, "order", 17)))


def test_the_estimate_counts_the_whole_run(config, tiny_images):
    short = estimate(config, tiny_images, steps=1)
    assert 0 < short < 60


@pytest.mark.parametrize("backbone", ["small", "resnet18"])
def test_a_saved_encoder_encodes_as_the_network_in_memory(config, tiny_images, tmp_path, backbone):
    config = with_overrides(config, [f"model.backbone={backbone}", "train.epochs=1"])
    training = Training(config, tiny_images, run=RunDir(tmp_path / "run"))
    list(training)
    encoder = load_encoder(tmp_path / "run")
    table = encode(encoder, tiny_images)
    with torch.inference_mode():
        x = torch.from_numpy(tiny_images.image).permute(0, 3, 1, 2).float() / 255
        h, z = training.model.eval()(x)
    np.testing.assert_allclose(table.h, h.numpy(), atol=1e-5)
    np.testing.assert_allclose(table.z, z.numpy(), atol=1e-5)
    assert json.loads(json.dumps(inspect(tmp_path / "run")))["architecture"] == backbone


def test_untrained_is_the_network_before_its_first_step(config, tiny_images, tmp_path):
    training = Training(config, tiny_images, run=RunDir(tmp_path / "run"))
    before = weights(training)
    list(training)
    untrained = load_encoder(f"untrained:{tmp_path / 'run'}")
    assert same(before, untrained.module.state_dict())


def test_pairs_are_drawn_again_from_their_seed(config, tiny_images, tmp_path):
    list(Training(config, tiny_images, run=RunDir(tmp_path / "run")))
    encoder = load_encoder(tmp_path / "run")
    first, second = (encode_pairs(encoder, tiny_images, augment=config.augment, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.z_a, second.z_a)
    assert not np.allclose(first.z_a, first.z_b)
    more = encode_pairs(encoder, tiny_images, augment=config.augment, seed=3, views=4)
    np.testing.assert_array_equal(more.z_b, first.z_b)
    assert more.all_views("h").shape == (len(tiny_images), 4, first.h_a.shape[1])
    assert not np.allclose(more.h_more[:, 0], more.h_more[:, 1])
    pixels, h, z = encode_views(encoder, tiny_images.image[0], 5, augment=config.augment)
    assert (len(pixels), len(h), len(z)) == (5, 5, 5)


def test_batch_norm_agrees_more_the_more_images_it_sees_and_group_norm_always(config, tiny_images, tmp_path):
    found = {}
    for norm in ("batch", "group"):
        run = RunDir(tmp_path / norm)
        list(Training(with_overrides(config, [f"model.norm={norm}", "train.epochs=8"]), tiny_images, run=run))
        encoder = load_encoder(run.path)
        before = {k: v.clone() for k, v in encoder.module.state_dict().items()}
        found[norm] = batch_norm_agreement(encoder, tiny_images, [2, 40], augment=config.augment)
        assert all(torch.equal(before[k], v) for k, v in encoder.module.state_dict().items())
    assert found["group"] == pytest.approx([1, 1], abs=1e-5)
    assert found["batch"][0] < found["batch"][1] < 1


def test_encoder_files_that_cannot_be_used_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="a file or a run with a checkpoint"):
        load_encoder(tmp_path / "nothing")
    (tmp_path / "bad.safetensors").write_bytes(b"not a tensor file at all")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_encoder(tmp_path / "bad.safetensors")
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="known layout"):
        load_encoder(tmp_path / "other.safetensors")
