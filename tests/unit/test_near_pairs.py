"""What a neighbour graph knows beyond each row's list: who chose a row, and the nearest pairs of all."""

import numpy as np
import pytest

from simclr_core.neighbours import near_pairs, nearest, rows_that_chose, unit_rows


def all_pairs(x):
    """Every pair by a loop: (distance, i, j), nearest first."""
    u = unit_rows(x)
    return sorted((((u[i] - u[j]) ** 2).sum() / 2, i, j) for i in range(len(u)) for j in range(i + 1, len(u)))


@pytest.fixture
def x(rng):
    x = rng.standard_normal((90, 6))
    x[10:14] = x[3]  # four copies and their original
    x[40] = x[41] + 1e-4
    return x


def test_pairs_below_the_reach_are_all_there_and_in_order(x):
    found = near_pairs(nearest(x, 5))
    true = [p for p in all_pairs(x) if p[0] < found.reach]
    m = len(true)
    assert m > 12
    np.testing.assert_allclose(found.distance[:m], [d for d, _, _ in true], atol=1e-12)
    assert {(int(i), int(j)) for i, j in zip(found.i[:m], found.j[:m], strict=True)} == {(i, j) for _, i, j in true}
    assert (found.i < found.j).all()
    assert (np.diff(found.distance) >= 0).all()


def test_a_graph_of_all_pairs_reaches_everywhere(x):
    found = near_pairs(nearest(x, len(x) - 1))
    assert found.reach == np.inf
    assert len(found.i) == len(x) * (len(x) - 1) // 2


def test_more_copies_than_neighbours_are_not_claimed_to_be_all(x):
    found = near_pairs(nearest(np.repeat(x, 8, axis=0), 3))
    assert found.reach == 0


@pytest.mark.parametrize("row", [3, 41, 60])
def test_who_chose_a_row(x, row):
    graph = nearest(x, 8)
    rows, distance = rows_that_chose(graph, row, 4)
    assert set(rows) == {i for i in range(len(x)) if row in graph.index[i, :4]}
    assert (np.diff(distance) >= 0).all()
    u = unit_rows(x)
    np.testing.assert_allclose(distance, ((u[rows] - u[row]) ** 2).sum(1) / 2, atol=1e-12)
