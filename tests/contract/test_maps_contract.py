"""What every entry of MAPS, ROW_VALUES and EXPORTS promises."""

from dataclasses import fields

import numpy as np
import pytest

from simclr_core.errors import ConfigError, DataError
from simclr_core.exports import EXPORTS, export_for, export_map
from simclr_core.maps import MAPS, make_map
from simclr_core.neighbours import nearest
from simclr_core.rowvalues import NEEDS_LABEL, ROW_K, ROW_VALUES, available_values, row_values

FAST = {"tsne": {"early_iterations": 20, "iterations": 30}, "umap": {"epochs": 20}}


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.normal(size=(50, 6)).astype(np.float32)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("method", MAPS)
def test_a_map_is_finite_deterministic_and_leaves_its_input_alone(method, dims, x):
    before = x.copy()
    index, label = np.arange(100, 150), np.arange(50) % 3
    ask = {"seed": 5, "index": index, "label": label, "space": "z"} | FAST.get(method, {})
    m, again = make_map(x, method, dims, **ask), make_map(x, method, dims, **ask)
    assert m.xy.shape == (50, dims)
    assert m.xy.dtype == np.float32
    assert np.isfinite(m.xy).all()
    assert np.allclose(m.xy.mean(0), 0, atol=1e-4)
    assert np.array_equal(m.xy, again.xy)
    assert np.array_equal(x, before)
    assert m.index is index
    assert m.label is label
    assert (m.method, m.space, m.seed) == (method, "z", 5)
    assert 0 <= m.trustworthiness <= 1
    assert m.seconds > 0


@pytest.mark.parametrize("method", MAPS)
def test_the_parameters_told_draw_the_same_map(method, x):
    m = make_map(x, method, **FAST.get(method, {}))
    assert np.array_equal(make_map(x, method, **m.params).xy, m.xy)


@pytest.mark.parametrize("method", MAPS)
def test_every_bound_is_enforced_and_every_unknown_name_refused(method, x):
    with pytest.raises(ConfigError, match="parameter"):
        make_map(x, method, nonsense=1)
    for f in fields(MAPS[method].params):
        if f.metadata["kind"] == "number":
            for bad in (
                f.metadata["low"] - 1,
                f.metadata["high"] + 1,
                *([] if f.metadata["integer"] else [float("nan")]),
            ):
                with pytest.raises(ConfigError, match=f.name):
                    make_map(x, method, **{f.name: bad})


@pytest.mark.parametrize("family", [MAPS, ROW_VALUES, EXPORTS], ids=["maps", "row values", "exports"])
def test_entries_carry_their_words(family):
    for choice in family.values():
        assert choice.label.en
        assert choice.label.zh
        assert choice.source
        if family is not EXPORTS:
            assert choice.help.en
            assert choice.help.zh
        for f in fields(choice.params):
            assert f.metadata["label"].en
            assert f.metadata["label"].zh


@pytest.mark.parametrize("name", ROW_VALUES)
def test_a_row_value_is_one_finite_number_a_row(name, x):
    graph, label = nearest(x, ROW_K), np.arange(50) % 3
    found = row_values(name, x, label, graph)
    assert found.shape == (50,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert name in available_values(label)
    if name in NEEDS_LABEL:
        assert name not in available_values(None)
        with pytest.raises(DataError, match="labels"):
            row_values(name, x, None, graph)
    else:
        assert np.array_equal(row_values(name, x, None, graph), found)


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_is_bytes_and_the_same_twice(kind, x):
    m = make_map(x, "pca", label=np.arange(50) % 2)
    made = export_map(kind, m, {"score": np.arange(50.0)}, ("猫", "dog"))
    assert isinstance(made, bytes)
    assert made
    assert "/" in EXPORTS[kind].mime
    assert export_for(f"maps/m.{kind.upper()}") == kind
    if kind != "npz":  # a zip carries the time
        assert made == export_map(kind, m, {"score": np.arange(50.0)}, ("猫", "dog"))
