"""Batches redrawn from pairs, against closed forms and the loss itself."""

import numpy as np
import pytest

from simclr_core.batchsize import redraw, same_class_negatives
from simclr_core.errors import DataError
from simclr_core.records import PairTable
from simclr_core.similarity import cosine_matrix, nt_xent_mean, stacked_partner


def table(a, b, label=None) -> PairTable:
    return PairTable(z_a=a, z_b=b, label=label, index=np.arange(len(a)))


def test_a_batch_of_all_pairs_is_the_batch_itself(rng):
    a, b = rng.standard_normal((2, 16, 8))
    (found,) = redraw(table(a, b), 0.3, sizes=[16])
    whole = nt_xent_mean(cosine_matrix(np.concatenate([a, b])), stacked_partner(16), 0.3)
    assert found.loss.mean == pytest.approx(whole)
    assert found.loss.low == pytest.approx(found.loss.high)
    assert found.floor < found.loss.mean
    assert found.same_class is None


def test_one_image_has_no_loss_and_no_negatives(rng):
    a, b = rng.standard_normal((2, 6, 4))
    (found,) = redraw(table(a, b), 0.1, sizes=[1])
    assert (found.loss.mean, found.share.mean, found.effective.mean, found.ceiling) == (0, 0, 0, 0)
    assert found.information.mean == 0


def test_equal_embeddings_sit_at_the_ceiling_at_every_size():
    same = np.ones((64, 4))
    for found in redraw(table(same, same), 0.2, sizes=[2, 8, 64]):
        assert found.loss.mean == pytest.approx(np.log(2 * found.n - 1))
        assert found.share.mean == pytest.approx((2 * found.n - 2) / (2 * found.n - 1))
        assert found.effective.mean == pytest.approx(2 * found.n - 2)


def test_more_images_hold_a_larger_share_and_sizes_beyond_the_pairs_are_left_out(rng):
    a = rng.standard_normal((64, 16))
    found = redraw(table(a, a + 0.2 * rng.standard_normal(a.shape)), 0.2)
    assert [batch.n for batch in found] == [2, 4, 8, 16, 32, 64]
    shares = [batch.share.mean for batch in found]
    assert shares == sorted(shares)
    assert all(batch.share.low - 1e-12 <= batch.share.mean <= batch.share.high + 1e-12 for batch in found)


def test_negatives_of_the_own_class_are_counted_for_both_views(rng):
    assert same_class_negatives(np.array([0, 0, 1, 2])) == pytest.approx((2 + 2 + 0 + 0) / 4)
    label = np.repeat(np.arange(4), 25)
    a = rng.standard_normal((100, 8))
    (found,) = redraw(table(a, a, label), 0.5, sizes=[100])
    assert found.same_class.mean == pytest.approx(48)


def test_no_fitting_size_is_a_sentence(rng):
    a = rng.standard_normal((4, 8))
    with pytest.raises(DataError, match="number of pairs"):
        redraw(table(a, a), 0.5, sizes=[8])
