"""The batch page: one image alone, every size on the loaded run, BatchNorm on request."""

import math
import re
from unittest.mock import MagicMock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pages.ui.batchparts import doubled
from simclr_core import encode
from simclr_core.batchsize import BatchOf, Spread
from tests.pair_runs import build_encoded_run


def metrics(at) -> dict[str, str]:
    return {m.label: m.value for m in at.metric}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("run", [None, "small"])
def test_opens_with_and_without_a_run(open_page, run, lang):
    at = open_page("batch", run=run, lang=lang)
    assert not at.exception
    assert len([c for c in at.get("plotly_chart") if "figure" in c.key]) == (3 if run else 0)
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


def test_the_loss_read_as_information_stays_below_ln_k(open_page):
    at = open_page("batch")
    before = len(at.get("plotly_chart"))
    at = at.toggle(key="batch.information").set_value(True).run()
    assert len(at.get("plotly_chart")) == before + 1
    loss, bound = (next(d.value for d in at.dataframe if column in d.value) for column in ("loss", "ln K − loss"))
    assert list(bound["ln K, the most it can say"]) == list(loss["ceiling ln(2N − 1)"])
    assert list(bound["ln K − loss"]) == pytest.approx(list(loss["ceiling ln(2N − 1)"] - loss["loss"]))
    assert (bound["ln K − loss"] <= bound["ln K, the most it can say"]).all()


def test_batch_norm_is_measured_when_asked_and_once_a_run(open_page, tmp_path, monkeypatch):
    measure = MagicMock(return_value=[0.9, 0.99])
    monkeypatch.setattr(encode, "batch_norm_agreement", measure)
    build_encoded_run(tmp_path / "full")
    at = open_page("batch", run="full", root=tmp_path)
    measure.assert_not_called()
    at = at.button(key="batch.norm").click().run()
    assert "batch.figure.norm" in [chart.key for chart in at.get("plotly_chart")]
    assert not at.select_slider(key="batch.tau").set_value("0.5").run().exception
    measure.assert_called_once()


def test_the_temperature_lives_in_the_url(open_page):
    at = open_page("batch", run=None, **{"batch.tau": "0.07"})
    assert at.select_slider(key="batch.tau").value == "0.07"


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(max_size=12))
def test_no_link_breaks_the_page(open_page, value):
    assert not open_page("batch", run=None, **{"batch.tau": value}).exception


def test_doubling_the_batch_is_answered_by_what_was_measured(open_page):
    at = open_page("batch")
    at = at.radio(key="batch.double.answer").set_value("a").run()
    (told,) = [e.value for e in at.success]
    shown = [float(x) for x in re.findall(r"\d+\.\d{3}", told)]
    n = [int(x) for x in re.findall(r"(\d+) images|with (\d+)\.", told)[0] if x]
    assert n == [16], "the middle one of the sizes that fit 300 pairs"
    loss, after, ceiling, ceiling_after, gap, gap_after = shown
    assert ceiling == pytest.approx(math.log(31), abs=5e-4)
    assert ceiling_after == pytest.approx(math.log(63), abs=5e-4)
    assert after > loss
    assert (gap, gap_after) == pytest.approx((ceiling - loss, ceiling_after - after), abs=2e-3)
    assert not at.radio(key="batch.double.answer").set_value("b").run().success


@pytest.mark.parametrize(("losses", "right"), [((1.0, 2.0), "a"), ((2.0, 1.0), "b"), ((1.5, 1.5), "c")])
def test_the_right_option_is_the_sign_of_the_measured_step(losses, right):
    spread = [Spread(mean=x, low=x, high=x) for x in losses]
    rest = {"share": spread[0], "effective": spread[0], "same_class": None, "ceiling": 3.0, "floor": 0.0}
    own = [BatchOf(n=n, loss=loss, **rest) for n, loss in zip((4, 8), spread, strict=True)]
    assert doubled(own)[0] == right
