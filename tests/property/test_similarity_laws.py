"""Laws of the softmax and of NT-Xent that hold for every batch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core import similarity as sim


@st.composite
def batches(draw):
    """A cosine matrix of 2 to 6 images in 2 to 6 dimensions and its partners, in either order of views."""
    n, d = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    z = np.random.default_rng(draw(st.integers(0, 2**31))).standard_normal((2 * n, d))
    order = draw(st.sampled_from([sim.interleaved_partner, sim.stacked_partner]))
    return sim.cosine_matrix(z), order(n)


taus = st.floats(0.05, 10)
wide_taus = st.floats(0.001, 100)


@given(batches(), wide_taus)
def test_rows_sum_to_one(batch, tau):
    p = sim.softmax_rows(batch[0], tau)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert (p >= 0).all()
    assert (np.diag(p) == 0).all()


@given(batches(), wide_taus)
def test_gradient_rows_sum_to_zero(batch, tau):
    g = sim.similarity_gradient(*batch, tau)
    np.testing.assert_allclose(g.sum(axis=1) * tau, 0, atol=1e-14)
    assert (sim.positive_pull(*batch, tau) >= 0).all()


@given(batches(), taus)
def test_loss_is_minus_log_of_the_positive_share(batch, tau):
    s, partner = batch
    p = sim.softmax_rows(s, tau)[range(len(s)), partner]
    np.testing.assert_allclose(sim.nt_xent_rows(s, partner, tau), -np.log(p), rtol=1e-9, atol=1e-12)


@given(batches(), taus, st.floats(1.0, 4.0))
def test_effective_negatives_never_fall_as_temperature_grows(batch, tau, factor):
    s, partner = batch
    assert (sim.effective_negatives(s, partner, tau * factor) >= sim.effective_negatives(s, partner, tau) - 1e-9).all()


@given(batches(), wide_taus)
def test_effective_negatives_stay_in_range(batch, tau):
    s, partner = batch
    found = sim.effective_negatives(s, partner, tau)
    assert ((found >= 1 - 1e-9) & (found <= len(s) - 2 + 1e-9)).all()


@given(batches(), taus, st.floats(-5, 5))
def test_adding_a_constant_to_a_row_changes_nothing(batch, tau, constant):
    s, partner = batch
    moved = s.copy()
    moved[0] += constant
    np.testing.assert_allclose(sim.softmax_rows(moved, tau), sim.softmax_rows(s, tau), rtol=1e-9)
    np.testing.assert_allclose(sim.nt_xent_rows(moved, partner, tau), sim.nt_xent_rows(s, partner, tau), rtol=1e-9)


@given(batches(), taus, st.integers(0, 2**31))
def test_the_order_of_views_does_not_matter(batch, tau, seed):
    s, partner = batch
    order = np.random.default_rng(seed).permutation(len(s))
    place = np.argsort(order)
    shuffled = sim.nt_xent_rows(s[np.ix_(order, order)], place[partner[order]], tau)
    np.testing.assert_allclose(shuffled, sim.nt_xent_rows(s, partner, tau)[order], rtol=1e-10)


@given(batches())
def test_everything_is_finite_at_a_thousandth(batch):
    s, partner = batch
    for value in (
        sim.softmax_rows(s, 1e-3),
        sim.nt_xent_rows(s, partner, 1e-3),
        sim.similarity_gradient(s, partner, 1e-3),
        sim.effective_negatives(s, partner, 1e-3),
    ):
        assert np.isfinite(value).all()


@given(batches(), st.floats(0.1, 5))
@settings(max_examples=40)
def test_the_gradient_agrees_with_finite_differences(batch, tau):
    s, partner = batch
    step, m = 1e-6, len(s)
    numeric = np.zeros((m, m))
    for k in range(m):
        up, down = s.copy(), s.copy()
        up[:, k] += step
        down[:, k] -= step
        numeric[:, k] = (sim.nt_xent_rows(up, partner, tau) - sim.nt_xent_rows(down, partner, tau)) / (2 * step)
    np.fill_diagonal(numeric, 0)
    np.testing.assert_allclose(sim.similarity_gradient(s, partner, tau), numeric, atol=1e-6)


@given(batches(), taus)
def test_no_batch_beats_the_floor(batch, tau):
    s, partner = batch
    assert sim.nt_xent_mean(s, partner, tau) >= sim.loss_floor(len(s) // 2, tau) * (1 - 1e-9)
