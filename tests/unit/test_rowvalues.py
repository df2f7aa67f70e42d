"""Per-row values by hand: four rows on a circle and one far away."""

import numpy as np
import pytest

from simclr_core.neighbours import nearest
from simclr_core.rowvalues import row_values


@pytest.fixture
def case():
    angle = np.deg2rad([0, 10, 20, 180])
    x = np.stack([np.cos(angle), np.sin(angle)], 1) * np.array([[1], [2], [3], [4]])
    return x, np.array([0, 0, 1, 1]), nearest(x, 2)


def test_by_hand(case):
    x, label, graph = case
    assert row_values("length", x, label, graph) == pytest.approx([1, 2, 3, 4])
    ten, twenty = 1 - np.cos(np.deg2rad(10)), 1 - np.cos(np.deg2rad(20))
    assert row_values("nearest_distance", x, label, graph)[:3] == pytest.approx([ten, ten, ten], abs=1e-6)
    assert row_values("spread", x, label, graph)[0] == pytest.approx((ten + twenty) / 2, abs=1e-6)
    # neighbours: 0 → 1 2, 1 → 0 2, 2 → 1 0, 3 → 2 1
    assert row_values("k_occurrence", x, label, graph).tolist() == [2, 3, 3, 0]
    assert row_values("agreement", x, label, graph).tolist() == [0.5, 0.5, 0, 0.5]
