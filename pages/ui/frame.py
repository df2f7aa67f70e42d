"""One place that turns a bad input into a sentence and lets a bug look like a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.ui.classroom import public
from simclr_core.errors import SimclrError


@contextmanager
def error_frame() -> Iterator[None]:
    """Show a `SimclrError` as its sentence and stop; anything else propagates.

    The shell wraps every page in it. A fragment reruns without the shell, so a fragment's body needs its own.
    """
    try:
        yield
    except SimclrError as error:
        st.error(public(error), icon=":material/error:")
        st.stop()
