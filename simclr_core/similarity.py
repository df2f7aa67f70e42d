"""NT-Xent from a similarity matrix, in float64 and without torch: what the temperature and work-sheet pages show.

Legend: N images, 2N views; s[i, k] cosine similarity of views i and k; partner[i] the other view of the image of
view i; τ temperature. The diagonal of a similarity matrix is never read, so it may hold 1, NaN or null. Losses and
entropies are in nats. With p the softmax of s/τ over k ≠ i (Chen et al. 2020, arXiv 2002.05709, eq. 1):

    ℓ_i = −ln p[i, partner]        L = mean of the 2N ℓ_i        ∂ℓ_i/∂s[i, k] = (p[i, k] − [k = partner]) / τ

Everything is computed from differences s[i, k] − s[i, partner], never from 1 − p: at τ = 0.05 the losses of the work
sheet are near 1e-7, where a subtraction from 1 would leave nine digits at best.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int
from numpy.typing import ArrayLike

from simclr_core.errors import ConfigError, DataError, sentence

Real = float | int


# -- what may be asked ------------------------------------------------------------------------------------------------
def _temperature(value: Real) -> float:
    if not np.isfinite(value) or value <= 0:
        raise ConfigError(sentence("temperature", "a number above 0", value, "0.1 to 0.5 is usual"))
    return float(value)


def _matrix(similarity: ArrayLike) -> Float64[np.ndarray, "m m"]:
    """A float64 copy with NaN on the diagonal, so that reading a self-similarity by mistake cannot go unseen."""
    s = np.array(similarity, dtype=np.float64)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or len(s) < 2:
        raise DataError(sentence("similarity", "a square matrix (2N, 2N), N ≥ 1", s.shape, "pass one row a view"))
    np.fill_diagonal(s, np.nan)
    bad = int((~np.isfinite(s)).sum()) - len(s)
    if bad:
        raise DataError(sentence("similarity", "finite off the diagonal", f"{bad} NaN or infinite entries", "fix them"))
    return s


def _partner(partner: ArrayLike, m: int) -> Int[np.ndarray, " m"]:
    """Positions of the positives, checked: whoever is my partner has me as theirs, and nobody is their own."""
    p = np.asarray(partner)
    if p.shape != (m,) or not np.issubdtype(p.dtype, np.integer):
        raise DataError(sentence("partner", f"{m} whole numbers, one a view", f"{p.dtype}{p.shape}", "pass one a row"))
    me = np.arange(m)
    inside = (p >= 0) & (p < m)
    wrong = ~inside | (p == me) | (p[np.where(inside, p, 0)] != me)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        rule = "pairs: partner[partner[i]] = i and partner[i] ≠ i"
        found = f"partner[{first}] = {int(p[first])}"
        raise DataError(f"`partner` must be {rule}, got {found}; see interleaved_partner and stacked_partner")
    return p


def _count(n: int) -> int:
    if n < 1:
        raise ConfigError(sentence("n", "1 or more images", n, "a batch holds at least one image"))
    return n


def interleaved_partner(n: int) -> Int[np.ndarray, " m"]:
    """Partners of 2n views in the order image 1 view a, image 1 view b, image 2 view a, …: [1, 0, 3, 2, …]."""
    return np.arange(2 * _count(n)) ^ 1


def stacked_partner(n: int) -> Int[np.ndarray, " m"]:
    """Partners of 2n views in the order all views a, then all views b: [n, …, 2n−1, 0, …, n−1]."""
    return np.roll(np.arange(2 * _count(n)), n)


# -- similarities -----------------------------------------------------------------------------------------------------
def cosine_matrix(z: ArrayLike) -> Float64[np.ndarray, "m m"]:
    """Cosine similarity of every row with every row, in [−1, 1], diagonal 1.

    Raises:
        DataError: not a matrix, a value that is not finite, or a row of zeros (it has no direction).
    """
    x = np.asarray(z, dtype=np.float64)
    if x.ndim != 2:
        raise DataError(sentence("z", "a matrix (rows, dimensions)", x.shape, "pass one row a view"))
    norm = np.linalg.norm(x, axis=1)
    bad = np.flatnonzero(~np.isfinite(norm) | (norm == 0))
    if len(bad):
        raise DataError(f"`z` must be finite rows that are not all zero, got row {bad[0]} (of {len(bad)}); drop them")
    u = x / norm[:, None]
    s = np.clip(u @ u.T, -1, 1)
    np.fill_diagonal(s, 1)
    return s


def interleave(z_a: ArrayLike, z_b: ArrayLike) -> Float64[np.ndarray, "m d"]:
    """The rows of two views in turn, a₁ b₁ a₂ b₂ …, so that partners sit side by side (`interleaved_partner`)."""
    a, b = np.asarray(z_a, dtype=np.float64), np.asarray(z_b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise DataError(f"`z_a` and `z_b` must be matrices of one shape, got {a.shape} and {b.shape}; align the rows")
    return np.stack([a, b], axis=1).reshape(-1, a.shape[1])


# -- the softmax of a row ---------------------------------------------------------------------------------------------
def _log_softmax(logits: Float64[np.ndarray, "m k"]) -> Float64[np.ndarray, "m k"]:
    """Row-wise log softmax; NaN marks what is left out and comes back as −inf."""
    x = np.where(np.isnan(logits), -np.inf, logits)
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _entropy(log_p: Float64[np.ndarray, "m k"]) -> Float64[np.ndarray, " m"]:
    """−Σ p ln p with 0 ln 0 = 0."""
    p = np.exp(log_p)
    return -(p * np.where(p > 0, log_p, 0)).sum(axis=1)


def softmax_rows(similarity: ArrayLike, temperature: Real) -> Float64[np.ndarray, "m m"]:
    """Share of every candidate in its anchor's denominator.

    Args:
        similarity: (2N, 2N), any finite values off the diagonal; the diagonal is ignored.
        temperature: τ > 0.

    Returns:
        (2N, 2N) in [0, 1], diagonal 0, rows sum to 1. At τ → 0 the most similar candidate takes all, at τ → ∞ every
        candidate gets 1/(2N−1).

    Raises:
        ConfigError: temperature not above 0.
        DataError: similarity not square or not finite.

    Source: arXiv 2002.05709, eq. 1.
    """
    return np.exp(_log_softmax(_matrix(similarity) / _temperature(temperature)))


def effective_negatives(similarity: ArrayLike, partner: ArrayLike, temperature: Real) -> Float64[np.ndarray, " m"]:
    """How many negatives each anchor effectively looks at: exp of the entropy of the softmax over negatives alone.

    Returns:
        (2N,) from 1 (one hard negative takes all) to 2N−2 (all count the same); 0 for N = 1, which has no negatives.
    """
    s, p = _checked(similarity, partner)
    if len(s) == 2:
        return np.zeros(2)
    s[np.arange(len(s)), p] = np.nan
    return np.exp(_entropy(_log_softmax(s / _temperature(temperature))))


# -- the loss and its gradients ---------------------------------------------------------------------------------------
def _checked(similarity: ArrayLike, partner: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    s = _matrix(similarity)
    return s, _partner(partner, len(s))


def _negative_logits(s: np.ndarray, p: np.ndarray, temperature: float) -> Float64[np.ndarray, "m m"]:
    """(s[i, k] − s[i, partner]) / τ for negatives, −inf for the anchor itself and its positive."""
    rows = np.arange(len(s))
    x = (s - s[rows, p][:, None]) / temperature
    x[rows, rows] = x[rows, p] = -np.inf
    return x


def _log_sum_exp(x: Float64[np.ndarray, "m k"]) -> Float64[np.ndarray, " m"]:
    """Row-wise ln Σ exp x; −inf where a row holds nothing but −inf."""
    top = x.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # N = 1: ln 0 = −inf is the meant answer
        return safe + np.log(np.exp(x - safe[:, None]).sum(axis=1))


def nt_xent_rows(similarity: ArrayLike, partner: ArrayLike, temperature: Real) -> Float64[np.ndarray, " m"]:
    """NT-Xent loss of every anchor, in nats: ℓ_i = ln(1 + Σ_negatives exp((s[i, k] − s[i, partner]) / τ)).

    Args:
        similarity: (2N, 2N), any finite values off the diagonal; the diagonal is ignored and may be NaN.
        partner: (2N,) whole numbers, row of each view's positive; `interleaved_partner` and `stacked_partner` make the
            two usual orders.
        temperature: τ > 0.

    Returns:
        (2N,) ≥ 0. All similarities equal give ln(2N−1) at every τ. N = 1 gives 0: the positive is the only candidate,
        so there is nothing to tell it from, and no gradient either.

    Raises:
        ConfigError: temperature not above 0.
        DataError: similarity not square or not finite, or partner not made of pairs.

    Source: arXiv 2002.05709, eq. 1.
    """
    s, p = _checked(similarity, partner)
    # logaddexp(0, x) = ln(1 + eˣ) keeps all digits where eˣ ≪ 1 and does not overflow where eˣ ≫ 1.
    return np.logaddexp(0, _log_sum_exp(_negative_logits(s, p, _temperature(temperature))))


def nt_xent_mean(similarity: ArrayLike, partner: ArrayLike, temperature: Real) -> float:
    """The batch loss L: mean of `nt_xent_rows` over the 2N anchors, in nats."""
    return float(nt_xent_rows(similarity, partner, temperature).mean())


def similarity_gradient(similarity: ArrayLike, partner: ArrayLike, temperature: Real) -> Float64[np.ndarray, "m m"]:
    """∂ℓ_i/∂s[i, k] = (p[i, k] − [k = partner]) / τ, per anchor and not divided by 2N.

    Returns:
        (2N, 2N) in nats per unit of cosine: below 0 at the positive, above 0 at negatives, diagonal 0, rows sum to 0
        (the pull on the positive is the sum of the pushes on the negatives). For a symmetric matrix the gradient of L
        is (G + Gᵀ) / 2N.

    Source: Wang & Liu 2021, arXiv 2012.09740, eq. 4 and 5.
    """
    s, p = _checked(similarity, partner)
    g = softmax_rows(s, temperature) / temperature
    rows = np.arange(len(s))
    g[rows, p] = 0
    g[rows, p] = -g.sum(axis=1)  # not (p₊ − 1)/τ: that would lose the digits of a nearly solved row
    return g


def positive_pull(similarity: ArrayLike, partner: ArrayLike, temperature: Real) -> Float64[np.ndarray, " m"]:
    """How hard each anchor is drawn to its positive, |∂ℓ_i/∂s₊| = (1 − p₊)/τ ≥ 0, in nats per unit of cosine.

    It is hump-shaped in τ: a solved batch is hardly pulled at a low temperature, an unsolved one strongly.
    """
    g = similarity_gradient(similarity, partner, temperature)
    return -g[np.arange(len(g)), np.asarray(partner)]


# -- the scale of a loss ----------------------------------------------------------------------------------------------
def loss_ceiling(n: int, views: int = 2) -> float:
    """L when all embeddings of n images are equal (complete collapse): ln(views·n − 1) at every τ. L can be larger."""
    return float(np.log(_count(n) * views - 1))


def loss_floor(n: int, temperature: Real, views: int = 2) -> float:
    """The least L any encoder can reach with n images, whatever its dimension: ln(V−1 + V(n−1) exp(−n / ((n−1) τ))).

    Reached if and only if the V views of an image coincide and the n points form a regular simplex, which needs n−1
    dimensions. ln(V−1) for n = 1, so 0 for two views. Why: by Jensen L is at least its value with every similarity replaced
    by its mean, ‖Σz‖² ≥ 0 keeps the mean over negatives from falling below −1/(n−1) when positives are 1, and a positive is
    at most 1.
    """
    tau = _temperature(temperature)
    if _count(n) == 1:
        return float(np.log(views - 1))
    return float(np.logaddexp(np.log(views - 1), np.log(views * (n - 1)) - n / ((n - 1) * tau)))


def loss_uniform_sphere(n: int, dim: int, temperature: Real, views: int = 2) -> float:
    """L with perfect positives and negatives spread evenly over the sphere in `dim` dimensions: a reference, no bound.

    L = ln(V−1 + V(n−1) A e^(−1/τ)) with A = E exp(cos/τ) = Γ(d/2) (2τ)^(d/2−1) I_(d/2−1)(1/τ); Wang & Isola 2020,
    arXiv 2005.10242, give the uniform sphere as the minimiser for many negatives.

    Args:
        n: images in the batch, ≥ 1.
        dim: dimension of z, ≥ 2.
        temperature: τ > 0.
        views: V, views of an image, ≥ 2.
    """
    tau = _temperature(temperature)
    if dim < 2:
        raise ConfigError(sentence("dim", "2 or more", dim, "a sphere needs two dimensions"))
    if _count(n) == 1:
        return float(np.log(views - 1))
    negatives = np.log(views * (n - 1)) + _log_mean_exp_cosine(dim, tau) - 1 / tau
    return float(np.logaddexp(np.log(views - 1), negatives))


def _log_mean_exp_cosine(dim: int, tau: float) -> float:
    """ln E exp(cos/τ) over the unit sphere. The scaled Bessel function serves low τ, the series high dimensions."""
    from scipy.special import gammaln, hyp0f1, ive

    order = dim / 2 - 1
    scaled = float(ive(order, 1 / tau))
    if scaled > 0:
        return float(gammaln(dim / 2) + order * np.log(2 * tau) + np.log(scaled) + 1 / tau)
    return float(np.log(hyp0f1(dim / 2, 1 / (4 * tau**2))))  # I_ν underflowed: order far above 1/τ
