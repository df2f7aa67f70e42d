"""What every entry of DIAGNOSTICS, DIAGNOSES, PROBES and METRICS promises."""

import math
import re
from dataclasses import fields

import numpy as np
import pytest

from simclr_core.cloud import Cloud, Undefined
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.neighbours import METRICS
from simclr_core.probes import PROBES
from simclr_core.records import EmbeddingTable, PairTable
from simclr_core.verdict import DIAGNOSES, LIMITS, diagnose
from tests.clouds import nine_clouds

CHINESE = re.compile(r"[\u4e00-\u9fff]")
FAMILIES = {"DIAGNOSTICS": DIAGNOSTICS, "DIAGNOSES": DIAGNOSES, "PROBES": PROBES, "METRICS": METRICS}
ENTRIES = [(family, name) for family, entries in FAMILIES.items() for name in entries]


@pytest.mark.parametrize(("family", "name"), ENTRIES)
def test_entry_says_what_it_is_and_where_from(family, name):
    choice = FAMILIES[family][name]
    assert choice.label.en
    assert choice.label.zh
    assert choice.source
    if family != "METRICS":
        assert choice.help.en.endswith(".")
        assert CHINESE.search(choice.help.zh)
    for f in fields(choice.params) if family != "DIAGNOSES" else ():
        assert f.metadata["label"].en
        assert f.metadata["label"].zh
    choice.params()


@pytest.fixture
def parts(rng):
    x = rng.standard_normal((120, 24)).astype(np.float32)
    orbits = (x[:30, None] + 0.2 * rng.standard_normal((30, 4, 24))).astype(np.float32)
    return x, np.arange(120) % 3, orbits


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_diagnostic_is_finite_deterministic_and_leaves_its_input_alone(name, parts):
    x, label, orbits = parts
    before = x.copy()
    if name in ("alpha", "alpha_r2"):
        assert math.isfinite(DIAGNOSTICS[name].run(Cloud(x=x)))
    views = orbits[:, 0], orbits[:, 1]
    values = [DIAGNOSTICS[name].run(Cloud(x=x, label=label, views=views, orbits=orbits)) for _ in range(2)]
    assert type(values[0]) is float
    assert math.isfinite(values[0])
    assert values[0] == values[1]
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", DIAGNOSTICS)
@pytest.mark.parametrize("cloud", nine_clouds(0, 4, 4))
def test_diagnostic_of_an_ill_cloud_is_finite_or_undefined_with_a_reason(name, cloud):
    made = Cloud(x=nine_clouds(1, 60, 12)[cloud])
    try:
        value, why = DIAGNOSTICS[name].run(made), None
    except Undefined as undefined:
        value, why = None, undefined.why
    assert (value is not None and math.isfinite(value)) or (why.en and CHINESE.search(why.zh))


@pytest.fixture(scope="module")
def reports():
    """An ordinary cloud with labels and pairs, and nine ill ones with pairs that are not theirs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 24)).astype(np.float32)
    pairs = PairTable(z_a=None, z_b=None, h_a=x[:30], h_b=x[:30] + np.float32(0.2), index=np.arange(30))
    tables = [EmbeddingTable(h=c, z=None, index=np.arange(60)) for c in nine_clouds(0, 60, 24).values()]
    ordinary = EmbeddingTable(h=x, z=None, label=np.arange(120) % 3, index=np.arange(120))
    return [diagnose(table, pairs=pairs) for table in (ordinary, *tables)]


@pytest.mark.parametrize("name", DIAGNOSES)
def test_diagnosis_speaks_both_languages_on_every_cloud(name, reports):
    assert all(LIMITS[name])
    for report in reports:
        found = next(f for f in report.findings if f.id == name)
        assert set(found.sentences) == {"en", "zh"}
        assert found.sentence.endswith(".")
        assert CHINESE.search(found.sentences["zh"])
        assert not re.search(r"\{|nan|inf\b", found.sentence)
        assert found.severity in ("ok", "warn", "fail")
        assert found.value is None or math.isfinite(found.value)
        assert (found.value is None) == (found.threshold is None) == (found.threshold_source == "")
        assert found.interval is None or found.interval.low <= found.value <= found.interval.high
        assert ("do not settle it" in found.sentence) == found.unsure
