"""One step: the same whatever the chunks and processes, and what it leaves behind."""

import dataclasses

import numpy as np
import pytest
import torch

from simclr_core.batches import Batches
from simclr_core.config import RunConfig, with_overrides
from simclr_core.distributed import Ranks
from simclr_core.errors import ConfigError
from simclr_core.learner import Learner, still_statistics
from simclr_core.objectives import OBJECTIVES
from simclr_core.schedules import temperature_at

SETTINGS = [
    "train.batch_size=8",
    "train.epochs=2",
    "train.lr=0.1",
    "train.optimizer=sgd",
    "train.warmup=0",
    "train.precision=fp32",
    "model.hidden_dim=16",
    "model.proj_dim=8",
]


@pytest.fixture
def config() -> RunConfig:
    return with_overrides(RunConfig(images="test"), SETTINGS)


def learner(config, images, *overrides: str) -> Learner:
    return Learner(with_overrides(config, overrides).resolved(len(images)), images)


def gradients(made: Learner) -> list[torch.Tensor]:
    return [p.grad.clone() for p in made.model.parameters()]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_chunks_give_the_gradient_of_the_whole_batch(config, tiny_images, objective, chunk):
    exact = ["model.norm=group", f"train.objective={objective}"]
    whole, cut = (learner(config, tiny_images, *exact, *more) for more in ([], [f"train.chunk={chunk}"]))
    one, other = whole.step(0, 10), cut.step(0, 10)
    assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-6)
    for a, b in zip(gradients(whole), gradients(cut), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6 * a.norm().item() + 1e-9)


def test_batch_statistics_move_once_a_step_however_many_passes_are_made(config, tiny_images):
    cut = learner(config, tiny_images, "train.chunk=4")
    cut.step(0, 10)
    counts = {int(v) for k, v in cut.model.state_dict().items() if k.endswith("num_batches_tracked")}
    assert counts == {2}  # one a chunk: the second pass alone


def test_still_statistics_normalise_by_the_batch_and_leave_no_trace(config, tiny_images):
    model = learner(config, tiny_images).model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x = torch.rand(8, 3, 16, 16)
    with still_statistics(model), torch.no_grad():
        still, _ = model(x)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    moving, _ = model(x)
    torch.testing.assert_close(still, moving.detach())
    assert not torch.equal(before["backbone.stem.2.running_mean"], model.state_dict()["backbone.stem.2.running_mean"])


def test_views_do_not_depend_on_chunks_or_processes(config, tiny_images):
    made = learner(config, tiny_images)
    rows = made.rows(3)
    whole = made._views(made.batches.take(rows), made._draws(3), slice(None)).unflatten(0, (2, 8))
    half = Learner(made.config, tiny_images, Ranks(1, 2))
    mine = half._views(half.batches.take(rows[half.share]), half._draws(3), slice(1, 3)).unflatten(0, (2, 2))
    torch.testing.assert_close(mine, whole[:, 5:7], rtol=0, atol=1e-6)


def test_every_view_is_drawn_as_its_own_settings_say(config, tiny_images):
    three = (
        '[{"jitter_p": 0, "grayscale_p": 1}, {}, {"grayscale_p": 0, "jitter_p": 0, "crop_scale": [1, 1], "flip_p": 0}]'
    )
    made = learner(config, tiny_images, f"views={three}")
    rows = made.rows(0)
    grey, _, still = made._views(made.batches.take(rows), made._draws(0), slice(None)).chunk(3)
    assert torch.allclose(grey[:, 0], grey[:, 1])
    torch.testing.assert_close(still, torch.from_numpy(tiny_images.image[rows]).permute(0, 3, 1, 2) / 255)
    assert len(made.step(0, 10).views) == 3


@pytest.mark.parametrize("views", ["[{}]", '{"a": 1}', '[{}, {"blur": 1}]', '[{}, {"blur_p": 2}]', "[{}, 3]"])
def test_views_that_cannot_be_drawn_are_refused(config, views):
    with pytest.raises(ConfigError):
        with_overrides(config, [f"views={views}"])


def test_the_average_follows_the_weights(config, tiny_images):
    made = learner(config, tiny_images, "train.ema=0.5")
    made.step(0, 10)
    first = {k: v.clone() for k, v in made.model.state_dict().items()}
    assert all(torch.equal(v, made.encoder.state_dict()[k]) for k, v in first.items())  # it begins as a copy
    made.step(1, 10)
    name = "projection_head.0.weight"
    expected = 0.5 * first[name] + 0.5 * made.model.state_dict()[name]
    torch.testing.assert_close(made.encoder.state_dict()[name], expected)
    assert made.encoder is not made.model


def test_state_carries_everything_over_a_break(config, tiny_images):
    settings = ["train.ema=0.9", "train.optimizer=muon"]
    settings.append("train.temperature_schedule=learned")
    unbroken, before, after = (learner(config, tiny_images, *settings) for _ in range(3))
    for step in range(4):
        unbroken.step(step, 10)
    for step in range(2):
        before.step(step, 10)
    after.model.load_state_dict(before.model.state_dict())
    after.load(before.state())
    for step in range(2, 4):
        after.step(step, 10)
    for one, other in ((unbroken.model, after.model), (unbroken.encoder, after.encoder)):
        assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())
    for name, value in unbroken.objective.state_dict().items():
        assert torch.equal(value, after.objective.state_dict()[name]), name


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_and_remembers_over_a_break(config, tiny_images, name):
    own = {"moco": '{"queue": 36, "momentum": 0}', "bank": '{"negatives": 30}'}
    settings = [f"train.objective={name}", f"train.objective_params={own.get(name, '{}')}"]
    unbroken, before, after = (learner(config, tiny_images, *settings) for _ in range(3))
    losses = [unbroken.step(step, 10).loss.item() for step in range(4)]
    assert np.isfinite(losses).all()
    for step in range(2):
        before.step(step, 10)
    after.model.load_state_dict(before.model.state_dict())
    after.load(before.state())
    assert [after.step(step, 10).loss.item() for step in range(2, 4)] == losses[2:]


def test_a_learned_temperature_moves_and_a_scheduled_one_arrives(config, tiny_images):
    learned = learner(config, tiny_images, "train.temperature_schedule=learned")
    assert learned.step(0, 10).temperature != learned.step(1, 10).temperature
    cosine = with_overrides(config, ["train.temperature_schedule=cosine", "train.temperature=0.1"]).train
    assert temperature_at(cosine, 0, 11) == pytest.approx(0.1)
    assert temperature_at(cosine, 5, 11) == pytest.approx(0.3)
    assert temperature_at(cosine, 10, 11) == pytest.approx(0.5)
    there_and_back = dataclasses.replace(cosine, temperature_cycles=1.0)
    assert temperature_at(there_and_back, 10, 11) == pytest.approx(0.1)


def test_a_scaled_gradient_that_overflows_in_one_part_moves_no_part(config, tiny_images):
    made = learner(config, tiny_images, "train.precision=fp16", "train.optimizer=muon")
    before = {k: v.clone() for k, v in made.model.named_parameters()}
    made.scaler.scale(made.model(torch.rand(8, 3, 16, 16))[1].square().sum()).backward()
    next(made.model.parameters()).grad.fill_(torch.inf)
    scale = made.scaler.get_scale()
    assert not torch.isfinite(made._update(1.0))
    assert all(torch.equal(before[k], v) for k, v in made.model.named_parameters())
    assert made.scaler.get_scale() < scale


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["muon", "adamw", "sgd", "lars"])
def test_half_precision_trains(config, tiny_images, optimizer, precision):
    made = learner(config, tiny_images, f"train.precision={precision}", f"train.optimizer={optimizer}", "train.lr=0.01")
    assert torch.isfinite(made.step(0, 4).loss)
    assert all(torch.isfinite(p).all() for p in made.model.parameters())


def test_a_chunked_step_is_heard_of_after_every_chunk_of_both_passes(config, tiny_images):
    heard = []
    cut = with_overrides(config, ["train.chunk=4"]).resolved(len(tiny_images))
    Learner(cut, tiny_images, after_part=lambda: heard.append(1)).step(0, 4)
    assert len(heard) == 2 * cut.train.batch_size // 4


def test_fetched_pictures_are_the_resident_ones(tiny_images):
    rows = torch.tensor([5, 1, 1, 30])
    device = torch.device("cpu")
    resident, fetched = (Batches(tiny_images, device, resident=r) for r in (True, False))
    assert torch.equal(resident.take(rows), fetched.take(rows))
    fetched.expect(rows)
    assert torch.equal(resident.take(rows), fetched.take(rows))
    fetched.expect(rows)
    assert torch.equal(resident.take(rows.flip(0)), fetched.take(rows.flip(0)))  # asked for others than expected


def test_a_mapped_file_stays_a_file(tiny_images, tmp_path):
    np.save(tmp_path / "x.npy", tiny_images.image)
    mapped = dataclasses.replace(tiny_images, image=np.load(tmp_path / "x.npy", mmap_mode="r"))
    batches = Batches(mapped, torch.device("cpu"))
    assert not batches.resident
    assert torch.equal(
        batches.take(torch.tensor([3])), Batches(tiny_images, torch.device("cpu")).take(torch.tensor([3]))
    )
