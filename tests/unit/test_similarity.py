"""Closed forms, limits and refusals of `simclr_core.similarity`."""

import subprocess
import sys

import numpy as np
import pytest

from simclr_core import similarity as sim
from simclr_core.errors import ConfigError, DataError

TAUS = [0.01, 0.05, 0.1, 0.5, 1.0, 10.0]
EQUAL = np.full((8, 8), 0.3)
ORTHOGONAL = np.kron(np.eye(4), np.ones((2, 2)))  # partners coincide, images at right angles


@pytest.mark.parametrize("tau", TAUS)
def test_all_equal_gives_the_ceiling_at_every_temperature(tau):
    rows = sim.nt_xent_rows(EQUAL, sim.interleaved_partner(4), tau)
    np.testing.assert_allclose(rows, sim.loss_ceiling(4), rtol=1e-14)
    assert sim.loss_ceiling(4) == pytest.approx(np.log(7), rel=1e-15)


@pytest.mark.parametrize("tau", TAUS)
def test_perfect_positives_and_orthogonal_negatives(tau):
    rows = sim.nt_xent_rows(ORTHOGONAL, sim.interleaved_partner(4), tau)
    np.testing.assert_allclose(rows, np.log1p(6 * np.exp(-1 / tau)), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 8, 256])
@pytest.mark.parametrize("tau", [0.05, 0.1, 0.5, 1.0])
def test_simplex_reaches_the_floor(n, tau):
    s = np.kron(np.full((n, n), -1 / (n - 1)), np.ones((2, 2)))
    s[np.kron(np.eye(n), np.ones((2, 2))) > 0] = 1
    loss = sim.nt_xent_mean(s, sim.interleaved_partner(n), tau)
    assert loss == pytest.approx(sim.loss_floor(n, tau), rel=1e-9)


def test_published_scale():
    """A uniform batch at N = 256 and 1024, d = 128; the floor at τ = 0.1, N = 256."""
    taus = (0.07, 0.1, 0.2, 0.5, 1.0)
    np.testing.assert_allclose(
        [sim.loss_uniform_sphere(256, 128, t) for t in taus], [0.001, 0.034, 1.57, 4.26, 5.24], atol=5.1e-3
    )
    np.testing.assert_allclose(
        [sim.loss_uniform_sphere(1024, 128, t) for t in taus], [0.003, 0.128, 2.79, 5.64, 6.63], atol=5.1e-3
    )
    assert sim.loss_floor(256, 0.1) == pytest.approx(0.0220, abs=5e-5)
    assert sim.loss_ceiling(256) == pytest.approx(6.236, abs=5e-4)


@pytest.mark.parametrize(("dim", "tau"), [(2, 0.5), (3, 0.2), (128, 0.1), (128, 1.0)])
def test_uniform_sphere_against_sampling(dim, tau, rng):
    x = rng.standard_normal((400_000, dim))
    cosine = x[:, 0] / np.linalg.norm(x, axis=1)
    a = np.exp(cosine / tau).mean()
    assert sim.loss_uniform_sphere(64, dim, tau) == pytest.approx(np.log1p(126 * a * np.exp(-1 / tau)), rel=0.02)


def test_uniform_sphere_has_no_overflow_or_underflow():
    """2048 dimensions at τ = 1 underflow the Bessel function; the loss is nearly ln(1 + 510 e^(1/4096 − 1))."""
    assert sim.loss_uniform_sphere(256, 2048, 1.0) == pytest.approx(np.log1p(510 * np.exp(1 / 4096 - 1)), rel=1e-6)
    values = [sim.loss_uniform_sphere(n, d, t) for n in (2, 4096) for d in (2, 3, 128, 2048) for t in (0.001, 0.1, 10)]
    assert np.isfinite(values).all()
    assert min(values) >= 0


def test_one_image_has_an_explained_zero():
    s, partner = [[1, 0.4], [0.4, 1]], [1, 0]
    assert sim.nt_xent_rows(s, partner, 0.1).tolist() == [0, 0]
    assert sim.nt_xent_mean(s, partner, 0.1) == 0
    assert sim.softmax_rows(s, 0.1).tolist() == [[0, 1], [1, 0]]
    assert not sim.similarity_gradient(s, partner, 0.1).any()
    assert not sim.positive_pull(s, partner, 0.1).any()
    assert not sim.effective_negatives(s, partner, 0.1).any()
    assert sim.loss_ceiling(1) == sim.loss_floor(1, 0.1) == sim.loss_uniform_sphere(1, 128, 0.1) == 0


def test_diagonal_is_never_read(rng):
    s = sim.cosine_matrix(rng.standard_normal((8, 4)))
    partner = sim.stacked_partner(4)
    other = s.copy()
    for value in (np.nan, np.inf, -7.0):
        np.fill_diagonal(other, value)
        np.testing.assert_array_equal(sim.nt_xent_rows(other, partner, 0.1), sim.nt_xent_rows(s, partner, 0.1))
        np.testing.assert_array_equal(sim.softmax_rows(other, 0.1), sim.softmax_rows(s, 0.1))
    nulls = s.tolist()
    for i in range(8):
        nulls[i][i] = None
    np.testing.assert_array_equal(sim.nt_xent_rows(nulls, partner, 0.1), sim.nt_xent_rows(s, partner, 0.1))


def test_input_is_not_changed(rng):
    s = sim.cosine_matrix(rng.standard_normal((6, 4)))
    before = s.copy()
    sim.nt_xent_rows(s, sim.interleaved_partner(3), 0.1)
    sim.effective_negatives(s, sim.interleaved_partner(3), 0.1)
    np.testing.assert_array_equal(s, before)


def test_limits_of_temperature(rng):
    """τ → 0: τ·ℓ → max(0, s_max − s₊), a triplet loss on the hardest negative. τ → ∞: the ceiling plus a linear term."""
    s = sim.cosine_matrix(rng.standard_normal((10, 5)))
    partner = sim.interleaved_partner(5)
    positive = s[range(10), partner]
    hardest = np.where(np.eye(10) + np.eye(10)[partner] > 0, -np.inf, s).max(axis=1)
    np.testing.assert_allclose(1e-4 * sim.nt_xent_rows(s, partner, 1e-4), np.maximum(0, hardest - positive), atol=1e-3)
    mean = (s.sum(axis=1) - 1) / 9
    np.testing.assert_allclose(sim.nt_xent_rows(s, partner, 1e4), np.log(9) + (mean - positive) / 1e4, atol=1e-7)


def test_views_in_both_orders_give_one_loss(rng):
    a, b = rng.standard_normal((2, 5, 3))
    stacked = sim.nt_xent_rows(sim.cosine_matrix(np.vstack([a, b])), sim.stacked_partner(5), 0.2)
    turns = sim.nt_xent_rows(sim.cosine_matrix(sim.interleave(a, b)), sim.interleaved_partner(5), 0.2)
    np.testing.assert_allclose(turns, np.stack([stacked[:5], stacked[5:]], axis=1).ravel(), rtol=1e-12)


@pytest.mark.parametrize("tau", [0.0, -0.1, float("nan"), float("inf")])
def test_temperature_must_be_above_zero(tau):
    for refused in (
        lambda: sim.softmax_rows(EQUAL, tau),
        lambda: sim.nt_xent_rows(EQUAL, sim.interleaved_partner(4), tau),
        lambda: sim.similarity_gradient(EQUAL, sim.interleaved_partner(4), tau),
        lambda: sim.loss_floor(4, tau),
        lambda: sim.loss_uniform_sphere(4, 8, tau),
    ):
        with pytest.raises(ConfigError, match="`temperature` must be a number above 0, got"):
            refused()


@pytest.mark.parametrize(
    "partner", [[0, 1, 2, 3], [1, 2, 3, 0], [1, 0, 3, 9], [1, 0, 3, -2], [1, 0], [1.0, 0.0, 3.0, 2.0]]
)
def test_partner_must_be_pairs(partner):
    with pytest.raises(DataError, match="`partner` must be"):
        sim.nt_xent_rows(np.eye(4), partner, 0.1)


@pytest.mark.parametrize("s", [np.eye(4)[:3], np.ones(4), np.ones((1, 1)), np.full((4, 4), np.nan)])
def test_similarity_must_be_a_finite_square(s):
    with pytest.raises(DataError, match="`similarity` must be"):
        sim.softmax_rows(s, 0.1)


def test_other_refusals():
    with pytest.raises(DataError, match="row 1"):
        sim.cosine_matrix([[1.0, 0], [0, 0]])
    with pytest.raises(DataError, match="one shape"):
        sim.interleave(np.ones((2, 3)), np.ones((3, 3)))
    with pytest.raises(ConfigError, match="`n` must be 1 or more"):
        sim.loss_ceiling(0)
    with pytest.raises(ConfigError, match="`dim` must be 2 or more"):
        sim.loss_uniform_sphere(4, 1, 0.1)


def test_import_stays_light():
    code = "import sys, simclr_core.similarity, simclr_core.presets; print([m for m in ('torch', 'scipy', 'sklearn') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
