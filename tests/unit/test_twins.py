"""What the pairs page draws again are the views that were encoded; what it draws anew does not depend on the moment."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pages.ui import pairfigures, state, twins
from pages.ui.twins import BOTH
from simclr_core.checkpoints import load_encoder
from simclr_core.config import AugmentConfig, from_dict
from simclr_core.encode import encode, encode_pairs
from simclr_core.errors import DataError, RunError
from simclr_core.pairs import nearest_others, pair_distances
from simclr_core.pipeline import load_for
from simclr_core.records import ImageSet
from simclr_core.tables import load_embeddings, load_pairs
from tests.pair_runs import build_encoded_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build_encoded_run(tmp_path_factory.mktemp("twins") / "full")


@pytest.fixture(scope="module")
def pairs(run):
    return load_pairs(twins.pairs_path(run))


def encoded(run, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h and z of uint8 views as they are, by the network itself."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        h, z = load_encoder(run.path).module.eval()(x)
    return h.numpy(), z.numpy()


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_stored_views_are_drawn_again_identically(run, pairs):
    """Redrawn pixels are rounded to bytes, so their embeddings are equal up to that: far nearer than those of other pictures."""
    n = len(pairs.index)
    drawn = twins.redrawn(run, range(2 * n))
    assert drawn.shape == (2 * n, 16, 16, 3)
    for got, stored in zip(encoded(run, drawn), (("h_a", "h_b"), ("z_a", "z_b")), strict=True):
        wanted = np.concatenate([getattr(pairs, name) for name in stored])
        off, apart = np.abs(got - wanted), np.abs(np.roll(wanted, 1, axis=0) - wanted)
        assert off.max() < 0.2 * apart.mean()
        assert cosine(got, wanted).min() > 0.9999


def test_the_recipe_beside_the_pairs_encodes_to_the_very_same_numbers(run, pairs):
    pictures = state.take(load_for(run.config, "test"), pairs.index)
    again = encode_pairs(
        load_encoder(run.path), pictures, augment=from_dict(AugmentConfig, pairs.augment), seed=pairs.seed
    )
    for name in ("z_a", "z_b", "h_a", "h_b"):
        np.testing.assert_allclose(getattr(again, name), getattr(pairs, name), rtol=1e-5, atol=1e-6)


def test_a_few_views_are_those_of_the_whole(run, pairs):
    n = len(pairs.index)
    whole = twins.redrawn(run, range(2 * n))
    np.testing.assert_array_equal(twins.redrawn(run, [5, n + 5, 3]), whole[[5, n + 5, 3]])


def test_pictures_are_found_by_their_index_in_any_order():
    image = np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(3, 3).repeat(8, 1).repeat(8, 2)
    images = ImageSet(image=image, label=None, index=np.array([30, 10, 20, 40]), spec="", split="test")
    assert state.take(images, np.array([40, 10])).image[:, 0, 0, 0].tolist() == [3, 1]
    with pytest.raises(DataError, match="index 11"):
        state.take(images, np.array([10, 11]))
    with pytest.raises(DataError, match="index 99"):
        state.take(images, np.array([10, 99]))


@pytest.mark.parametrize("which", BOTH)
def test_new_views_begin_with_the_picture_itself(run, which):
    table = load_embeddings(run.path / "embeddings" / f"{which}.npz")
    row = 7
    found = twins.draw(run, which, int(table.index[row]), 5, run.config.augment, 3)
    assert found.pixels.shape == (5, 16, 16, 3)
    np.testing.assert_allclose(found.h[0], table.h[row], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.z[0], table.z[row], rtol=1e-4, atol=1e-5)
    assert len(found.h) == len(found.z) == 6


def test_both_encoders_see_the_same_views_and_the_seed_decides_which(run):
    index, recipe = int(load_embeddings(run.path / "embeddings/encoder.npz").index[0]), run.config.augment
    drawn = [twins.draw(run, which, index, 3, recipe, 0) for which in BOTH]
    np.testing.assert_array_equal(drawn[0].pixels, drawn[1].pixels)
    assert not np.allclose(drawn[0].z, drawn[1].z)
    assert (twins.draw(run, "encoder", index, 3, recipe, 1).pixels != drawn[0].pixels).any()


def test_without_augmentation_all_views_are_the_picture(run):
    still = replace(
        run.config.augment, crop_scale=(1.0, 1.0), flip_p=0.0, jitter_p=0.0, grayscale_p=0.0, blur_p=0.0
    )  # fmt: skip
    found = twins.draw(run, "encoder", int(load_pairs(twins.pairs_path(run)).index[0]), 4, still, 0)
    np.testing.assert_allclose(found.z, found.z[:1].repeat(5, 0), rtol=1e-3, atol=1e-4)


def test_an_unknown_picture_is_refused(run):
    with pytest.raises(RunError, match="picture of this run"):
        twins.draw(run, "encoder", 10**6, 2, run.config.augment, 0)


def test_stored_distances_are_those_of_the_pair_table(run, pairs):
    for space in ("h", "z"):
        np.testing.assert_array_equal(
            twins.distances(run, "encoder", space).positive, pair_distances(*pairs.space(space)).positive
        )


def test_nearest_others_equals_a_loop(rng):
    a, b = rng.standard_normal((9, 4)), rng.standard_normal((9, 4))
    views = np.concatenate([a, b])
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    got, other = nearest_others(a, 2 * b, np.array([4, 0]))
    for k, i in enumerate((4, 0)):
        best = max((max(views[i] @ views[j], views[i + 9] @ views[j]), j) for j in range(18) if j % 9 != i)
        assert got[k] == pytest.approx(best[0])
        assert other[k] == best[1]


def test_nearest_others_of_all_fit_what_the_ranks_lost_to(rng):
    a = rng.standard_normal((30, 3))
    b = a + 0.5 * rng.standard_normal((30, 3))
    found, (nearest, _) = pair_distances(a, b), nearest_others(a, b, np.arange(30))
    np.testing.assert_array_equal(nearest > found.positive, found.lost.reshape(2, 30).any(axis=0))


def test_an_encoder_is_read_once(run):
    assert twins.encoder(run) is twins.encoder(run)
    assert not twins.encoder(run, "untrained").module.training


def test_whole_table_agrees_with_the_encoder(run):
    table = load_embeddings(run.path / "embeddings/encoder.npz")
    again = encode(load_encoder(run.path), load_for(run.config, "test"), device="cpu")
    np.testing.assert_allclose(again.z, table.z, rtol=1e-4, atol=1e-5)


# -- figures -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("top", "text"), [(0.5, ".50"), (0.05, ".050"), (0.004, ".0040"), (1.25, "1.25")], ids=["2", "3", "4", "over 1"]
)
def test_cells_have_as_many_digits_as_they_need(top, text):
    assert pairfigures.cell_texts(np.array([[0, top], [top, 0]])) == [["0", text], [text, "0"]]


@pytest.mark.parametrize("views", [2, 16])
def test_every_view_has_its_row_and_number(views):
    names = ["original", *map(str, range(1, views + 1))]
    values = np.full((len(names), len(names)), 0.25)
    figure = pairfigures.distance_matrix(values, names, 0.4)
    assert list(figure.data[0].y) == names
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category", "'1' is a name, not a number"
    assert figure.data[0].zmax == 0.4
    assert list(pairfigures.matrix_rows(values, names)) == [" ", *names]


def test_the_common_range_holds_every_sample():
    low, high = pairfigures.limits({"a": np.array([0.1, 0.4])}, {"b": np.array([-0.3]), "c": np.array([1.0])})
    assert low < -0.3
    assert high > 1
    low, high = pairfigures.limits({"a": np.ones(3)})
    assert low < 1 < high
