"""Optimizers: Muon's update is nearly orthogonal, schedules scale every group, states survive."""

import copy

import pytest
import torch

from simclr_core.config import ModelConfig, TrainConfig
from simclr_core.model import build_model
from simclr_core.optimizers import ADAM_SHARE, BUILDERS, make_optimizer, orthogonalised


@pytest.mark.parametrize("shape", [(8, 8), (4, 30), (30, 4), (16, 8, 3, 3)])
def test_an_orthogonalised_gradient_has_singular_values_near_one(shape):
    g = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    out = orthogonalised(g)
    assert out.shape == g.shape
    before = torch.linalg.svdvals(g.reshape(len(g), -1))
    after = torch.linalg.svdvals(out.reshape(len(g), -1))
    assert after.max() < 1.4
    assert after.median() > 0.6
    assert after.max() / after.median() < before.max() / before.median() + 0.5


def test_orthogonalising_ignores_the_gradients_length_and_survives_zero():
    g = torch.randn(6, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalised(g), orthogonalised(1e3 * g))
    assert not orthogonalised(torch.zeros(3, 4)).any()


@pytest.mark.parametrize("name", BUILDERS)
class TestContract:
    def make(self, name):
        model = build_model(ModelConfig(hidden_dim=8, proj_dim=4), 0)
        return model, make_optimizer(model, TrainConfig(optimizer=name, lr=0.01, weight_decay=0.1))

    def test_every_parameter_is_in_one_group_and_vectors_do_not_decay(self, name):
        model, optimizer = self.make(name)
        held = [p for group in optimizer.param_groups for p in group["params"]]
        assert {id(p) for p in held} == {id(p) for p in model.parameters()}
        assert len(held) == len({id(p) for p in held})
        assert (
            all(group["weight_decay"] == 0 or p.ndim > 1 for group in optimizer.param_groups for p in group["params"])
            or name == "muon"
        )

    def test_a_schedule_scales_every_group(self, name):
        _, optimizer = self.make(name)
        optimizer.set_rate(0.5)
        assert optimizer.lr == pytest.approx(0.005)
        assert all(g["lr"] == pytest.approx(g["full_lr"] / 2) for g in optimizer.param_groups)

    def test_a_step_lowers_a_simple_loss_and_its_state_is_restored(self, name):
        model, optimizer = self.make(name)
        x = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))

        def step(m, o):
            loss = m(x)[1].square().mean()
            o.zero_grad()
            loss.backward()
            o.step()
            return loss.item()

        first = [step(model, optimizer) for _ in range(12)]
        assert first[-1] < first[0]
        twin, again = self.make(name)
        twin.load_state_dict(model.state_dict())
        again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        assert [step(model, optimizer) for _ in range(2)] == [step(twin, again) for _ in range(2)]


def test_muon_keeps_what_is_no_matrix_at_a_rate_of_its_own():
    model = build_model(ModelConfig(hidden_dim=8, proj_dim=4), 0)
    optimizer = make_optimizer(model, TrainConfig(optimizer="muon", lr=0.02))
    assert [g["full_lr"] for g in optimizer.param_groups] == pytest.approx([0.02, 0.02 * ADAM_SHARE])
