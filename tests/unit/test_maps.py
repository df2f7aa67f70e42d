"""What maps are judged by and PCA, against scikit-learn. Maps as such: `tests/contract/test_maps_contract.py`."""

import numpy as np
import pytest

from simclr_core import trust
from simclr_core.maps import principal_axes
from simclr_core.trust import trustworthiness


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


def test_the_heavy_libraries_come_with_the_first_map_only():
    import subprocess
    import sys

    code = (
        "import sys, simclr_core.maps; print([m for m in ('umap', 'openTSNE', 'sklearn', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
