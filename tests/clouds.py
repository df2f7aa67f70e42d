"""Nine clouds of known illness, and what every diagnostic says of them (n = 4096, d = 128)."""

import numpy as np


def nine_clouds(seed: int = 0, n: int = 4096, d: int = 128) -> dict[str, np.ndarray]:
    r = np.random.default_rng(seed)
    g = r.standard_normal((n, d))
    v = r.standard_normal(d)
    v /= np.linalg.norm(v)
    q, _ = np.linalg.qr(r.standard_normal((d, d)))
    j = np.arange(1, d + 1)
    half = g.copy()
    half[:, d // 2 :] = 0
    clouds = {
        "isotropic": g,
        "a=1": g * j**-0.5 @ q,
        "a=2": g / j @ q,
        "rank 8": r.standard_normal((n, 8)) @ r.standard_normal((8, d)),
        "two points": r.choice([-1.0, 1.0], (n, 1)) * v + 1e-6 * g,
        "point": v + 1e-3 * g / np.sqrt(d),
        "cone": 3 * v + g / np.sqrt(d),
        "relu": np.maximum(g, 0),
        "half dead": half,
    }
    return {name: x.astype(np.float32) for name, x in clouds.items()}


VERDICTS = {
    "isotropic": "healthy",
    "a=1": "healthy",
    "a=2": "dimensional",
    "rank 8": "dimensional",
    "two points": "dimensional",
    "point": "complete",
    "cone": "cone",
    "relu": "healthy",
    "half dead": "dimensional",
}


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def normal(r: np.random.Generator, n: int, d: int) -> np.ndarray:
    return r.standard_normal((n, d))


def power(r: np.random.Generator, n: int, d: int, a: float) -> np.ndarray:
    return normal(r, n, d) * np.arange(1, d + 1) ** (-a / 2) @ np.linalg.qr(normal(r, d, d))[0]


def low_rank(r: np.random.Generator, n: int, d: int, k: int, noise: float) -> np.ndarray:
    return normal(r, n, k) @ normal(r, k, d) / np.sqrt(k) + noise * normal(r, n, d)


def classes(r: np.random.Generator, n: int, d: int, k: int, width: float) -> np.ndarray:
    return unit(normal(r, k, d))[r.integers(0, k, n)] + width * normal(r, n, d) / np.sqrt(d)


def with_copies(r: np.random.Generator, n: int, d: int, share: float, noise: float = 0) -> np.ndarray:
    x, m = normal(r, n, d), int(share * n)
    x[n - m :] = x[r.integers(0, n - m, m)] + noise * normal(r, m, d)
    return x


def with_hub(r: np.random.Generator, n: int, d: int, hubs: int) -> np.ndarray:
    """Points around an axis, and hubs on it, nearer to all than they are to each other."""
    axis = unit(normal(r, 1, d))
    x = 0.6 * axis + 0.8 * unit(normal(r, n, d))
    x[:hubs] = axis + 0.003 * normal(r, hubs, d)
    return x


def with_outliers(r: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = np.ones((n, d)) + 1e-3 * normal(r, n, d)
    x[: n // 50] = normal(r, n // 50, d)
    return x


def learned(r: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Like h after a ReLU of encoders that learned well: a common offset, a decaying spectrum, many zeros."""
    signal = normal(r, n, d) * (np.arange(1.0, d + 1) ** -0.6 * np.exp(-np.arange(d) / d))
    signal = signal @ np.linalg.qr(normal(r, d, d))[0]
    return np.maximum(signal + 1.2 * np.abs(normal(r, 1, d)) * signal.std(), 0)


def loud(r: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Half of the variance along one direction, the other half everywhere."""
    return normal(r, n, d) + np.sqrt(d) * normal(r, n, 1) * unit(normal(r, 1, d))


FAMILIES = {
    "gauss": ("healthy", normal),
    "cube": ("healthy", lambda r, n, d: r.uniform(-1, 1, (n, d))),
    "exponential": ("healthy", lambda r, n, d: r.exponential(size=(n, d))),
    "power .5": ("healthy", lambda r, n, d: power(r, n, d, 0.5)),
    "power 1": ("healthy", lambda r, n, d: power(r, n, d, 1)),
    "sparse relu": ("healthy", lambda r, n, d: np.maximum(normal(r, n, d) - 0.5, 0)),
    "heavy entries": ("healthy", lambda r, n, d: r.standard_t(2, (n, d))),
    "heavy rows": ("healthy", lambda r, n, d: normal(r, n, d) * np.abs(r.standard_t(1, (n, 1)))),
    "soft classes": ("healthy", lambda r, n, d: classes(r, n, d, 10, 0.6)),
    "many soft classes": ("healthy", lambda r, n, d: classes(r, n, d, 100, 0.8)),
    "learned": ("healthy", learned),
    "one loud direction": ("healthy", loud),
    "wide cone": ("healthy", lambda r, n, d: 1.1 * unit(normal(r, 1, d)) + normal(r, n, d) / np.sqrt(d)),
    "biased relu": ("healthy", lambda r, n, d: np.maximum(normal(r, n, d) + 2 * np.abs(normal(r, 1, d)), 0)),
    "three classes": ("healthy", lambda r, n, d: classes(r, n, d, 3, 0.5)),
    "point": ("complete", lambda r, n, d: unit(normal(r, 1, d)) + 0.03 * normal(r, n, d) / np.sqrt(d)),
    "relu point": ("complete", lambda r, n, d: np.maximum(np.abs(normal(r, 1, d)) + 0.01 * normal(r, n, d), 0)),
    "point and outliers": ("complete", with_outliers),
    "power 2": ("dimensional", lambda r, n, d: power(r, n, d, 2)),
    "rank 2": ("dimensional", lambda r, n, d: low_rank(r, n, d, 2, 0.1)),
    "rank 4": ("dimensional", lambda r, n, d: low_rank(r, n, d, 4, 0)),
    "quarter rank": ("dimensional", lambda r, n, d: low_rank(r, n, d, d // 8, 0.03)),
    "half dead": ("dimensional", lambda r, n, d: np.where(np.arange(d) < d / 2, normal(r, n, d), 0)),
    "cone": ("cone", lambda r, n, d: 3 * unit(normal(r, 1, d)) + unit(normal(r, n, d))),
    "uneven cone": ("cone", lambda r, n, d: 3 * unit(normal(r, 1, d)) + unit(power(r, n, d, 1))),
    "clusters 5": ("cluster", lambda r, n, d: classes(r, n, d, 5, 0.1)),
    "clusters 10": ("cluster", lambda r, n, d: classes(r, n, d, 10, 0.2)),
    "copies": ("duplicates", lambda r, n, d: with_copies(r, n, d, 0.3)),
    "near copies": ("duplicates", lambda r, n, d: with_copies(r, n, d, 0.15, 1e-3)),
}
"""Clouds of any size with what should be said of them."""
