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
