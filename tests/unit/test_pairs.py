import numpy as np
import pytest

from simclr_core import pairs as module
from simclr_core.errors import DataError
from simclr_core.pairs import overlap_coefficient, pair_distances, view_distance_matrix


def by_loop(a, b):
    views = np.concatenate([a, b])
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    n = len(a)
    cosine = [[float(u @ v) for v in views] for u in views]
    positive = [cosine[i][i + n] for i in range(n)]
    negative = [cosine[i][j] for i in range(2 * n) for j in range(i + 1, 2 * n) if j - i != n]
    ranks = []
    for i in range(2 * n):
        twin = cosine[i][(i + n) % (2 * n)]
        ranks.append(1 + sum(cosine[i][j] > twin for j in range(2 * n) if j not in (i, (i + n) % (2 * n))))
    return positive, negative, ranks


def test_equals_a_loop(rng):
    a = rng.standard_normal((12, 5))
    b = a + rng.standard_normal((12, 5))
    positive, negative, ranks = by_loop(a, b)
    found = pair_distances(a, b)
    np.testing.assert_allclose(found.positive, positive)
    np.testing.assert_allclose(found.negative, np.sort(negative))
    unit = np.concatenate([a, b]) / np.linalg.norm(np.concatenate([a, b]), axis=1, keepdims=True)
    for cosine, (i, j) in zip(found.negative, found.between.T, strict=True):
        assert np.isclose(unit[[i, i + 12]] @ unit[[j, j + 12]].T, cosine).any()
    assert found.n_negative == len(negative) == 2 * 12 * 11
    assert found.exact
    np.testing.assert_array_equal(found.twin_rank, ranks)
    assert found.r_at_1 == np.mean(np.array(ranks) == 1)
    assert found.mrr == pytest.approx(np.mean(1 / np.array(ranks)))
    assert (np.diff(found.positive[found.worst]) >= 0).all()
    wins = [(p > q) + (p == q) / 2 for p in positive for q in negative]
    assert found.auc == pytest.approx(np.mean(wins))
    spread = np.sqrt((np.var(positive) + np.var(negative)) / 2)
    assert found.d_prime == pytest.approx((np.mean(positive) - np.mean(negative)) / spread)


def test_a_part_is_the_pairs_of_some_images(rng):
    a = rng.standard_normal((40, 5))
    b = a + rng.standard_normal((40, 5))
    some = np.arange(3, 33)
    part, direct = pair_distances(a, b).part(some), pair_distances(a[some], b[some])
    np.testing.assert_allclose(part.negative, direct.negative)
    np.testing.assert_allclose(part.positive, direct.positive)
    assert (part.auc, part.n_negative) == (pytest.approx(direct.auc), direct.n_negative)
    assert part.r_at_1 <= direct.r_at_1  # ranked among more others
    np.testing.assert_array_equal(np.unique(part.anchor), np.r_[some, some + 40])


def test_auc_equals_scikit_learn(rng):
    from sklearn.metrics import roc_auc_score

    a = rng.standard_normal((60, 4))
    found = pair_distances(a, a + 2 * rng.standard_normal((60, 4)))
    truth = np.r_[np.ones(60), np.zeros(len(found.negative))]
    assert found.auc == pytest.approx(roc_auc_score(truth, np.r_[found.positive, found.negative]), abs=1e-9)


def test_equal_views_are_found_first(rng):
    a = rng.standard_normal((20, 8))
    found = pair_distances(a, 3 * a)
    np.testing.assert_allclose(found.positive, 1)
    assert found.auc == 1
    assert found.r_at_1 == 1
    assert not found.lost.any()


def test_collapse_is_no_success():
    """All embeddings equal: a coin decides, and the twin is one of 2n − 1 equal candidates."""
    found = pair_distances(np.ones((10, 3)), np.ones((10, 3)))
    assert found.auc == 0.5
    assert found.d_prime is None
    assert found.overlap == 1
    assert found.r_at_1 == pytest.approx(1 / 19)


def test_lost_twins_name_who_won():
    # Image 0's views are opposite; image 1's second view lies on image 0's first.
    a, b = np.array([[1.0, 0], [0, 1]]), np.array([[-1.0, 0], [1, 0.1]])
    found = pair_distances(a, b)
    assert found.lost.tolist()[0]
    assert found.lost_to[0] == 3
    assert found.worst[0] == 0


def test_many_images_are_sampled_and_say_so(monkeypatch, rng):
    a = rng.standard_normal((200, 6))
    b = a + rng.standard_normal((200, 6))
    exact = pair_distances(a, b)
    monkeypatch.setattr(module, "EXACT_VIEWS", 100)
    monkeypatch.setattr(module, "NEGATIVES", 20_000)
    monkeypatch.setattr(module, "RANKED_ANCHORS", 150)
    drawn = pair_distances(a, b)
    assert not drawn.exact
    assert len(drawn.negative) == 20_000
    assert drawn.n_negative == exact.n_negative == 400 * 199
    assert drawn.auc == pytest.approx(exact.auc, abs=0.01)
    np.testing.assert_array_equal(drawn.twin_rank, exact.twin_rank[drawn.anchor])
    assert drawn.negative.max() < 1 - 1e-9  # never a view with itself
    np.testing.assert_array_equal(pair_distances(a, b).negative, drawn.negative)


def test_overlap():
    assert overlap_coefficient(np.zeros(5), np.ones(9)) == 0
    assert overlap_coefficient(np.arange(10.0), np.arange(10.0)) == pytest.approx(1)


def test_view_distances():
    d = view_distance_matrix(np.array([[1.0, 0], [0, 2], [-3, 0]]))
    np.testing.assert_allclose(d, [[0, 1, 2], [1, 0, 1], [2, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("bad", ["few", "nan"])
def test_bad_input_is_a_sentence(rng, bad):
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    if bad == "few":
        a, b = a[:1], b[:1]
    if bad == "nan":
        b[2, 0] = np.inf
    with pytest.raises(DataError, match="must be"):
        pair_distances(a, b)
