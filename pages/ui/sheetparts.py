"""One exercise on the page: tasks, matrix, stages with grades and hints, statements to judge, answers, live experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

from pages.ui import sheetfigures, teacher
from pages.ui.components.temperature.view import OWN_UNIT
from pages.ui.sheetbook import Book, exercise_title
from pages.ui.text import label, t
from simclr_core.registry import Label
from simclr_core.worksheet import workbook
from simclr_core.worksheet.answers import LONGEST, facts, hints
from simclr_core.worksheet.exercises import EXERCISES, values
from simclr_core.worksheet.handout import matrix_table
from simclr_core.worksheet.problems import STAGES, Problem

PAGES = Path(__file__).resolve().parents[1]  # every page file is on the shell's list: a test sees to it
HINTS_SHOWN = "worksheet.hints"
MARKS = {
    "right": ":green[:material/check_circle:]",
    "note": ":orange[:material/info:]",
    "wrong": ":red[:material/cancel:]",
}
# Live experiments: exercise → name of the sentence (worksheet.see.EXERCISE.NAME) → page and its URL's parameters, filled in
# by `setting`: the temperature page takes a matrix of one's own.
EXPERIMENTS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "1": {"softmax": ("temperature", {"t": "{tau}", "b": "own", "o": "{matrix}"})},
    "2": {
        "both": ("temperature", {"t": "{tau}", "u": "{tau_2}", "b": "own", "o": "{matrix}"}),
        "hard": ("temperature", {"t": "0.1", "u": "0.5", "b": "hard"}),
    },
    "3": {
        "one": ("temperature", {"t": "{tau}", "b": "own", "o": "{pair}"}),
        "batch": ("batch", {"batch.tau": "{tau}"}),
        "equal": ("temperature", {"b": "equal"}),
    },
    "4": {
        "views": ("views", {"views.recipe": "crop"}),
        "design": ("views", {"views.recipe": "weak"}),
        "train": ("train", {}),
        "queue": ("queue", {}),
    },
    "5": {
        "pairs": ("pairs", {}),
        "views": ("views", {"views.other": "7"}),
        "collapse": ("collapse", {}),
        "map": ("map", {}),
        "lab": ("lab", {}),
    },
    "6": {"collapse": ("collapse", {"run": "demo"}), "map": ("map", {"run": "demo"})},
}
_STYLE = """
<style>
.sheet { overflow-x: auto; container-type: inline-size; }
.sheet table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
.sheet th, .sheet td { border: 1px solid rgb(128 128 128 / 30%); padding: 5px 9px; text-align: right; font-weight: 400; }
.sheet th { opacity: 0.7; }
@container (max-width: 560px) {
  .sheet table { font-size: 0.8rem; width: 100%; table-layout: fixed; min-width: max-content; }
  .sheet th, .sheet td { padding: 4px; }
}
.sheet td:has(b) { outline: 2px solid currentColor; outline-offset: -2px; }
</style>
"""


def exercise(book: Book, number: str) -> None:
    """All of one exercise."""
    filled = values(book.sheet)
    e = EXERCISES[number]
    st.header(exercise_title(number))
    tasks = "\n".join(f"{i}. {label(text).format(**filled)}" for i, text in enumerate(e.tasks, 1))
    if number in book.problems:
        numbers(book, number, tasks)
    else:
        st.markdown(tasks)
    if number == "6":
        sheetfigures.comparison()
    statements(book, number)
    if not teacher.hides("answers"):
        with st.expander(t("worksheet.answer"), icon=":material/lightbulb:", key=f"worksheet.answer.{number}"):
            for text in e.answers:
                st.markdown(label(text).format(**filled))
    experiments(book, number)


def setting(book: Book) -> dict[str, str]:
    """What fills in the experiments' parameters: temperatures, and matrices as the temperature page takes them."""
    taus = {name: values(book.sheet)[name] for name in ("tau", "tau_2")}
    return taus | {"matrix": triangle(book.sheet.similarity), "pair": triangle(book.problems["3"].similarity)}


def triangle(similarity: np.ndarray) -> str:
    """The upper triangle row by row in ten-thousandths, joined by points."""
    upper = similarity[np.triu_indices(len(similarity), 1)]
    return ".".join(str(round(OWN_UNIT * s)) for s in upper)


def experiments(book: Book, number: str) -> None:
    """Links to the pages where it can be seen, set up for it."""
    filled = setting(book)
    there = {name: link for name, link in EXPERIMENTS[number].items() if (PAGES / f"{link[0]}.py").exists()}
    st.subheader(t("worksheet.see_title"))
    for name, (page, parameters) in there.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                f"{page}.py",
                query_params={name: text.format(**filled) for name, text in parameters.items()},
                icon=":material/arrow_forward:",
            )
            st.markdown(t(f"worksheet.see.{number}.{name}"), width="stretch")


def _feedback(kind: Literal["right", "note", "wrong"], text: str) -> None:
    st.markdown(f"{MARKS[kind]} {text}")


# -- numbers -----------------------------------------------------------------------------------------------------------
def numbers(book: Book, number: str, tasks: str) -> None:
    """The matrix beside the tasks, then a card for each anchor and one for the mean."""
    q = book.problems[number]
    top = st.grid(2, min_column_width=340 if len(q.similarity) <= 6 else 560, gap="large")
    with top.cell():
        st.markdown(tasks)
        st.latex(r"L_{i,j} = -\ln \frac{e^{s_{ij}/\tau}}{\sum_{k \neq i} e^{s_{ik}/\tau}}")
    with top.cell():
        st.html(f'{_STYLE}<div class="sheet">{matrix_table(q)}</div>')
        st.caption(t("worksheet.matrix_caption", tau=f"{q.temperature:g}"))
    if teacher.hides("controls"):
        return
    st.caption(t("worksheet.typing"))
    cards = st.grid(3 if q.asks_mean else 2, min_column_width=235, border=True)
    for anchor in q.anchors:
        with cards.cell():
            st.markdown(f"**L({anchor + 1},{q.partner[anchor] + 1})**")
            card(book, number, [(stage, anchor) for stage in q.stages])
    if q.asks_mean:
        with cards.cell():
            st.markdown(f"**{label(STAGES['mean'])}**")
            st.caption(given_losses(q))
            card(book, number, [("mean", 0)])


def given_losses(q: Problem) -> str:
    """The losses that are not asked for but needed for the mean."""
    asked = {anchor for anchor in q.anchors if "loss" in q.stages}
    rest = [i for i in range(len(q.similarity)) if i not in asked]
    said = (f"L({i + 1},{q.partner[i] + 1}) = {facts(q, 'loss', i)['right']}" for i in rest)
    return t("worksheet.given", losses=" · ".join(said))


def card(book: Book, number: str, items: list[tuple[str, int]]) -> None:
    """Fields with their grades and the hints asked for; a button for the next hint to the first stage not solved."""
    open_item: tuple[str, int] | None = None
    for stage, anchor in items:
        key = workbook.item_key(number, stage, anchor)
        st.text_input(label(STAGES[stage]), key=book.widget(key), max_chars=LONGEST, autocomplete="off")
        book.answers[key] = st.session_state[book.widget_name(key)] or ""
        got = workbook.grade_item(book.problems, number, stage, anchor, book.answers)
        if got.kind != "empty":
            kind: Literal["right", "note", "wrong"] = (
                "wrong" if not got.accepted else "right" if got.kind == "right" else "note"
            )
            _feedback(kind, label(got.text).format(**got.values))
        if not got.accepted and open_item is None:
            open_item = (stage, anchor)
        _show_hints(book, number, stage, anchor)
    if open_item is None:
        st.badge(t("worksheet.solved"), icon=":material/done_all:", color="green")
    else:
        _hint_button(book, number, *open_item)


def _shown(book: Book, key: str) -> int:
    return st.session_state.setdefault(HINTS_SHOWN, {}).get(book.widget_name(key), 0)


def offered(stage: str) -> Sequence[Label]:
    """The hints to a stage; the last is its answer, which a teacher's link may hide."""
    return hints(stage)[:-1] if teacher.hides("answers") else hints(stage)


def _another_hint(book: Book, key: str) -> None:
    st.session_state[HINTS_SHOWN][book.widget_name(key)] = _shown(book, key) + 1


def _show_hints(book: Book, number: str, stage: str, anchor: int) -> None:
    shown = offered(stage)[: _shown(book, workbook.item_key(number, stage, anchor))]
    filled = facts(book.problems[number], stage, anchor)
    for text in shown:
        st.caption(f":material/lightbulb: {label(text).format(**filled)}")


def _hint_button(book: Book, number: str, stage: str, anchor: int) -> None:
    key = workbook.item_key(number, stage, anchor)
    left = len(offered(stage)) - _shown(book, key)
    if left > 0:
        last = left == 1 and not teacher.hides("answers")
        text = t("worksheet.show_answer") if last else t("worksheet.hint", left=left)
        name = f"{book.widget_name(key)}.hint"
        help = label(STAGES[stage])
        st.button(text, icon=":material/lightbulb:", key=name, help=help, on_click=_another_hint, args=(book, key))


# -- statements --------------------------------------------------------------------------------------------------------
def statements(book: Book, number: str) -> None:
    """Each is judged true or false, then the reason is told."""
    st.subheader(t("worksheet.judge_title"))
    for place, s in enumerate(EXERCISES[number].statements):
        key = workbook.statement_key(number, place)
        if teacher.hides("controls"):
            st.markdown(f"- {label(s.text)}")
            continue
        chosen = st.radio(
            label(s.text),
            list(workbook.TRUTH),
            index=None,
            format_func={"true": t("worksheet.true"), "false": t("worksheet.false")}.__getitem__,
            key=book.widget(key),
            horizontal=True,
        )
        book.answers[key] = chosen or ""
        if chosen is not None and not teacher.hides("answers"):
            _feedback("right" if workbook.TRUTH[chosen] is s.true else "wrong", label(s.why))
