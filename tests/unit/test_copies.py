"""Groups of all but equal rows, and copies told from different pictures in one place."""

import numpy as np
import pytest

from simclr_core.copies import copied, different, group_of, groups, tell_apart
from simclr_core.neighbours import components, nearest
from simclr_core.records import picture_hash


@pytest.fixture
def graph(rng):
    """Rows 0–4 in one place, 10–11 in another, 20–21 and 21–22 in a chain; all others apart."""
    x = rng.standard_normal((60, 24))
    x[1:5] = x[0]
    x[11] = x[10]
    x[21] = x[20] + 0.02 * rng.standard_normal(24)
    x[22] = x[21] + 0.02 * rng.standard_normal(24)
    return nearest(x, 20)


def test_groups_are_found_largest_first(graph):
    found = groups(graph)
    assert [list(g) for g in found] == [[0, 1, 2, 3, 4], [20, 21, 22], [10, 11]]
    assert set(copied(graph)) == {0, 1, 2, 3, 4, 10, 11, 20, 21, 22}
    group = group_of(graph)
    assert len(set(group)) == 60 - 4 - 2 - 1
    assert group[0] == group[4] != group[10]


def test_components_equal_a_plain_walk(rng):
    graph = nearest(rng.standard_normal((80, 3)), 6)
    radius = float(np.median(graph.distance))
    label = components(graph, radius)
    seen = np.full(80, -1)
    for start in range(80):
        if seen[start] >= 0:
            continue
        stack = [start]
        while stack:
            i = stack.pop()
            if seen[i] >= 0:
                continue
            seen[i] = start
            stack += [j for j, d in zip(graph.index[i], graph.distance[i], strict=True) if d <= radius]
            stack += [
                j for j in range(80) for k in range(6) if graph.index[j, k] == i and graph.distance[j, k] <= radius
            ]
    assert len(np.unique(np.stack([label, seen]), axis=1).T) == len(set(label)) == len(set(seen))


def test_dense_rows_are_no_copies(rng):
    t = rng.uniform(0, 1, (3000, 1))
    assert len(groups(nearest(np.column_stack([np.cos(t), np.sin(t)]), 20))) < 400


def test_copies_are_told_from_collapsed_pictures(graph, rng):
    image = rng.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    image[11] = image[10]  # a copy in the data
    image[1] = image[0]  # two of the five are one picture
    hashes = {row: picture_hash(image[row]) for row in range(60) if row != 22}
    told = tell_apart(groups(graph), hashes)
    assert (told.rows, told.copies, told.collapsed, told.unknown) == (10, 4, 5 + 2, 1)
    assert [different(g, hashes) for g in groups(graph)] == [4, 2, 1]
    assert tell_apart([], {}).rows == 0


def test_a_hash_changes_with_one_pixel(rng):
    image = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    other = image.copy()
    assert picture_hash(image) == picture_hash(other[::1].copy()) == picture_hash(np.asfortranarray(image))
    other[3, 2, 1] ^= 1
    assert picture_hash(image) != picture_hash(other)
