"""What every entry of MAPS, ROW_VALUES and EXPORTS promises; refusals, stopping with a result, rows that are all the same.

All that draws with UMAP stands in this one file: compiling it costs every process ten seconds.
"""

from dataclasses import fields

import numpy as np
import pytest

from simclr_core.errors import ConfigError, DataError
from simclr_core.exports import EXPORTS, export_for, export_map
from simclr_core.maps import MAPS, make_map
from simclr_core.neighbours import nearest
from simclr_core.progress import Stopped
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


# -- maps by what they are given -----------------------------------------------------------------------------------------
FEW = {"iterations": 60, "early_iterations": 30}


@pytest.fixture
def blobs(rng) -> np.ndarray:
    """Three groups of 20 rows around far corners."""
    corners = np.repeat(np.eye(3, 8) * 8, 20, axis=0)
    return (corners + rng.normal(size=(60, 8))).astype(np.float32)


@pytest.mark.parametrize(("method", "params"), [("pca", {}), ("tsne", {}), ("umap", {})])
def test_blobs_stay_together(blobs, method, params):
    m = make_map(blobs, method, **params)
    group = np.arange(60) // 20
    nearest = [np.argsort(np.linalg.norm(m.xy - p, axis=1))[1:6] for p in m.xy]
    assert np.mean([(group[near] == g).mean() for near, g in zip(nearest, group, strict=True)]) > 0.95
    assert m.trustworthiness > 0.8


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("tsne", {"perplexity": 20.0}, "perplexity.*59.*60 rows|perplexity.*19.67.*60 rows"),
        ("umap", {"n_neighbors": 61}, "n_neighbors.*60"),
    ],
)
def test_too_many_neighbours_are_refused_never_replaced(blobs, method, params, words):
    with pytest.raises(ConfigError, match=words):
        make_map(blobs, method, **params)


def test_automatic_values_are_told(blobs):
    assert make_map(blobs, "tsne", **FEW).params["perplexity"] == pytest.approx(59 / 3)
    assert make_map(blobs, "umap", epochs=10).params["n_neighbors"] == 15
    assert make_map(blobs[:8], "umap", epochs=10).params["n_neighbors"] == 8


def test_unknown_method_bad_axes_and_bad_rows_are_refused(blobs):
    with pytest.raises(ConfigError, match="one of pca, tsne, umap"):
        make_map(blobs, "isomap")
    with pytest.raises(ConfigError, match="2 or 3"):
        make_map(blobs, "pca", 4)
    with pytest.raises(DataError, match="at least 5 rows"):
        make_map(blobs[:4], "pca")
    blobs[7, 2] = np.nan
    with pytest.raises(DataError, match="row 7"):
        make_map(blobs, "pca")


@pytest.mark.parametrize("stop_at", [0.2, 0.7])
def test_a_stopped_tsne_is_the_map_of_as_many_iterations(blobs, stop_at):
    shares = []

    def stop(share: float, message: str) -> bool:
        shares.append(share)
        return share > stop_at

    stopped = make_map(blobs, "tsne", early_iterations=100, iterations=100, progress=stop)
    done = stopped.params["early_iterations"] + stopped.params["iterations"]
    assert 0 < done < 200
    assert np.array_equal(make_map(blobs, "tsne", **stopped.params).xy, stopped.xy)
    assert shares == sorted(shares)


def test_a_stopped_umap_says_that_it_has_nothing(blobs):
    with pytest.raises(Stopped, match="no partial map"):
        make_map(blobs, "umap", progress=lambda share, message: share > 0.4)


def test_stopping_before_the_start(blobs):
    with pytest.raises(Stopped):
        make_map(blobs, "tsne", progress=lambda share, message: True)


COLLAPSED = {
    "equal": np.ones((40, 6), np.float32),
    "zero": np.zeros((40, 6), np.float32),
    "twins": np.repeat(np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32), 10, axis=0),
    "line": np.arange(40, dtype=np.float32)[:, None],
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
@pytest.mark.parametrize("kind", COLLAPSED)
def test_collapsed_rows_are_an_ordinary_case(kind, method, dims):
    fast = {"tsne": FEW, "umap": {"epochs": 20}}.get(method, {})
    m = make_map(COLLAPSED[kind], method, dims, **fast)
    assert m.xy.shape == (40, dims)
    assert np.isfinite(m.xy).all()
    if kind in ("equal", "zero"):
        assert m.trustworthiness is None
