"""The nearest matrix of real cosines, computed apart from the browser's own code."""

import numpy as np


def nearest_realisable(s: np.ndarray, steps: int = 500) -> np.ndarray:
    """Positive semidefinite with diagonal 1, closest in the Frobenius norm: Higham 2002, algorithm 3.3, then rescaled."""
    y, correction = s, np.zeros_like(s)
    if np.linalg.eigvalsh(s)[0] >= 0:
        return s
    for _ in range(steps):
        x = without_negatives(y - correction)
        correction += x - y
        before, y = y, x - np.diag(np.diagonal(x) - 1)
        if np.abs(y - before).max() < 1e-10:
            break
    x = without_negatives(y)
    length = np.sqrt(np.diagonal(x))
    return x / np.outer(length, length)


def without_negatives(s: np.ndarray) -> np.ndarray:
    value, vector = np.linalg.eigh(s)
    return (vector * np.maximum(value, 0)) @ vector.T
