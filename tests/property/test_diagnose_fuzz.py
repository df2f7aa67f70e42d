"""Whatever matrix comes in: a report whose every number is finite or explained, or one sentence that says what is wrong."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core.errors import DataError
from simclr_core.records import EmbeddingTable, PairTable
from simclr_core.verdict import DIAGNOSES, diagnose, report_to_json

MISHAPS = (
    "zero rows",
    "constant columns",
    "copies",
    "equal rows",
    "huge",
    "tiny",
    "one outlier",
    "positive",
    "integers",
)


def spoil(x: np.ndarray, mishap: str, r: np.random.Generator) -> np.ndarray:
    n, d = x.shape
    if mishap == "zero rows":
        x[r.choice(n, r.integers(1, n + 1), replace=False)] = 0
    elif mishap == "constant columns":
        x[:, r.choice(d, r.integers(1, d + 1), replace=False)] = r.choice([-3.0, 0.0, 0.5])
    elif mishap == "copies":
        x[r.integers(0, n, n // 2)] = x[0]
    elif mishap == "equal rows":
        x[:] = x[0]
    elif mishap == "huge":
        x *= 10.0 ** r.integers(2, 30)
    elif mishap == "tiny":
        x *= 10.0 ** -r.integers(2, 30)
    elif mishap == "one outlier":
        x[r.integers(n)] *= 1e4
    elif mishap == "positive":
        x = np.maximum(x, 0)
    elif mishap == "integers":
        x = x.round()
    return x


@st.composite
def tables(draw):
    n, d = draw(st.one_of(st.integers(1, 12), st.integers(13, 40))), draw(st.integers(1, 24))
    r = np.random.default_rng(draw(st.integers(0, 2**31)))
    x = r.standard_normal((n, d))
    for mishap in draw(st.lists(st.sampled_from(MISHAPS), max_size=3)):
        x = spoil(x, mishap, r)
    kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    x = np.clip(x, -6e4, 6e4) if kind is np.float16 else np.clip(x, -1e35, 1e35)
    label = draw(st.sampled_from([None, np.zeros(n, np.int64), r.integers(0, 3, n), np.arange(n)]))
    pairs = None
    if draw(st.booleans()) and n >= 3:
        m = r.integers(2, n + 1)
        noise = 0.1 * r.standard_normal((m, d)) * np.abs(x[:m]).max()
        more = None if draw(st.booleans()) else np.repeat(x[:m, None], 2, axis=1).astype(kind)
        pairs = PairTable(
            z_a=None,
            z_b=None,
            h_a=x[:m].astype(kind),
            h_b=np.clip(x[:m] + noise, *np.array([-1, 1]) * (6e4 if kind is np.float16 else 1e35)).astype(kind),
            h_more=more,
            index=np.arange(m),
        )
    return EmbeddingTable(h=x.astype(kind), z=None, label=label, index=np.arange(n)), pairs


@settings(max_examples=15)
@given(tables())
def test_every_number_is_finite_or_explained(made):
    table, pairs = made
    if len(table) < 3 or table.h.shape[1] < 2 or (pairs is not None and not np.isfinite(pairs.h_b).all()):
        with pytest.raises(DataError, match=r"must be .*, got .*; "):
            diagnose(table, pairs=pairs)
        return
    report = diagnose(table, pairs=pairs)
    data = json.loads(json.dumps(report_to_json(report), allow_nan=False))
    assert data["verdict"] in (*DIAGNOSES, "healthy")
    explained = {f["id"] for f in data["findings"]}
    assert set(DIAGNOSES) <= explained
    for name, value in data["metrics"].items():
        assert name in explained if value is None else math.isfinite(value)
        interval = data["intervals"][name]
        assert interval is None or interval[0] <= value <= interval[1], name
    for found in data["findings"]:
        assert not re.search(r"\bnan\b|\binf\b|\{", found["sentence"])
        assert found["sentence"].endswith(".")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_named(bad):
    x = np.ones((20, 4), np.float32)
    x[7, 2] = bad
    with pytest.raises(DataError, match="first: row 7"):
        EmbeddingTable(h=x, z=None, index=np.arange(20))


def test_half_precision_says_what_single_says(rng):
    x = np.maximum(rng.standard_normal((300, 64)), 0).astype(np.float16)
    both = [
        diagnose(EmbeddingTable(h=x.astype(k), z=None, index=np.arange(300)), intervals=False)
        for k in (np.float16, np.float32)
    ]
    assert both[0].verdict == both[1].verdict
    for name, value in both[1].metrics.items():
        assert both[0].metrics[name] == (None if value is None else pytest.approx(value, rel=1e-6)), name


@pytest.mark.parametrize("n", [3, 4, 9, 10, 11, 20, 21, 22])
def test_fewer_rows_than_neighbours_say_so(rng, n):
    found = diagnose(EmbeddingTable(h=rng.standard_normal((n, 6)), z=None, label=np.arange(n) % 2, index=np.arange(n)))
    assert (found.metrics["hubness_skew"] is None) == (n <= 10)
    assert (found.metrics["knn_purity"] is None) == (n <= 20)
    for f in found.findings:
        if f.value is None and f.id in ("hubness_skew", "knn_purity"):
            assert f"there are {n}" in f.sentence
