"""Maps: trustworthiness against scikit-learn, refusals, stopping with a result, and rows that are all the same."""

import numpy as np
import pytest

from simclr_core import trust
from simclr_core.errors import ConfigError, DataError
from simclr_core.maps import make_map, principal_axes
from simclr_core.progress import Stopped
from simclr_core.trust import trustworthiness

FEW = {"iterations": 60, "early_iterations": 30}


@pytest.fixture
def blobs(rng) -> np.ndarray:
    """Three groups of 20 rows around far corners."""
    corners = np.repeat(np.eye(3, 8) * 8, 20, axis=0)
    return (corners + rng.normal(size=(60, 8))).astype(np.float32)


def test_trustworthiness_is_scikit_learns(rng):
    from sklearn.manifold import trustworthiness as reference

    x, xy = rng.normal(size=(200, 7)), rng.normal(size=(200, 2))
    for k in (3, 15):
        assert trustworthiness(x, xy, k) == pytest.approx(reference(x, xy, n_neighbors=k), abs=1e-12)
        assert trustworthiness(x, x[:, :2], k) == pytest.approx(reference(x, x[:, :2], n_neighbors=k), abs=1e-12)


def test_trustworthiness_of_a_perfect_and_of_a_random_map(rng):
    x = rng.normal(size=(400, 2))
    assert trustworthiness(x, 3 * x + 1) == 1.0
    assert trustworthiness(x, rng.permutation(x)) == pytest.approx(0.5, abs=0.05)


def test_trustworthiness_has_no_value_for_few_or_equal_rows(rng):
    assert trustworthiness(rng.normal(size=(30, 4)), rng.normal(size=(30, 2))) is None
    assert trustworthiness(rng.normal(size=(31, 4)), rng.normal(size=(31, 2))) is not None
    assert trustworthiness(np.ones((60, 4)), rng.normal(size=(60, 2))) is None


def test_trustworthiness_of_many_rows_is_measured_on_a_seeded_sample(rng, monkeypatch):
    monkeypatch.setattr(trust, "TRUST_ROWS", 100)
    x, xy = rng.normal(size=(300, 5)), rng.normal(size=(300, 2))
    sample = np.random.default_rng(4).choice(300, 100, replace=False)
    assert trustworthiness(x, xy, seed=4) == trustworthiness(x[sample], xy[sample])
    assert trust.trust_rows(300) == 100


@pytest.mark.parametrize("shape", [(50, 6), (6, 50)])
def test_principal_axes_are_scikit_learns_up_to_sign(rng, shape):
    from sklearn.decomposition import PCA

    x = rng.normal(size=shape)
    ours, theirs = principal_axes(x, 2), PCA(2).fit_transform(x)
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-9)
    assert (ours[np.abs(ours).argmax(0), [0, 1]] > 0).all()


def test_principal_axes_that_do_not_exist_are_zero():
    x = np.array([0.0, 1, 2, 9])
    xy = principal_axes(x[:, None], 3)
    assert np.allclose(xy[:, 0], x - 3)
    assert (xy[:, 1:] == 0).all()


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


def test_the_heavy_libraries_come_with_the_first_map_only():
    import subprocess
    import sys

    code = (
        "import sys, simclr_core.maps; print([m for m in ('umap', 'openTSNE', 'sklearn', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
