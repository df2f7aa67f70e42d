"""The verdict on clouds of known health at many sizes: right on each, whatever n and d."""

import numpy as np
import pytest

from simclr_core.records import EmbeddingTable
from simclr_core.verdict import diagnose
from tests.clouds import FAMILIES, with_hub

SMALL = [(200, 16), (150, 600), (1000, 128)]
LARGE = [(4000, 64), (10_000, 32), (1500, 2048)]


def verdict(x: np.ndarray) -> str:
    table = EmbeddingTable(h=x.astype(np.float32), z=None, index=np.arange(len(x)))
    return diagnose(table, intervals=False).verdict


@pytest.mark.parametrize("name", FAMILIES)
def test_small(name):
    expected, make = FAMILIES[name]
    for seed, (n, d) in enumerate(SMALL):
        assert verdict(make(np.random.default_rng(seed), n, d)) == expected, (n, d)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_large(name):
    expected, make = FAMILIES[name]
    for seed, (n, d) in enumerate(LARGE):
        assert verdict(make(np.random.default_rng(seed), n, d)) == expected, (n, d)


@pytest.mark.parametrize(("n", "d"), [(60, 32), (200, 600), (1000, 512), (4000, 128)])
@pytest.mark.parametrize("hubs", [1, 3])
def test_a_point_that_is_everyones_neighbour_is_a_hub(rng, n, d, hubs):
    assert verdict(with_hub(rng, n, d, hubs)) == "hubs"
