"""Every kind of declared field becomes a widget, and the widgets give back the record."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.widgets import _typed
from simclr_core.errors import ConfigError

SCRIPT = """
import streamlit as st
from pages.ui.widgets import record
from simclr_core.config import {kind}
st.session_state["made"] = record({kind}, "page.form", {options})
"""


def form(kind: str, options: str = "") -> AppTest:
    return AppTest.from_string(SCRIPT.format(kind=kind, options=options)).run()


@pytest.mark.parametrize("kind", ["AugmentConfig", "ModelConfig", "TrainConfig", "RunConfig"])
def test_untouched_widgets_give_the_defaults(kind):
    from simclr_core import config

    at = form(kind)
    assert not at.exception
    assert at.session_state["made"] == getattr(config, kind)()


def test_a_span_a_slider_and_a_set_reach_the_record():
    at = form("AugmentConfig")
    at.slider(key="page.form.crop_scale").set_value((0.4, 0.9))
    at.slider(key="page.form.flip_p").set_value(0.25)
    at.button_group(key="page.form.jitter_parts").set_value(["hue", "contrast"])
    at.run()
    made = at.session_state["made"]
    assert made.jitter_parts == ("contrast", "hue")
    assert made.crop_scale == (0.4, 0.9)
    assert made.flip_p == 0.25


def test_automatic_is_none_until_switched_off_then_the_suggestion():
    at = form("TrainConfig", 'suggest={"epochs": 30}')
    assert at.session_state["made"].epochs is None
    at.checkbox(key="page.form.epochs.auto").uncheck().run()
    assert at.session_state["made"].epochs == 30
    at.number_input(key="page.form.epochs").set_value(7).run()
    assert at.session_state["made"].epochs == 7


def test_only_start_and_fixed():
    at = form("TrainConfig", 'only=("temperature", "batch_size"), start={"temperature": 0.07}, fixed={"seed": 5}')
    made = at.session_state["made"]
    assert (made.temperature, made.seed) == (0.07, 5)
    assert len(at.number_input) + len(at.selectbox) == 2


def test_a_typed_number_is_read_and_a_typed_word_is_a_sentence():
    assert _typed("Batch", "300", 1, 65536) == 300
    with pytest.raises(ConfigError, match="`Batch` must be a whole number"):
        _typed("Batch", "many", 1, 65536)


def test_a_value_out_of_bounds_is_a_sentence():
    at = form("TrainConfig", 'fixed={"temperature": -1.0}')
    assert "temperature" in at.exception[0].value
