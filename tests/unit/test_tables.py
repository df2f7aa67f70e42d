"""Tables on disk: what is written comes back, and a bad file is a sentence."""

from dataclasses import replace

import numpy as np
import pytest

from simclr_core.errors import DataError
from simclr_core.records import EmbeddingTable, Map, PairTable
from simclr_core.tables import load_embeddings, load_map, load_pairs, save_embeddings, save_map, save_pairs


@pytest.fixture
def table(rng) -> EmbeddingTable:
    return EmbeddingTable(
        h=rng.normal(size=(7, 4)).astype(np.float32),
        z=rng.normal(size=(7, 3)).astype(np.float32),
        label=np.arange(7) % 2,
        index=np.arange(7) * 3,
        class_names=("犬", "cat"),
        encoder="runs/a",
        spec="demo",
        split="test",
    )


@pytest.mark.parametrize("half", [False, True])
def test_embeddings_come_back(table, tmp_path, half):
    save_embeddings(table, tmp_path / "e.npz", half=half)
    again = load_embeddings(tmp_path / "e.npz")
    np.testing.assert_allclose(again.h, table.h, rtol=1e-3 if half else 0)
    np.testing.assert_array_equal(again.index, table.index)
    assert again.class_names == table.class_names
    assert again.h.dtype == np.float32


def test_pairs_come_back(rng, tmp_path):
    a, b = rng.normal(size=(2, 5, 3)).astype(np.float32)
    pairs = PairTable(z_a=a, z_b=b, index=np.arange(5), seed=4, augment={"flip_p": 0.5})
    save_pairs(pairs, tmp_path / "p.npz")
    again = load_pairs(tmp_path / "p.npz")
    np.testing.assert_array_equal(again.z_b, b)
    assert again.seed == 4
    assert again.augment["flip_p"] == 0.5
    assert again.spaces == ("z",)
    assert again.z_more is None
    four = replace(pairs, z_more=rng.normal(size=(5, 2, 3)).astype(np.float32))
    save_pairs(four, tmp_path / "four.npz", half=True)
    again = load_pairs(tmp_path / "four.npz")
    assert again.all_views("z").dtype == np.float32
    np.testing.assert_allclose(
        again.all_views("z"), np.concatenate([a[:, None], b[:, None], four.z_more], 1), rtol=1e-3
    )
    with pytest.raises(DataError, match="z_more"):
        replace(pairs, z_more=four.z_more[:4])


def test_maps_come_back(rng, tmp_path):
    m = Map(
        xy=rng.normal(size=(6, 3)).astype(np.float32),
        index=np.arange(6),
        label=None,
        method="pca",
        space="h",
        params={"whiten": False},
        seed=1,
        seconds=0.5,
        trustworthiness=0.9,
    )
    save_map(m, tmp_path / "m.parquet")
    again = load_map(tmp_path / "m.parquet")
    np.testing.assert_array_equal(again.xy, m.xy)
    assert (again.params, again.trustworthiness, again.label, again.dims) == ({"whiten": False}, 0.9, None, 3)


def test_a_plain_matrix_is_taken_as_h(rng, tmp_path):
    np.save(tmp_path / "m.npy", rng.normal(size=(4, 3)))
    table = load_embeddings(tmp_path / "m.npy")
    assert table.spaces == ("h",)
    np.testing.assert_array_equal(table.index, np.arange(4))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"features": np.ones((3, 2))}, "matrix `h` or `z`.*features"),
        ({"h": np.ones(3)}, "h.*array of numbers"),
        ({"h": np.array([["a"]])}, "h.*numbers"),
        ({"h": np.ones((3, 2)), "label": np.arange(2)}, "label.*3 rows"),
        ({"h": np.ones((2, 2)), "label": np.array(["cat", "dog"])}, "label.*whole numbers"),
        ({"h": np.ones((2, 2)), "label": np.array([0, np.nan])}, "label.*whole numbers"),
        ({"h": np.ones((2, 2)), "index": np.array([0, 1.5])}, "index.*whole numbers"),
        ({"h": np.array([[1, np.nan], [1, 2], [3, 4.0]])}, "h.*finite.*first: row 0"),
        ({"z": np.array([[1, 2], [1, np.inf]])}, "z.*finite.*row 1"),
        ({}, "no arrays"),
    ],
)
def test_arrays_that_are_no_table_are_a_sentence(arrays, says, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=says):
        load_embeddings(tmp_path / "bad.npz")


@pytest.mark.parametrize("about", [np.arange(3), np.array("made by hand"), np.array("[1]")])
def test_an_array_that_another_program_called_about_is_passed_over(about, tmp_path):
    np.savez(tmp_path / "foreign.npz", h=np.eye(3), label=np.array([0.0, 1, 1]), about=about)
    table = load_embeddings(tmp_path / "foreign.npz")
    assert (table.encoder, table.class_names, table.label.tolist()) == ("foreign", (), [0, 1, 1])


def test_files_that_are_no_npz_are_a_sentence(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="npz"):
        load_embeddings(tmp_path / "text.npz")
    with pytest.raises(DataError, match="existing"):
        load_embeddings(tmp_path / "none.npz")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match="map written by"):
        load_map(tmp_path / "text.parquet")


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code in a file was run",))

    np.savez(tmp_path / "bomb.npz", h=np.array([Bomb()], dtype=object))
    with pytest.raises(DataError):
        load_embeddings(tmp_path / "bomb.npz")
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError):
        load_embeddings(tmp_path / "bomb.npy")


def test_a_parquet_of_another_program_is_no_map(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.table({"index": [0, 1], "x": [0.0, 1.0], "y": [0.0, 1.0]})
    for about in ('{"method": "pca"}', "not json", '["a list"]'):
        pq.write_table(columns.replace_schema_metadata({"about": about}), tmp_path / "other.parquet")
        with pytest.raises(DataError, match="a map written by this program"):
            load_map(tmp_path / "other.parquet")
    pq.write_table(columns.drop(["x", "y"]), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="a map written by this program"):
        load_map(tmp_path / "other.parquet")


def test_a_damaged_member_of_an_npz_is_a_sentence(rng, tmp_path):
    path = tmp_path / "e.npz"
    np.savez_compressed(path, h=rng.normal(size=(200, 8)))
    raw = bytearray(path.read_bytes())
    raw[100:400] = bytes(300)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be read"):
        load_embeddings(path)


@pytest.mark.parametrize(
    "about", ['{"class_names": 5, "encoder": ["x"], "seed": "one", "augment": 3}', "[1]", "not json"]
)
def test_what_another_program_calls_about_is_not_believed(rng, tmp_path, about):
    x = rng.normal(size=(4, 3))
    np.savez(tmp_path / "x.npz", h=x, z_a=x, z_b=x, about=np.array(about))
    table, pairs = load_embeddings(tmp_path / "x.npz"), load_pairs(tmp_path / "x.npz")
    assert (table.class_names, table.encoder, table.split) == ((), "x", "")
    assert (pairs.seed, pairs.augment) == (0, {})
