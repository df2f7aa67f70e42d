"""The nine clouds: every diagnostic's value, and the verdict, also at other sizes and seeds."""

import numpy as np
import pytest

from simclr_core.records import EmbeddingTable
from simclr_core.verdict import diagnose
from tests.clouds import VERDICTS, nine_clouds

COLUMNS = ("std_ratio", "mean_cosine", "uniformity", "w2_uniformity", "rankme", "effective_rank", "participation_ratio")
# Two points: v is a unit vector and the noise 1e-6, whose 127 singular values add 1e-6 · 127 · 13.8 nats = .002.
TABLE = {
    "isotropic": (1.00, 0, -3.94, 0.09, 127.5, 126, 124),
    "a=1": (0.99, 0, -3.65, 0.60, 106.4, 46, 17),
    "a=2": (0.94, 0, -2.50, 1.05, 46.5, 4.8, 2.5),
    "rank 8": (0.97, 0, -3.05, 1.23, 7.9, 7.7, 7.5),
    "two points": (0.80, 0, -0.69, 1.35, 1.002, 1.0, 1.0),
    "point": (0.001, 1.00, 0, 1.41, 1.1, 126, 124),
    "cone": (0.32, 0.90, -0.40, 1.17, 76, 126, 124),
    "relu": (0.82, 0.32, -2.69, 0.60, 119, 126, 124),
    "half dead": (0.71, 0, -3.88, 0.77, 64, 63.5, 63),
}
NESUM = dict(zip(TABLE, (93, 5.3, 1.6, 5.4, 1.0, 93, 92, 92, 50), strict=True))
SKEW = dict(zip(TABLE, (0.36, 3.5, 1.6, 0.23, 3.1, 3.4, 8.2, 1.3, 0.22), strict=True))


@pytest.fixture(scope="module")
def clouds():
    return nine_clouds()


@pytest.fixture(scope="module")
def reports(clouds):
    tables = {k: EmbeddingTable(h=x, z=None, index=np.arange(len(x))) for k, x in clouds.items()}
    return {k: diagnose(table, intervals=False) for k, table in tables.items()}


@pytest.mark.parametrize("name", TABLE)
def test_values(reports, name):
    metrics = reports[name].metrics
    # Half a unit of the printed digits, and 2 % (5 % where the printed clouds vary with the seed).
    relative = 0.06 if name in ("a=1", "rank 8", "a=2") else 0.02
    for column, printed in zip(COLUMNS, TABLE[name], strict=True):
        assert metrics[column] == pytest.approx(printed, rel=relative, abs=0.006), (column, metrics[column])
    assert 0.8 < metrics["nesum"] / NESUM[name] < 1.25
    assert 0.4 < metrics["hubness_skew"] / SKEW[name] < 2.5


@pytest.mark.parametrize("name", TABLE)
def test_verdict(reports, name):
    assert reports[name].verdict == VERDICTS[name]


def test_power_law_one_is_healthy_with_a_warning(reports):
    found = {f.id: f.severity for f in reports["a=1"].findings}
    assert found["dimensional"] == "warn"
    assert reports["a=1"].severity == "warn"


def test_alpha_finds_the_exponent(reports):
    assert reports["a=1"].metrics["alpha"] == pytest.approx(1, abs=0.05)
    assert reports["a=2"].metrics["alpha"] == pytest.approx(2, abs=0.05)
    assert reports["a=2"].metrics["alpha_r2"] > 0.99
    assert reports["rank 8"].metrics["alpha"] is None


@pytest.mark.parametrize(("n", "d"), [(200, 16), (300, 512), (1000, 64), (700, 1024)])
@pytest.mark.parametrize("seed", [1, 2])
def test_verdict_at_other_sizes(n, d, seed):
    for name, x in nine_clouds(seed, n, d).items():
        table = EmbeddingTable(h=x, z=None, index=np.arange(n))
        assert diagnose(table, intervals=False).verdict == VERDICTS[name], name
