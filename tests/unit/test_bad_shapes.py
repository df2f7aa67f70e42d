"""Sizes that do not fit, where the shape hook of the tests is not there to catch them: each a sentence."""

import subprocess
import sys

import pytest

SETUP = """
import numpy as np
from simclr_core.cloud import Cloud
from simclr_core.errors import SimclrError
from simclr_core.neighbours import nearest, nearest_to
from simclr_core.orbits import orbits
from simclr_core.pairs import pair_distances
from simclr_core.probes import knn_accuracy, linear_probe
x, y = np.random.default_rng(0).standard_normal((12, 4)), np.arange(12) % 3
"""
CASES = {
    "Cloud(x=x, label=y[:5])": "`label` must be as long as the embedding (12)",
    "Cloud(x=x, views=(x[:, :3], x[:, :3]))": "`pairs` must be as wide as the embedding (4)",
    "nearest(x, 2.5)": "`k` must be a whole number from 1 to 11",
    "nearest(x[0], 1)": "`x` must be a matrix",
    "nearest_to(x[:, :2], x, 1)": "`queries` must be a matrix as wide as x",
    "pair_distances(x, x[:, :3])": "`pairs` must be two matrices of one shape",
    "orbits(x[:5], x.reshape(6, 2, 4))": "`orbits` must be (n, d) and (n, q, d)",
    "orbits(x, x)": "`orbits` must be (n, d) and (n, q, d)",
    "knn_accuracy(x, y[:5], x, y)": "`train` must be a matrix with as many labels as rows",
    "linear_probe(x, np.r_[y, y], x, y)": "`train` must be a matrix with as many labels as rows",
    "linear_probe(x, y, x[:, :2], y)": "`test` must be as wide as train",
}


@pytest.fixture(scope="module")
def said():
    tries = "\n".join(
        f"try:\n    {call}\n    print('nothing')\nexcept SimclrError as e:\n    print(e)" for call in CASES
    )
    done = subprocess.run([sys.executable, "-c", SETUP + tries], capture_output=True, text=True, check=True)
    return dict(zip(CASES, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("call", CASES)
def test_sentence(said, call):
    assert said[call].startswith(CASES[call])
