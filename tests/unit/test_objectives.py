"""NT-Xent against closed forms, a double loop from the paper, two libraries, and autograd in float64."""

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricLearning

from simclr_core.config import TrainConfig
from simclr_core.errors import ConfigError, DataError
from simclr_core.losses import _stacked, alignment_only, decoupled, nt_xent_views
from simclr_core.objectives import OBJECTIVES, Batch, Objective, make_objective, nt_xent, nt_xent_tiled

FORMS = {
    "dense": nt_xent,
    "auto": lambda a, b, *, temperature: nt_xent_views((a, b), temperature=temperature),
    "tiles of 3": lambda a, b, *, temperature: nt_xent_tiled(a, b, temperature=temperature, tile=3),
    "tiles of 7": lambda a, b, *, temperature: nt_xent_tiled(a, b, temperature=temperature, tile=7),
    "one tile": lambda a, b, *, temperature: nt_xent_tiled(a, b, temperature=temperature, tile=512),
}


def views(n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=dtype), torch.randn(n, d, generator=g, dtype=dtype)


def algorithm_1(z_a: torch.Tensor, z_b: torch.Tensor, temperature: float) -> float:
    """The paper's algorithm 1 with two plain loops in float64."""
    z = [row / row.norm() for pair in zip(z_a.double(), z_b.double(), strict=True) for row in pair]
    total = 0.0
    for i, anchor in enumerate(z):
        partner = i ^ 1
        terms = [math.exp(float(anchor @ z[k]) / temperature) for k in range(len(z)) if k != i]
        total -= math.log(math.exp(float(anchor @ z[partner]) / temperature) / sum(terms))
    return total / len(z)


@pytest.mark.parametrize("form", FORMS)
class TestNtXent:
    @pytest.mark.parametrize("temperature", [0.02, 0.1, 0.5, 5.0])
    def test_equals_the_papers_algorithm(self, form, temperature):
        a, b = views(9, 6)
        assert FORMS[form](a, b, temperature=temperature).item() == pytest.approx(
            algorithm_1(a, b, temperature), rel=2e-6
        )

    @pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
    def test_equals_lightly(self, form, temperature):
        a, b = views(64, 32)
        expected = NTXentLoss(temperature=temperature)(a, b).item()
        assert FORMS[form](a, b, temperature=temperature).item() == pytest.approx(expected, rel=1e-6)

    def test_equals_pytorch_metric_learning(self, form):
        a, b = views(12, 8)
        label = torch.arange(12).repeat(2)
        expected = MetricLearning(temperature=0.3)(torch.cat([a, b]), label).item()
        assert FORMS[form](a, b, temperature=0.3).item() == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("temperature", [0.001, 0.05, 0.5, 10.0])
    def test_equal_rows_sit_at_the_ceiling(self, form, temperature):
        a = torch.ones(8, 5)
        assert FORMS[form](a, a, temperature=temperature).item() == pytest.approx(math.log(15), rel=1e-6)

    def test_twins_equal_and_images_orthogonal(self, form):
        a = torch.eye(6)
        expected = math.log(1 + 10 * math.exp(-1 / 0.2))
        assert FORMS[form](a, a, temperature=0.2).item() == pytest.approx(expected, rel=1e-6)

    def test_length_of_a_row_does_not_matter(self, form):
        a, b = views(10, 4)
        scale = torch.linspace(0.1, 30, 10)[:, None]
        expected = FORMS[form](a, b, temperature=0.1).item()
        assert FORMS[form](a * scale, b / scale, temperature=0.1).item() == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("temperature", [0.01, 0.1, 0.7])
    def test_gradient_equals_autograd_in_float64(self, form, temperature):
        a, b = (x.requires_grad_() for x in views(11, 7, dtype=torch.float64))
        ours = torch.autograd.grad(FORMS[form](a, b, temperature=temperature), [a, b])
        u = torch.nn.functional.normalize(torch.cat([a, b]), dim=1)
        logits = (u @ u.T / temperature).masked_fill(torch.eye(22, dtype=torch.bool), -torch.inf)
        plain = torch.nn.functional.cross_entropy(logits, (torch.arange(22) + 11) % 22)
        theirs = torch.autograd.grad(plain, [a, b])
        for mine, yours in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, yours, rtol=1e-9, atol=1e-12)

    def test_finite_at_a_hundredth_in_float32(self, form):
        a, b = (x.requires_grad_() for x in views(32, 16))
        loss = FORMS[form](a, b, temperature=0.01)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(a.grad).all()

    def test_one_image_has_loss_zero_and_no_gradient(self, form):
        a, b = (x.requires_grad_() for x in views(1, 4))
        loss = FORMS[form](a, b, temperature=0.1)
        loss.backward()
        assert loss.item() == 0
        assert not a.grad.any()

    def test_half_precision_inputs_are_computed_wider(self, form):
        a, b = views(16, 8)
        expected = FORMS[form](a.bfloat16().float(), b.bfloat16().float(), temperature=0.1).item()
        loss = FORMS[form](a.bfloat16(), b.bfloat16(), temperature=0.1)
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ConfigError, match="temperature.*larger than 0"):
        nt_xent(*views(4, 3), temperature=temperature)


def test_different_shapes_are_refused_with_both():
    with pytest.raises(DataError, match=r"\(3, 4\) and \(2, 4\)"):
        _stacked((torch.ones(3, 4), torch.ones(2, 4)), 0.1)


def test_tile_must_be_positive():
    with pytest.raises(ConfigError, match="tile"):
        nt_xent_tiled(*views(4, 3), temperature=0.1, tile=0)


def test_decoupled_leaves_the_positive_out():
    a, b = views(7, 5)
    u = torch.nn.functional.normalize(torch.cat([a, b]), dim=1).double()
    total = 0.0
    for i in range(14):
        partner = (i + 7) % 14
        others = [math.exp(float(u[i] @ u[k]) / 0.3) for k in range(14) if k not in (i, partner)]
        total += math.log(sum(others)) - float(u[i] @ u[partner]) / 0.3
    assert decoupled((a, b), temperature=0.3).item() == pytest.approx(total / 14, rel=1e-5)


def test_decoupled_refuses_one_image():
    with pytest.raises(DataError, match="at least 2 images"):
        decoupled(views(1, 5), temperature=0.3)


def test_alignment_is_twice_one_minus_cosine():
    a, b = views(9, 5)
    cosine = torch.nn.functional.cosine_similarity(a, b).mean()
    assert alignment_only((a, b)).item() == pytest.approx(2 - 2 * cosine.item(), rel=1e-5)
    assert alignment_only((a, a)).item() == pytest.approx(0, abs=1e-6)


def made(name: str, *, images: int = 6, dim: int = 4, **settings) -> Objective:
    return make_objective(TrainConfig(objective=name, **settings), images=images, dim=dim)


def batch_of(*z: torch.Tensor) -> Batch:
    index = torch.arange(len(z[0]))
    return Batch(views=z, index=index, label=index // 2, keys=tuple(x.detach() for x in z))


@pytest.mark.parametrize("name", OBJECTIVES)
class TestContract:
    def test_scalar_finite_differentiable_and_inputs_untouched(self, name):
        a, b = (x.requires_grad_() for x in views(6, 4))
        before = a.detach().clone()
        loss = made(name)(batch_of(a, b))
        loss.backward()
        assert loss.shape == ()
        assert torch.isfinite(a.grad).all()
        assert a.grad.abs().sum() > 0
        assert torch.equal(a.detach(), before)

    def test_same_input_same_value(self, name):
        objective, batch = made(name), batch_of(*views(6, 4))
        assert objective(batch) == objective(batch)

    def test_reference_lines_are_named_finite_and_hold(self, name):
        objective = made(name)
        lines = objective.lines(6, 4)
        assert len({line.id for line in lines}) == len(lines)
        assert all(math.isfinite(line.value) and line.label.en and line.label.zh for line in lines)
        ceiling, floor = (objective.value_at(line, 6, 4) for line in ("ceiling", "floor"))
        if ceiling is not None:
            assert objective(batch_of(torch.ones(6, 4), torch.ones(6, 4))).item() == pytest.approx(ceiling, rel=1e-6)
        if floor is not None:
            assert floor <= objective(batch_of(torch.eye(6), torch.eye(6))).item()

    def test_label_and_source(self, name):
        assert all(OBJECTIVES[name].label)
        assert OBJECTIVES[name].source


def test_nt_xent_is_read_against_three_lines_and_the_others_against_none():
    found = {name: [line.id for line in made(name).lines(8, 16)] for name in OBJECTIVES}
    assert found == {"nt_xent": ["ceiling", "uniform", "floor"], "dcl": [], "alignment": []}


@pytest.mark.parametrize("tile", [3, 512])
@pytest.mark.parametrize("temperature", [0.002, 0.02, 0.3])
def test_the_slope_of_a_learned_temperature_equals_autograd(temperature, tile):
    a, b = views(11, 7, dtype=torch.float64)
    tau = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    nt_xent_tiled(a, b, temperature=tau, tile=tile).backward()
    again = tau.detach().clone().requires_grad_()
    u = torch.nn.functional.normalize(torch.cat([a, b]), dim=1)
    logits = (u @ u.T / again).masked_fill(torch.eye(22, dtype=torch.bool), -torch.inf)
    torch.nn.functional.cross_entropy(logits, (torch.arange(22) + 11) % 22).backward()
    torch.testing.assert_close(tau.grad, again.grad, rtol=1e-9, atol=1e-12)
