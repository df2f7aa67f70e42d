"""NT-Xent against closed forms, a double loop from the paper, two libraries, and autograd in float64."""

import json
import math
from pathlib import Path

import pytest
import torch
from lightly.loss import DCLLoss, NTXentLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricLearning
from pytorch_metric_learning.losses import SupConLoss

from simclr_core.errors import ConfigError, DataError
from simclr_core.losses import DENSE_MAX_ROWS, alignment_only, decoupled, nt_xent_views, supcon, unit_views
from simclr_core.objectives import nt_xent, nt_xent_tiled

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
        unit_views((torch.ones(3, 4), torch.ones(2, 4)), 0.1)


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


@pytest.mark.parametrize("tile", [None, 3, 7])
@pytest.mark.parametrize("temperature", [0.02, 0.2])
def test_more_views_average_the_log_probability_of_every_other_view(temperature, tile):
    n, z = 5, torch.stack([*views(5, 6, 1), *views(5, 6, 2)])
    u = torch.nn.functional.normalize(z.double(), dim=-1).flatten(0, 1)
    p = (u @ u.T / temperature).masked_fill(torch.eye(4 * n, dtype=torch.bool), -torch.inf).log_softmax(1)
    rows = [-sum(p[i, (i + k * n) % (4 * n)] for k in (1, 2, 3)) / 3 for i in range(4 * n)]
    loss = nt_xent_views(z.unbind(), temperature=temperature, tile=tile)
    assert loss.item() == pytest.approx(torch.stack(rows).mean().item(), rel=2e-6)


def test_a_loss_near_nothing_keeps_its_digits_and_its_sign():
    a = torch.eye(6)
    for temperature in (0.035, 0.04, 0.05):
        expected = math.log1p(10 * math.exp(-1 / temperature))
        assert 0 <= nt_xent(a, a, temperature=temperature).item() <= expected + 2e-7


def test_decoupled_equals_lightly():
    a, b = views(20, 8)
    assert decoupled((a, b), temperature=0.1).item() == pytest.approx(DCLLoss(temperature=0.1)(a, b).item(), rel=1e-6)


def test_supcon_equals_pytorch_metric_learning():
    a, b = views(20, 8)
    label = torch.arange(20) % 6
    expected = SupConLoss(temperature=0.1)(torch.cat([a, b]), label.repeat(2)).item()
    assert supcon((a, b), label, temperature=0.1).item() == pytest.approx(expected, rel=1e-6)


def test_supcon_with_every_image_its_own_class_is_nt_xent():
    a, b = (z.requires_grad_() for z in views(9, 5))
    ours = supcon((a, b), torch.arange(9), temperature=0.2)
    plain = nt_xent(a, b, temperature=0.2)
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    for mine, theirs in zip(*(torch.autograd.grad(loss, [a, b]) for loss in (ours, plain)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize(("count", "n"), [(2, 300), (3, 200), (3, 190)])
def test_many_rows_in_strips_equal_autograd_in_float64(count, n, leave_out):
    """More rows than fit one square, and strips that neither the rows nor the images divide."""
    z = [x.requires_grad_() for k in range(count) for x in views(n, 8, k)[:1]]
    ours = decoupled(z, temperature=0.1) if leave_out else nt_xent_views(z, temperature=0.1)
    wide = [x.detach().double().requires_grad_() for x in z]
    logits = torch.nn.functional.normalize(torch.cat(wide), dim=1)
    logits = logits @ logits.T / 0.1
    image = torch.arange(n).repeat(count)
    twins = (image[:, None] == image).fill_diagonal_(False)
    hidden = torch.eye(len(image), dtype=torch.bool) | (twins if leave_out else False)
    rows = logits.masked_fill(hidden, -torch.inf).logsumexp(1) - (logits * twins).sum(1) / (count - 1)
    assert ours.item() == pytest.approx(rows.mean().item(), rel=1e-6)
    mine, theirs = (torch.cat(torch.autograd.grad(loss, x)) for loss, x in ((ours, z), (rows.mean(), wide)))
    assert (mine - theirs).norm() <= 1e-6 * theirs.norm()


def test_whole_batches_end_where_the_benchmark_says():
    measured = json.loads((Path(__file__).parents[2] / "benchmarks/results/loss.json").read_text())
    assert measured["dense_max_rows"] == DENSE_MAX_ROWS
