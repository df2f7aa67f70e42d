"""Widgets from the fields of a parameter record; a figure with its badge and its numbers beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, NamedTuple, TypeVar

import streamlit as st

from pages.ui import figures, state, teacher
from pages.ui.text import escape_markdown, label, t
from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import Choice, Params, make_params
from simclr_core.store import RunDir

P = TypeVar("P", bound=Params)
Meta = Mapping[str, Any]  # of a declared field
Common = dict[str, Any]  # key, help and lifetime of a widget
KEEP = "session"  # a half-filled form is still there after a look at another page


def record(
    kind: type[P],
    key: str,
    *,
    start: Mapping[str, Any] | None = None,
    suggest: Mapping[str, Any] | None = None,
    only: Iterable[str] | None = None,
    fixed: Mapping[str, Any] | None = None,
    columns: int = 1,
) -> P:
    """One widget a declared field of a record; returns the record that they describe.

    Args:
        kind: the record.
        key: prefix of the widgets' keys, "page.name".
        start: values to begin with where they differ from the record's own defaults.
        suggest: what to begin with when a person switches a field off "automatic".
        only: the fields to show, in this order; by default all that are declared.
        fixed: values of fields that get no widget.
        columns: at most so many side by side.

    Raises:
        ConfigError: a value outside its field's bounds; the shell shows the sentence.
    """
    declared = {f.name: f for f in fields(kind) if "kind" in f.metadata}
    names = [n for n in (declared if only is None else only) if n not in (fixed or {})]
    values = dict(fixed or {})
    grid = st.grid(columns, min_column_width=150, vertical_alignment="bottom") if columns > 1 else None
    for name in names:
        f = declared[name]
        begin = (start or {}).get(name, _default(f))
        with grid.cell() if grid is not None else nullcontext():
            values[name] = widget(f, f"{key}.{name}", begin, (suggest or {}).get(name))
    return make_params(kind, values)


def prefill(record: Params, key: str) -> None:
    """Set the widgets that `record(type(record), key)` draws to a record's values; call it before they are drawn."""
    for f in fields(record):
        value = getattr(record, f.name)
        if f.metadata.get("auto") is not None:
            st.session_state[f"{key}.{f.name}.auto"] = value is None
        if "kind" in f.metadata and value is not None:
            whole = f.metadata.get("integer")
            decimal = f.metadata["kind"] == "number" and not whole
            if f.metadata["kind"] == "span":
                value = tuple(map(float, value))
            st.session_state[f"{key}.{f.name}"] = float(value) if decimal else int(value) if whole else value


def widget(f: Field[Any], key: str, begin: Any, suggestion: Any = None) -> Any:
    """The widget of one declared field."""
    meta, text = f.metadata, label(f.metadata["label"])
    common = {"key": key, "help": label(meta["help"]) or None, "persist_state": KEEP}
    if meta["kind"] == "number" and meta["auto"] is not None:
        return _auto(meta, text, begin, suggestion, common)
    return _DRAW[meta["kind"]](meta, text, begin, common)


def choose(
    family: Mapping[str, Choice[Any]], name: str, key: str, *, start: str | None = None, note: str | None = None
) -> str:
    """Choose an entry of a family by its label.

    Args:
        family: the dict of choices.
        name: what the family is called.
        key: the widget's key.
        start: the entry to begin with.
        note: what explains the choice.
    """
    names = list(family)
    index = names.index(start) if start in names else 0
    return st.selectbox(
        name, names, index, format_func=lambda n: label(family[n].label), key=key, help=note, persist_state=KEEP
    )


class Origin(NamedTuple):
    """Where the numbers of a figure come from.

    Attributes:
        kind: "live" = computed now from what is set on the page; "run" = measured on a run; "illustration" = a toy's sizes,
            no encoder was measured.
        run: the run's name and id, or what the runs are called.
    """

    kind: Literal["live", "run", "illustration"]
    run: str = ""


LIVE, ILLUSTRATION = Origin("live"), Origin("illustration")
_BADGES: dict[str, tuple[str, Literal["green", "blue", "orange"]]] = {
    "live": ("bolt", "green"), "run": ("science", "blue"), "illustration": ("draw", "orange"),
}  # fmt: skip


def of_run(run: RunDir | None) -> Origin:
    """That a figure shows what was measured on this run; without a run it was computed now."""
    if run is None:
        return LIVE
    name, identity = state.called(run), run.info.get("run_id")
    return Origin("run", f"{name} · {identity}" if identity else name)


def badge(origin: Origin) -> None:
    """Say where the numbers of the next figure come from, by an icon and words."""
    icon, colour = _BADGES[origin.kind]
    text = t(f"badge.{origin.kind}", run=escape_markdown(origin.run))
    st.badge(text, icon=f":material/{icon}:", color=colour, help=t(f"badge.{origin.kind}_help"))


def figure_with_table(
    figure: Any, rows: Any, key: str, *, origin: Origin | None = None, caption: str = "", alt: str | None = None
) -> None:
    """A chart with its badge, one sentence on how to read it, and the same numbers as a table for who cannot see or wants
    to copy them. Every chart of the app goes through here: a test refuses others.

    Args:
        figure: a plotly figure.
        rows: a data frame, or columns by name.
        key: the chart's key, "page.name".
        origin: where its numbers come from; by default the loaded run.
        caption: how to read it.
        alt: what the chart shows, for a screen reader; the caption where none is given.
    """
    badge(origin or of_run(state.current()))
    shown = figures.for_a_room(figure) if teacher.projector() else figure
    st.plotly_chart(shown, key=key, config={"displaylogo": False, "displayModeBar": False}, alt=alt or caption or None)
    if caption:
        st.caption(caption)
    with st.expander(t("common.as_table"), icon=":material/table_rows:"):
        st.dataframe(rows, hide_index=True, placeholder="–", key=f"{key}.table")


def _default(f: Field[Any]) -> Any:
    return f.default if f.default is not MISSING else None


def _auto(meta: Meta, text: str, begin: Any, suggestion: Any, common: Common) -> Any:
    """A checkbox that means None, and the number once it is off."""
    name = t("widgets.auto", field=text, auto=label(meta["auto"]))
    if st.checkbox(name, begin is None, **common | {"key": f"{common['key']}.auto"}):
        return None
    if begin is None:
        begin = suggestion if suggestion is not None else max(meta["low"], min(meta["high"], 1))
    return _number(meta, text, begin, common)


def _number(meta: Meta, text: str, begin: Any, common: Common) -> Any:
    low, high = meta["low"], meta["high"]
    if meta["integer"]:
        return _whole(text, int(low), int(high), int(begin), meta["log"], common)
    if meta["log"] or high - low > 10:
        # A logarithmic range in one box: any value can be typed, a step is a tenth of where it starts.
        step = float(f"{begin / 10:.1g}") if begin else 0.001
        return st.number_input(text, float(low), float(high), float(begin), step, "%g", **common)
    return st.slider(text, float(low), float(high), float(begin), 0.01, "%g", **common)


def _whole(text: str, low: int, high: int, begin: int, log: bool, common: Common) -> int:
    if log:
        options = sorted({*(2**i for i in range(33) if low <= 2**i <= high), begin})
        return _typed(
            text, st.selectbox(text, options, options.index(begin), accept_new_options=True, **common), low, high
        )
    draw = st.slider if high - low <= 64 else st.number_input
    return draw(text, low, high, begin, 1, **common)


def _typed(text: str, value: int | str, low: int, high: int) -> int:
    """A number chosen from a list or typed into it."""
    try:
        return int(value)
    except ValueError:
        rule = f"a whole number from {low} to {high}"
        raise ConfigError(sentence(text, rule, value, "choose a value inside")) from None


def _span(meta: Meta, text: str, begin: Any, common: Common) -> tuple[float, float]:
    low, high = float(meta["low"]), float(meta["high"])
    step = 0.01 if high - low <= 2 else 0.05
    return st.slider(text, low, high, (float(begin[0]), float(begin[1])), step, "%g", **common)


def _option(meta: Meta, text: str, begin: Any, common: Common) -> str:
    shown = meta["values"]
    return st.selectbox(text, shown, list(shown).index(begin), format_func=lambda n: label(shown[n]), **common)


def _several(meta: Meta, text: str, begin: Any, common: Common) -> tuple[str, ...]:
    shown = meta["values"]
    chosen = st.pills(
        text, list(shown), selection_mode="multi", wrap=True, default=list(begin), format_func=lambda n: label(shown[n]), **common
    )  # fmt: skip
    return tuple(name for name in shown if name in chosen)


def _switch(meta: Meta, text: str, begin: Any, common: Common) -> bool:
    return st.toggle(text, bool(begin), **common)


_DRAW: dict[str, Callable[[Meta, str, Any, Common], Any]] = {
    "number": _number,
    "span": _span,
    "option": _option,
    "several": _several,
    "switch": _switch,
}
