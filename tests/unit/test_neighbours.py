import numpy as np
import pytest

from simclr_core import neighbours
from simclr_core.errors import ConfigError, DataError
from simclr_core.neighbours import METRICS, k_occurrence, nearest, nearest_to, nearest_with_energy, unit_rows, within
from simclr_core.progress import Stopped
from tests.clouds import nine_clouds


def by_loop(x, k, metric, queries=None):
    """One row at a time, by differences in float64, a stable sort breaking ties by row number."""
    rows = METRICS[metric].run(x if queries is None else np.concatenate([queries, x]))
    others = rows if queries is None else rows[len(queries) :]
    index, distance = [], []
    for i, row in enumerate(rows if queries is None else rows[: len(queries)]):
        d2 = ((others - row) ** 2).sum(axis=1)
        if queries is None:
            d2[i] = np.inf
        order = np.argsort(d2, kind="stable")[:k]
        index.append(order)
        distance.append(d2[order] / 2 if metric == "cosine" else np.sqrt(d2[order]))
    return np.array(index), np.array(distance)


@pytest.fixture(params=["dense", "pruned"])
def way(request, monkeypatch):
    """Both ways must give the same answer; small blocks make the pruned one cross their borders."""
    if request.param == "pruned":
        monkeypatch.setattr(neighbours, "DENSE_ROWS", 0)
        monkeypatch.setattr(neighbours, "BLOCK", 96)
    return request.param


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", nine_clouds(0, 4, 4))
def test_equals_a_loop_on_every_cloud(way, metric, name):
    x = nine_clouds(3, 500, 24)[name]
    graph = nearest(x, 10, metric)
    index, distance = by_loop(x, 10, metric)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, distance, rtol=1e-9, atol=1e-15)
    assert graph.k == 10
    assert graph.metric == metric


@pytest.mark.parametrize("metric", METRICS)
def test_copies_tie_by_row_number_and_exclude_only_self(way, rng, metric):
    x = np.repeat(rng.standard_normal((40, 8)), 12, axis=0)[rng.permutation(480)]
    graph = nearest(x, 15, metric)
    np.testing.assert_array_equal(graph.index, by_loop(x, 15, metric)[0])
    assert not (graph.index == np.arange(480)[:, None]).any()
    assert (graph.distance[:, :11] < 1e-7).all()


def test_all_rows_equal(way):
    graph = nearest(np.ones((300, 4)), 3)
    assert graph.index[0].tolist() == [1, 2, 3]
    assert graph.index[2].tolist() == [0, 1, 3]
    assert (graph.distance == 0).all()


def test_grid_points_tie_by_row_number(way):
    x = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(nearest(x, 6, "euclidean").index, by_loop(x, 6, "euclidean")[0])


def test_equals_scikit_learn(way, rng):
    from sklearn.neighbors import NearestNeighbors

    x = rng.standard_normal((700, 32))
    for metric in METRICS:
        graph = nearest(x, 7, metric)
        distance, index = NearestNeighbors(n_neighbors=7, metric=metric, algorithm="brute").fit(x).kneighbors()
        np.testing.assert_array_equal(graph.index, index)
        np.testing.assert_allclose(graph.distance, distance, atol=1e-7)


def test_huge_and_tiny_scales(way, rng):
    x = rng.standard_normal((300, 6))
    expected = nearest(x, 5, "euclidean").index
    for scale in (1e-12, 1e12):
        np.testing.assert_array_equal(nearest(x * scale, 5, "euclidean").index, expected)
        np.testing.assert_array_equal(nearest(x * scale, 5).index, nearest(x, 5).index)
    np.testing.assert_array_equal(nearest(x * 1e200, 5).index, nearest(x, 5).index)
    with pytest.raises(DataError, match="within"):
        nearest(x * 1e200, 5, "euclidean")


def test_zero_rows_equal_each_other_and_are_orthogonal_to_the_rest():
    x = np.array([[1.0, 0], [0, 0], [0.9, 0.1], [0, 0], [-1, 0]])
    graph = nearest(x, 4)
    assert graph.index[1].tolist() == [3, 0, 2, 4]
    np.testing.assert_allclose(graph.distance[1], [0, 1, 1, 1])
    np.testing.assert_allclose(graph.distance[0][-1], 2)
    assert unit_rows(x).shape == (5, 3)
    assert unit_rows(x[[0, 2, 4]]).shape == (3, 2)


def test_energy_of_all_pairs(way, rng):
    rows = unit_rows(rng.standard_normal((400, 5)).astype(np.float32))
    graph, energy = nearest_with_energy(rows, 4, 2.0)
    d2 = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    np.fill_diagonal(d2, np.inf)
    np.testing.assert_allclose(energy, np.exp(-2 * d2).sum(axis=1) / 399, rtol=1e-6)
    np.testing.assert_array_equal(graph.index, nearest(rows, 4).index)


def test_neighbours_within_some_rows(rng):
    x = rng.standard_normal((300, 6))
    rows = np.sort(rng.choice(300, 225, replace=False))
    found, direct = within(nearest(x, 40), rows, 20), nearest(x[rows], 20)
    np.testing.assert_array_equal(found.index, direct.index)
    np.testing.assert_allclose(found.distance, direct.distance, atol=1e-12)
    # Where the graph does not know enough, the farthest known stands again.
    short = within(nearest(x, 4), rows, 4)
    known = (np.isin(nearest(x, 4).index[rows], rows)).sum(axis=1)
    few = np.flatnonzero(known == 2)[0]
    np.testing.assert_array_equal(short.index[few], direct.index[few][[0, 1, 1, 1]])


def test_queries_against_a_bank(rng):
    bank, queries = rng.standard_normal((200, 6)), rng.standard_normal((30, 6))
    bank[150] = bank[3]
    queries[0] = bank[3]
    graph = nearest_to(queries, bank, 9)
    index, distance = by_loop(bank, 9, "cosine", queries)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, distance, atol=1e-12)
    assert nearest_to(queries, bank, 1).index[0, 0] == 3
    assert nearest_to(queries, bank, 200).index.shape == (30, 200)


def test_k_occurrence_counts(rng):
    graph = nearest(rng.standard_normal((50, 4)), 6)
    count = k_occurrence(graph, 50)
    assert count.sum() == 300
    assert [count[i] for i in range(50)] == [(graph.index == i).sum() for i in range(50)]
    assert k_occurrence(graph, 50, 2).sum() == 100


def test_bad_input_is_a_sentence(rng):
    x = rng.standard_normal((10, 3))
    for k in (0, 10, 11, True):
        with pytest.raises(ConfigError, match="`k` must be a whole number from 1 to 9"):
            nearest(x, k)
    with pytest.raises(ConfigError, match="metric"):
        nearest(x, 2, "manhattan")
    x[4, 1] = np.nan
    with pytest.raises(DataError, match="1 rows with NaN or infinity \\(first: row 4\\)"):
        nearest(x, 2)


def test_can_be_stopped(way, monkeypatch, rng):
    if way == "pruned":
        with pytest.raises(Stopped):
            nearest(rng.standard_normal((500, 4)), 3, progress=lambda share, message: True)


def test_input_is_left_alone(way, rng):
    x = rng.standard_normal((300, 5)).astype(np.float32)
    before = x.copy()
    nearest(x, 3)
    np.testing.assert_array_equal(x, before)
