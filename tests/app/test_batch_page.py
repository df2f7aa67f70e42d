"""The batch page: one image alone, every size on the loaded run, BatchNorm on request."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def metrics(at) -> dict[str, str]:
    return {m.label: m.value for m in at.metric}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("run", [None, "small"])
def test_opens_with_and_without_a_run(open_page, run, lang):
    at = open_page("batch", run=run, lang=lang)
    assert not at.exception
    assert len(at.get("plotly_chart")) == (3 if run else 0)
    assert bool(at.info) == (run is None) or run == "small"


def test_one_image_has_no_loss_at_any_cosine_and_a_second_image_brings_one(open_page):
    at = open_page("batch", run=None)
    for cosine in (-1.0, 0.0, 0.95):
        at.slider(key="batch.cosine").set_value(cosine).run()
        shown = metrics(at)
        assert shown["Numerator"] == shown["Denominator"]
        assert (shown["p of the positive"], shown["Loss −ln p"], shown["Gradient on the cosine"]) == (
            "1.000000",
            "0.000000",
            "0.000000",
        )
    at.toggle(key="batch.add").set_value(True).run()
    at.select_slider(key="batch.tau").set_value("0.5").run()
    shown = metrics(at)
    assert float(shown["Loss −ln p"]) == pytest.approx(math.log1p(2 * math.exp(-0.95 / 0.5)), abs=1e-6)
    assert float(shown["Gradient on the cosine"]) < 0


def test_the_temperature_lives_in_the_url(open_page):
    at = open_page("batch", run=None, **{"batch.tau": "0.07"})
    assert at.select_slider(key="batch.tau").value == "0.07"


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(max_size=12))
def test_no_link_breaks_the_page(open_page, value):
    assert not open_page("batch", run=None, **{"batch.tau": value}).exception
