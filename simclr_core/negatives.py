"""Where negatives come from and what they cost: a big batch, a queue, a memory bank; and what cutting a batch does to it.

Bookkeeping alone, in numpy: which images stand in which slot and since when, as `memories.Queue` and `memories.Slots` hold
them; bytes, ages and counts by closed forms; gradients of one batch taken whole, in GradCache's two passes, accumulated.

Legend: B images of a batch, c images that fit into memory at a time, K keys of a queue, n images of the training set, d
columns of z. Two views an image; the queue takes the keys of both, as the objective `moco` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import ConfigError, sentence
from simclr_core.similarity import (
    cosine_matrix,
    interleave,
    interleaved_partner,
    nt_xent_mean,
    similarity_gradient,
)

VIEWS = 2
FLOAT_BYTES = 4  # of float32, in which rows and cosines are held
EMPTY = -1


# -- slots, step by step ----------------------------------------------------------------------------------------------
class Memory(NamedTuple):
    """What stands in memory when a step is made, before it writes.

    Attributes:
        batch: (B,) images of this step.
        queue_image: (K,) whose key stands in each slot; −1 = empty.
        queue_age: (K,) steps since the key was computed, 1 = by the step before; −1 = empty.
        bank_age: (n,) steps since each image's slot was written; −1 = never.
    """

    batch: Int[np.ndarray, " B"]
    queue_image: Int[np.ndarray, " K"]
    queue_age: Int[np.ndarray, " K"]
    bank_age: Int[np.ndarray, " n"]


def images_at(step: int, *, batch: int, images: int, seed: int = 0) -> Int[np.ndarray, " B"]:
    """The images of a step: every epoch in another order, whole batches only."""
    epoch, place = divmod(step, images // batch)
    order = np.random.default_rng((seed, epoch)).permutation(images)
    return order[place * batch : (place + 1) * batch]


def memory_at(step: int, *, batch: int, queue: int, images: int, seed: int = 0) -> Memory:
    """Queue and bank at a step, after all steps before it were written.

    Raises:
        ConfigError: fewer images than a batch.
    """
    if images < batch:
        raise ConfigError(sentence("images", f"at least one batch ({batch})", images, "take more images"))
    owner, born = np.full(queue, EMPTY), np.full(queue, EMPTY)
    written = np.full(images, EMPTY)
    place = 0
    for t in range(step):
        now = images_at(t, batch=batch, images=images, seed=seed)
        keys = np.tile(now, VIEWS)
        slots = ((place + np.arange(len(keys))) % queue)[-queue:]
        owner[slots], born[slots] = keys[-queue:], t
        written[now] = t
        place = (place + len(keys)) % queue
    age = np.where(owner == EMPTY, EMPTY, step - born)
    bank = np.where(written == EMPTY, EMPTY, step - written)
    return Memory(images_at(step, batch=batch, images=images, seed=seed), owner, age, bank)


def oldest_key(queue: int, batch: int) -> int:
    """Steps since the oldest key of a full queue was computed: ⌈K / 2B⌉."""
    return -(-queue // (VIEWS * batch))


def moved_share(momentum: float, age: float) -> float:
    """How much of the way from a key's encoder to today's weights an exponential average has gone since: 1 − m^age."""
    return float(1 - momentum**age)


def own_key_chance(queue: int, images: int) -> float:
    """Chance that an older key of the anchor's own image stands in a full queue.

    Epochs are shuffled, so the time between two visits of an image is triangular on (0, 2) epochs. The queue reaches
    f = K / 2n epochs back: f²/2 up to one epoch, 1 − (2 − f)²/2 up to two.
    """
    f = min(queue / (VIEWS * images), 2.0)
    return f * f / 2 if f <= 1 else 1 - (2 - f) ** 2 / 2


# -- what each way costs ------------------------------------------------------------------------------------------------
class Budget(NamedTuple):
    """One way to negatives.

    Attributes:
        negatives: of one view, at most.
        held: images whose activations are in memory at a time.
        oldest: steps since the oldest negative was computed, at most; 0 = in this step.
        live: whether the loss also moves the negatives.
        stored: bytes kept between steps, or between two passes of one.
        cosines: bytes of the matrix of cosines of one loss.
    """

    negatives: int
    held: int
    oldest: int
    live: bool
    stored: int
    cosines: int


def budgets(*, fits: int, batch: int, queue: int, images: int, dim: int) -> dict[str, Budget]:
    """The budget of each way where `fits` images can be held at a time and `batch` are wanted, a multiple of it.

    An image's slot is written once an epoch, in shuffled epochs at most two of them apart.
    """
    small, large = VIEWS * fits, VIEWS * batch
    row = FLOAT_BYTES * dim
    bank_oldest = 2 * (images // fits) - 1
    return {
        "small": Budget(small - VIEWS, fits, 0, True, 0, FLOAT_BYTES * small**2),
        "accumulated": Budget(small - VIEWS, fits, 0, True, 0, FLOAT_BYTES * small**2),
        "large": Budget(large - VIEWS, batch, 0, True, 0, FLOAT_BYTES * large**2),
        "cached": Budget(large - VIEWS, fits, 0, True, large * row, FLOAT_BYTES * large**2),
        "queue": Budget(queue, fits, oldest_key(queue, fits), False, queue * row, FLOAT_BYTES * small * (1 + queue)),
        "bank": Budget(images - 1, fits, bank_oldest, False, images * row, FLOAT_BYTES * small * images),
    }


# -- a batch that is cut ------------------------------------------------------------------------------------------------
class Cut(NamedTuple):
    """A batch's loss and its gradient on the weights, taken in one way.

    Attributes:
        negatives: of one view.
        loss: NT-Xent in nats.
        gradient: (d, d) on the linear layer.
    """

    negatives: int
    loss: float
    gradient: Float[np.ndarray, "d d"]


def _row_gradient(z: Float[np.ndarray, "m d"], temperature: float) -> tuple[float, Float[np.ndarray, "m d"]]:
    """NT-Xent of rows in turn (a₁ b₁ a₂ b₂ …) and its gradient on them, before they are brought to length 1."""
    partner = interleaved_partner(len(z) // VIEWS)
    s = cosine_matrix(z)
    g = similarity_gradient(s, partner, temperature)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    u = z / length
    along = (g + g.T) @ u / len(z)
    return nt_xent_mean(s, partner, temperature), (along - (along * u).sum(axis=1, keepdims=True) * u) / length


def cuts(
    z_a: Float[np.ndarray, "n d"], z_b: Float[np.ndarray, "n d"], *, chunk: int, temperature: float
) -> dict[str, Cut]:
    """One batch behind a linear layer (the identity), its gradient taken in three ways.

    whole: all at once. cached: GradCache, one pass for every z and the loss's gradient on them, a second that takes each
    chunk's part back through the layer (Gao et al. 2021). accumulated: the mean over chunks of each chunk's own loss, which
    never compares two chunks.

    Args:
        z_a, z_b: two views of n images, row i of both from image i; any scale.
        chunk: images at a time, a divisor of n.
        temperature: τ > 0.

    Raises:
        ConfigError: chunk no divisor of n. DataError: see `similarity.cosine_matrix`.
    """
    x = interleave(z_a, z_b)
    n = len(x) // VIEWS
    if chunk < 1 or n % chunk:
        raise ConfigError(sentence("chunk", f"a divisor of the {n} images", chunk, f"take {n} for all at once"))
    parts = [slice(VIEWS * i, VIEWS * (i + chunk)) for i in range(0, n, chunk)]
    loss, rows = _row_gradient(x, temperature)
    cached = sum((x[p].T @ rows[p] for p in parts), np.zeros((x.shape[1],) * 2))
    alone = [_row_gradient(x[p], temperature) for p in parts]
    accumulated = sum((x[p].T @ g for p, (_, g) in zip(parts, alone, strict=True)), np.zeros_like(cached)) / len(parts)
    return {
        "whole": Cut(VIEWS * (n - 1), loss, x.T @ rows),
        "cached": Cut(VIEWS * (n - 1), loss, cached),
        "accumulated": Cut(VIEWS * (chunk - 1), float(np.mean([part for part, _ in alone])), accumulated),
    }


def alike(a: Float[np.ndarray, "d d"], b: Float[np.ndarray, "d d"]) -> float | None:
    """Cosine of two gradients, in [−1, 1]; None where one of them is 0."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / lengths) if lengths > 0 else None
