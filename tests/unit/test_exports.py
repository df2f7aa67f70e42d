"""Exports are read back by the programs they are for."""

import csv
from io import BytesIO, StringIO

import numpy as np
import pytest

from simclr_core.errors import ConfigError, DataError
from simclr_core.exports import export_map
from simclr_core.records import Map
from simclr_core.tables import load_map


@pytest.fixture
def m() -> Map:
    return Map(
        xy=np.array([[0.5, 1], [2, 3], [4, 5]], np.float32),
        index=np.array([7, 8, 11]),
        label=np.array([1, 0, 1]),
        method="umap",
        space="h",
        params={"n_neighbors": 3},
        seed=4,
        seconds=1.5,
        trustworthiness=None,
    )


EXTRA = {"k_occurrence": np.array([1, 2, 3], np.float32), "selected": np.array([True, False, True])}


def test_csv(m):
    text = export_map("csv", m, EXTRA, ("a, b", "猫")).decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(text)))
    assert [r["class"] for r in rows] == ["猫", "a, b", "猫"]
    assert rows[2] | {} == {
        "index": "11", "x": "4.0", "y": "5.0", "label": "1", "class": "猫", "k_occurrence": "3.0", "selected": "True",
        "method": "umap", "space": "h", "seed": "4",
    }  # fmt: skip


def test_parquet_opens_as_a_map_again_and_keeps_the_extra_columns(m, tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "m.parquet"
    path.write_bytes(export_map("parquet", m, EXTRA, ("a", "b")))
    back = load_map(path)
    assert np.array_equal(back.xy, m.xy)
    assert np.array_equal(back.index, m.index)
    assert (back.params, back.seed, back.trustworthiness) == ({"n_neighbors": 3}, 4, None)
    assert pq.read_table(path)["k_occurrence"].to_pylist() == [1, 2, 3]


def test_npz_needs_no_pickle(m):
    with np.load(BytesIO(export_map("npz", m, EXTRA)), allow_pickle=False) as back:
        assert set(back.files) == {"index", "x", "y", "label", "k_occurrence", "selected", "about"}
        assert '"seed": 4' in str(back["about"])


def test_columns_that_do_not_fit_are_refused(m):
    with pytest.raises(DataError, match="3 values"):
        export_map("csv", m, {"score": np.zeros(2)})
    with pytest.raises(DataError, match="new column name"):
        export_map("csv", m, {"x": np.zeros(3)})
    with pytest.raises(ConfigError, match="one of csv"):
        export_map("xlsx", m)


def test_no_labels_no_label_column(m):
    from dataclasses import replace

    with np.load(BytesIO(export_map("npz", replace(m, label=None)))) as back:
        assert "label" not in back.files
