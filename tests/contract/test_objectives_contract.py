"""Every objective, with two and three views: pure, finite, differentiable, blind to the order of images, exact in its type."""

import copy
import io
import itertools
import math

import pytest
import torch

from simclr_core.config import TrainConfig
from simclr_core.errors import ConfigError, DataError
from simclr_core.objectives import OBJECTIVES, Batch, Objective, make_objective

IMAGES, N, DIM = 12, 6, 4
SMALL = {"moco": {"queue": 16}, "bank": {"negatives": 9}}  # a queue that no batch divides, a bank that must draw
CAN_BE_NEGATIVE = {"dcl"}
LEARNS = [name for name in OBJECTIVES if name != "alignment"]


def made(name: str, *, images: int = IMAGES, schedule: str = "constant", **settings) -> Objective:
    settings = {
        "temperature": 0.3,
        "objective_params": SMALL.get(name, {}),
        "temperature_schedule": schedule,
    } | settings
    return make_objective(TrainConfig(objective=name, **settings), images=images, dim=DIM)


def draw(views: int, seed: int, dtype: torch.dtype = torch.float32, n: int = N) -> Batch:
    """Random views of n images; with another seed of other images, so that memories hold more than the batch."""
    g = torch.Generator().manual_seed(seed)
    z, keys = torch.randn(2, views, n, DIM, generator=g, dtype=torch.float64).to(dtype)
    index = torch.randperm(IMAGES, generator=g)[:n]
    return Batch(
        views=tuple(x.requires_grad_() for x in z.clone().unbind()), index=index, label=index % 3, keys=tuple(keys)
    )


def primed(name: str, views: int, **settings) -> Objective:
    """An objective that has seen every image once."""
    objective = made(name, **settings)
    objective.update(draw(views, 1, n=IMAGES))
    return objective


def state(objective: Objective) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in objective.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def gradients(objective: Objective, batch: Batch) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(objective(batch), batch.views)


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("name", OBJECTIVES)
class TestLoss:
    def test_pure_finite_and_every_view_has_a_gradient(self, name, views):
        objective, batch = primed(name, views), draw(views, 0)
        before, kept = copy.deepcopy(batch), state(objective)
        loss = objective(batch)
        assert loss.shape == ()
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
        assert name in CAN_BE_NEGATIVE or loss >= 0
        for g in gradients(objective, batch):
            assert torch.isfinite(g).all()
            assert (g.abs().sum(1) > 0).all()
        assert objective(batch) == loss
        assert same(state(objective), kept)
        assert all(torch.equal(a, b) for a, b in zip(batch.views, before.views, strict=True))

    def test_gradient_equals_differences_in_float64(self, name, views):
        objective, batch = primed(name, views).double(), draw(views, 0, torch.float64)

        def loss(*z: torch.Tensor) -> torch.Tensor:
            return objective(Batch(views=z, index=batch.index, label=batch.label, keys=batch.keys))

        assert torch.autograd.gradcheck(loss, batch.views, check_batched_grad=False)

    def test_order_of_images_does_not_matter(self, name, views):
        objective, batch = primed(name, views), draw(views, 0)
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        moved = Batch(
            views=tuple(z.detach()[order].requires_grad_() for z in batch.views),
            index=batch.index[order],
            label=batch.label[order],
            keys=tuple(k[order] for k in batch.keys),
        )
        torch.testing.assert_close(objective(moved), objective(batch))
        for a, b in zip(gradients(objective, moved), gradients(objective, batch), strict=True):
            torch.testing.assert_close(a, b[order])
        objective.update(batch), objective.update(moved)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_is_computed_in_float32(self, name, views, dtype):
        objective, half = primed(name, views), draw(views, 0, dtype)
        wide = Batch(
            views=tuple(z.detach().float() for z in half.views),
            index=half.index,
            label=half.label,
            keys=tuple(k.float() for k in half.keys),
        )
        assert objective(half).dtype == torch.float32
        assert objective(half) == objective(wide)
        assert all(g.dtype == dtype and torch.isfinite(g).all() for g in gradients(objective, half))

    def test_autocast_changes_nothing(self, name, views):
        objective, batch = primed(name, views), draw(views, 0)
        expected = objective(batch)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(batch)
        assert loss == expected
        for a, b in zip(*(torch.autograd.grad(x, batch.views) for x in (loss, expected)), strict=True):
            assert torch.equal(a, b)

    def test_one_image_is_finite_or_refused(self, name, views):
        objective, batch = made(name), draw(views, 0, n=1)
        if name == "dcl":
            with pytest.raises(DataError, match="at least 2 images"):
                objective(batch)
        else:
            assert torch.isfinite(objective(batch))
            assert all(torch.isfinite(g).all() for g in gradients(objective, batch))

    def test_equal_rows_sit_at_the_ceiling(self, name, views):
        objective = made(name)
        z = (torch.ones(N, DIM),) * views
        for first in range(0, IMAGES, N):
            index = torch.arange(first, first + N)
            objective.update(Batch(views=z, index=index, label=index, keys=z))
        fresh = torch.tensor([IMAGES + 1]) if name == "moco" else torch.zeros(1, dtype=torch.int64)
        index = fresh.repeat(N) if name in SMALL else torch.arange(N)
        loss = objective(Batch(views=z, index=index, label=index % 2, keys=z)).item()
        ceiling = objective.value_at("ceiling", N, DIM, views)
        if name == "bank":  # whether a draw holds the anchor's own slot
            assert loss in (pytest.approx(math.log(9), rel=1e-6), pytest.approx(ceiling, rel=1e-6))
        else:
            assert loss == pytest.approx(0 if ceiling is None else ceiling, rel=1e-6, abs=1e-6)

    def test_gradient_of_z_taken_once_is_enough_for_an_encoder_in_pieces(self, name, views):
        """GradCache: ∂L/∂z of the whole batch, then the encoder a few images at a time (Gao et al. 2021)."""
        objective, batch = primed(name, views), draw(views, 0)
        encoder = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, DIM))
        x = torch.randn(views, N, 5)
        z = encoder(x)
        rest = {"index": batch.index, "label": batch.label, "keys": batch.keys}
        whole = torch.autograd.grad(objective(Batch(views=z.unbind(), **rest)), encoder.parameters())
        cut = z.detach().requires_grad_()
        (dz,) = torch.autograd.grad(objective(Batch(views=cut.unbind(), **rest)), cut)
        for some in (slice(0, 2), slice(2, 6)):
            (encoder(x[:, some]) * dz[:, some]).sum().backward()
        for p, wanted in zip(encoder.parameters(), whole, strict=True):
            torch.testing.assert_close(p.grad, wanted, rtol=1e-4, atol=1e-6)

    def test_reference_lines_are_named_finite_and_hold(self, name, views):
        objective = made(name)
        lines = objective.lines(N, DIM, views)
        assert len({line.id for line in lines}) == len(lines)
        assert all(math.isfinite(line.value) and line.label.en and line.label.zh for line in lines)
        floor = objective.value_at("floor", N, DIM, views)
        if floor is not None:
            assert floor <= objective(draw(views, 0)).item()

    @pytest.mark.parametrize("stop", [1, 3])
    def test_state_goes_through_a_file_and_the_run_goes_on_the_same(self, name, views, stop):
        whole, losses = made(name), []
        for seed in range(6):
            losses.append(whole(draw(views, seed)).item())
            whole.update(draw(views, seed))
        first, file = made(name), io.BytesIO()
        for seed in range(stop):
            first.update(draw(views, seed))
        torch.save(first.state_dict(), file)
        file.seek(0)
        second = made(name)
        second.load_state_dict(torch.load(file, weights_only=True))
        for seed in range(stop, 6):
            assert second(draw(views, seed)).item() == losses[seed]
            second.update(draw(views, seed))
        assert same(state(second), state(whole))


@pytest.mark.parametrize("name", LEARNS)
class TestLearnedTemperature:
    def test_slope_equals_differences(self, name):
        objective, batch = primed(name, 2, schedule="learned").double(), draw(2, 0, torch.float64)
        (slope,) = torch.autograd.grad(objective(batch), [objective.log_temperature])
        losses = []
        for step in (1e-5, -1e-5):
            moved = copy.deepcopy(objective)
            moved.log_temperature.data.add_(step)
            losses.append(moved(batch).item())
        assert slope.item() == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)

    def test_it_starts_at_the_setting_and_stays_in_its_range(self, name):
        objective = made(name, schedule="learned")
        assert objective.temperature == pytest.approx(0.3)
        objective.log_temperature.data.fill_(9.0)
        assert objective.temperature == pytest.approx(10, rel=1e-4)
        objective.update(draw(2, 0))
        objective(draw(2, 0)).backward()
        assert objective.log_temperature.grad != 0, "at the bound it can still turn back"

    def test_it_does_not_start_outside(self, name):
        with pytest.raises(ConfigError, match=r"temperature.*from 0.01 to 10"):
            made(name, schedule="learned", temperature=0.005)


@pytest.mark.parametrize("name", OBJECTIVES)
class TestEntry:
    def test_says_what_it_is_and_where_from(self, name):
        assert all(OBJECTIVES[name].label)
        assert OBJECTIVES[name].source

    def test_says_what_it_needs(self, name):
        objective, batch = made(name), draw(2, 0)
        assert objective.needs <= {"keys", "label"}
        assert (objective.momentum is not None) == ("keys" in objective.needs)
        bare = Batch(views=batch.views, index=batch.index)
        if objective.needs:
            with pytest.raises(DataError, match=rf"`{next(iter(objective.needs))}` must be known"):
                objective(bare)
        else:
            objective(bare)

    def test_a_schedule_sets_the_temperature(self, name):
        objective = made(name)
        objective.set_temperature(0.7)
        assert objective.temperature == 0.7
        with pytest.raises(ConfigError, match="larger than 0"):
            objective.set_temperature(0)


def test_alignment_has_no_temperature_to_learn():
    with pytest.raises(ConfigError, match="no temperature to learn"):
        made("alignment", schedule="learned")


def test_only_keys_and_detached_rows_are_remembered():
    for name, views in itertools.product(SMALL, [2, 3]):
        assert not any(t.requires_grad for t in primed(name, views).state_dict(keep_vars=True).values())
