"""Numbers in a quiet table of HTML: a name, short values in columns, lines of explanation below them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import streamlit as st

NOTHING = "–"

_STYLE = """
<style>
.numbers { overflow-x: auto; container-type: inline-size; }
.numbers table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
.numbers th, .numbers td { padding: 7px 12px 7px 0; border-bottom: 1px solid rgb(128 128 128 / 22%); text-align: right;
  vertical-align: top; font-weight: 400; font-variant-numeric: tabular-nums; white-space: nowrap; }
.numbers thead th { font-size: 0.8rem; opacity: 0.75; vertical-align: bottom; white-space: normal; min-width: 72px; }
.numbers th:first-child, .numbers .notes td { text-align: left; white-space: normal; min-width: 130px; width: 100%; }
.numbers tr:has(+ .notes) > * { border-bottom: 0; padding-bottom: 0; }
.numbers .notes td { padding-top: 0; }
.numbers th:last-child, .numbers td:last-child { padding-right: 2px; }
.numbers b { font-weight: 600; }
.numbers .note { display: block; font-size: 0.8rem; line-height: 1.35; opacity: 0.75; }
@container (max-width: 600px) {
  .numbers table { font-size: 0.8rem; }
  .numbers th, .numbers td { padding-right: 5px; }
  .numbers thead th { min-width: 40px; font-size: 0.72rem; }
  .numbers th:first-child { min-width: 84px; }
  .numbers .note { white-space: normal; }
}
</style>
"""


class Row(NamedTuple):
    """One line of the table: its name, what explains it, its values; the first value is set in bold.

    What follows a line break in a value is set small below it.
    """

    name: str
    notes: Sequence[str]
    values: Sequence[str]


def short(value: float | None) -> str:
    """A number in about three digits with a true minus sign; a dash where there is none."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{size:,.{digits}f}" if size >= 0.01 else f"{size:.2g}"
    return f"−{text}" if value < 0 else text


def span(interval: Sequence[float] | None) -> str:
    """Two ends of an interval in short; nothing where there is none."""
    return "" if interval is None else f"{short(interval[0])}\u00a0… {short(interval[1])}"


def _cell(value: str, *, bold: bool) -> str:
    number, _, below = value.partition("\n")
    shown = f"<b>{escape(number)}</b>" if bold else escape(number)
    return f"<td>{shown}{_note(below)}</td>"


def _note(text: str) -> str:
    return f'<span class="note">{escape(text)}</span>' if text else ""


def _line(row: Row) -> str:
    notes = "".join(map(_note, row.notes))
    below = f'<tr class="notes"><td colspan="{1 + len(row.values)}">{notes}</td></tr>' if notes else ""
    cells = "".join(_cell(value, bold=i == 0) for i, value in enumerate(row.values))
    return f'<tr><th scope="row"><b>{escape(row.name)}</b></th>{cells}</tr>{below}'


def number_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Show rows under their columns' names. Every text is escaped."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(map(_line, rows))
    st.html(f'{_STYLE}<div class="numbers"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
