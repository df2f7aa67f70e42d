"""Bookkeeping of negatives: against the objectives' own queue and slots, simulated shuffles, torch's gradients, known sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core import negatives as neg
from simclr_core.errors import ConfigError


@settings(max_examples=25)
@given(
    batch=st.integers(1, 5),
    queue=st.integers(1, 25),
    spare=st.integers(0, 9),
    steps=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_slots_are_those_of_the_objectives(batch, queue, spare, steps, seed):
    import torch

    from simclr_core.memories import Queue, Slots

    images = batch + spare
    real, slots = Queue(queue, 2), Slots(images, 2)
    for t in range(steps):
        index = torch.from_numpy(neg.images_at(t, batch=batch, images=images, seed=seed))
        z = torch.full((batch, 2), float(t + 1)) + torch.tensor([0.0, 1.0])
        real.push(z.repeat(2, 1), index.repeat(2))
        slots.write(z, index, momentum=0.0)
    found = neg.memory_at(steps, batch=batch, queue=queue, images=images, seed=seed)
    np.testing.assert_array_equal(found.queue_image, real.index)
    np.testing.assert_array_equal(found.bank_age >= 0, slots.filled)
    # A row written at step t has the direction (t + 1, t + 2): its age can be read off.
    for rows, age in ((real.rows, found.queue_age), (slots.rows, found.bank_age)):
        held = age >= 0
        ratio = (rows[:, 1] / rows[:, 0]).numpy()[held]
        np.testing.assert_allclose(1 / (ratio - 1), steps - age[held] + 1, rtol=1e-3)


def test_an_epoch_sees_every_image_once_and_the_next_in_another_order():
    epochs = [np.concatenate([neg.images_at(e * 6 + i, batch=4, images=24) for i in range(6)]) for e in range(2)]
    assert [sorted(e) for e in epochs] == [list(range(24))] * 2
    assert list(epochs[0]) != list(epochs[1])


def test_known_sizes():
    """Numbers that are also in the literature."""
    found = neg.budgets(fits=256, batch=4096, queue=65536, images=1_281_167, dim=128)
    assert found["queue"].stored == 32 * 2**20
    assert found["large"].cosines == 256 * 2**20
    assert found["large"].negatives == found["cached"].negatives == 8190
    assert found["small"].negatives == found["accumulated"].negatives == 510
    assert found["queue"].oldest == 128, "65,536 keys, two an image, 256 images a step"
    assert found["cached"].held == found["queue"].held == 256


@pytest.mark.parametrize(("momentum", "share"), [(0.9, 1.0), (0.99, 0.924), (0.999, 0.226), (0.9999, 0.025)])
def test_an_average_catches_up(momentum, share):
    assert neg.moved_share(momentum, 256) == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize(("batch", "queue", "images"), [(4, 24, 24), (4, 40, 24), (2, 20, 10), (4, 33, 64)])
def test_ages_reach_what_the_budget_says(batch, queue, images):
    budget = neg.budgets(fits=batch, batch=batch, queue=queue, images=images, dim=8)
    many = [neg.memory_at(t, batch=batch, queue=queue, images=images) for t in range(100, 140, 3)]
    assert {m.queue_age.max() for m in many} == {budget["queue"].oldest}
    assert max(m.bank_age.max() for m in many) <= budget["bank"].oldest
    assert min(m.bank_age.min() for m in many) == 1


@pytest.mark.parametrize("queue", [20, 60, 100, 150, 200, 240])
def test_chance_of_the_own_key(queue):
    images, batch = 60, 1
    hits = 0
    last = np.full(images, -np.inf)
    steps = 60 * 200
    for t in range(steps):
        (i,) = neg.images_at(t, batch=batch, images=images)
        hits += t - last[i] <= queue / 2
        last[i] = t
    assert hits / steps == pytest.approx(neg.own_key_chance(queue, images), abs=0.02)


@given(st.integers(2, 4), st.integers(1, 4), st.floats(0.05, 5), st.integers(0, 2**32 - 1))
def test_a_cut_batch(parts, chunk, tau, seed):
    """GradCache is the whole batch to rounding; accumulation is the mean of what chunks find alone."""
    z_a, z_b = np.random.default_rng(seed).normal(size=(2, parts * chunk, 5))
    found = neg.cuts(z_a, z_b, chunk=chunk, temperature=tau)
    assert found["cached"].loss == found["whole"].loss
    np.testing.assert_allclose(found["cached"].gradient, found["whole"].gradient, rtol=0, atol=1e-12 / tau)
    alone = [
        neg.cuts(a, b, chunk=chunk, temperature=tau)["whole"]
        for a, b in zip(np.split(z_a, parts), np.split(z_b, parts), strict=True)
    ]
    assert found["accumulated"].loss == pytest.approx(np.mean([a.loss for a in alone]), rel=1e-12)
    np.testing.assert_allclose(
        found["accumulated"].gradient, np.mean([a.gradient for a in alone], axis=0), atol=1e-12 / tau
    )
    assert found["accumulated"].negatives == 2 * chunk - 2


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_gradients_are_torchs(rng, tau):
    import torch

    from simclr_core.losses import nt_xent

    z_a, z_b = rng.normal(size=(2, 12, 6))
    w = torch.eye(6, dtype=torch.float64, requires_grad=True)
    a, b = (torch.from_numpy(z) @ w for z in (z_a, z_b))
    loss = nt_xent(a, b, temperature=tau)
    loss.backward()
    found = neg.cuts(z_a, z_b, chunk=4, temperature=tau)
    assert found["whole"].loss == pytest.approx(loss.item(), rel=1e-6)
    np.testing.assert_allclose(found["whole"].gradient, w.grad, atol=1e-6)
    w.grad = None
    a, b = (torch.from_numpy(z) @ w for z in (z_a, z_b))
    chunks = sum(nt_xent(a[i : i + 4], b[i : i + 4], temperature=tau) for i in range(0, 12, 4)) / 3
    chunks.backward()
    np.testing.assert_allclose(found["accumulated"].gradient, w.grad, atol=1e-6)


def test_one_image_at_a_time_has_no_gradient_at_all(rng):
    found = neg.cuts(*rng.normal(size=(2, 6, 4)), chunk=1, temperature=0.2)
    assert found["accumulated"].loss == 0
    assert neg.alike(found["accumulated"].gradient, found["whole"].gradient) is None
    assert neg.alike(found["cached"].gradient, found["whole"].gradient) == pytest.approx(1)


def test_bad_input_is_a_sentence(rng):
    with pytest.raises(ConfigError, match="divisor"):
        neg.cuts(*rng.normal(size=(2, 6, 4)), chunk=4, temperature=0.2)
    with pytest.raises(ConfigError, match="at least one batch"):
        neg.memory_at(3, batch=8, queue=4, images=5)
