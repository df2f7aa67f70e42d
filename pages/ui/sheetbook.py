"""Which work sheet is open and what was answered: kept in the session and the URL, printed, saved and loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import state, teacher
from pages.ui.classroom import read_only
from pages.ui.text import label, language, t
from pages.ui.widgets import KEEP
from simclr_core.errors import DataError, sentence
from simclr_core.worksheet import workbook
from simclr_core.worksheet.exercises import EXERCISES
from simclr_core.worksheet.handout import TAGS, handout
from simclr_core.worksheet.problems import (
    IMAGES,
    IMAGES_HIGH,
    IMAGES_LOW,
    PRINTED,
    SEED_HIGH,
    TEMPERATURES,
    Problem,
    Sheet,
)

SEED, SIZE, TAU, EXERCISE, ANSWERS = "sheet", "sheet_n", "sheet_tau", "exercise", "a"  # in the URL
BOOKS, PENDING, SEEN, LOADED = "worksheet.books", "worksheet.pending", "_a_in_url", "worksheet.loaded"
TAUS = [f"{tau:g}" for tau in TEMPERATURES]


@dataclass(frozen=True, kw_only=True, eq=False)
class Book:
    """The sheet that is open; `answers` is the session's own dict, key → what was typed."""

    sheet: Sheet
    problems: Mapping[str, Problem]
    answers: dict[str, str]

    def widget(self, key: str) -> str:
        """The widget key of an answer, filled with what the book holds."""
        name = self.widget_name(key)
        if name not in st.session_state:
            st.session_state[name] = self.answers.get(key) or (None if ".true." in key else "")
        return name

    def widget_name(self, key: str) -> str:
        return f"worksheet.{self.sheet.id}.{key}"

    def put(self, answers: Mapping[str, str]) -> None:
        """Take over answers from a file or a URL; call it before the widgets are drawn."""
        self.answers.update(answers)
        for key, value in answers.items():
            st.session_state[self.widget_name(key)] = value

    def solved(self, number: str) -> workbook.Score:
        return workbook.score(self.problems, number, self.answers)


def opened() -> Book:
    """The book that URL and session say, with what was typed since the last run."""
    if PENDING in st.session_state:
        sheet, answers = st.session_state.pop(PENDING)
        st.session_state.update({SEED: sheet.seed, SIZE: sheet.images, TAU: f"{sheet.temperature:g}"})
        book = _book(sheet)
        book.answers.clear()
        book.put(answers)
    state.follow_number(SEED, PRINTED, SEED_HIGH, PRINTED)
    state.follow_number(SIZE, IMAGES_LOW, IMAGES_HIGH, IMAGES)
    state.follow_url(TAU, TAUS, TAUS[0])
    state.follow_url(EXERCISE, EXERCISES, next(iter(EXERCISES)))
    seed = st.session_state[SEED]
    own = {"images": st.session_state[SIZE], "temperature": float(st.session_state[TAU])} if seed != PRINTED else {}
    book = _book(Sheet(seed=seed, **own))
    _read_widgets(book)
    _read_url(book)
    return book


def _book(sheet: Sheet) -> Book:
    answers = st.session_state.setdefault(BOOKS, {}).setdefault(sheet.id, {})
    return Book(sheet=sheet, problems=sheet.problems(), answers=answers)


def _keys(book: Book) -> list[str]:
    return [
        key
        for number in EXERCISES
        for key in (*workbook.number_keys(book.problems, number), *workbook.statement_keys(number))
    ]


def _read_widgets(book: Book) -> None:
    for key in _keys(book):
        name = book.widget_name(key)
        if name in st.session_state:
            book.answers[key] = st.session_state[name] or ""


def _read_url(book: Book) -> None:
    """The URL wins where it changed by itself: a link that was opened, or back and forward."""
    found = st.query_params.get(ANSWERS)
    if found and found != st.session_state.get(SEEN):
        book.put(workbook.unpack(book.sheet, found))


def share(book: Book) -> None:
    """Write the answers into the URL, so that they survive a reload."""
    state.share(ANSWERS, workbook.pack(book.answers), "")


# -- which sheet, which exercise ---------------------------------------------------------------------------------------
def title(sheet: Sheet) -> str:
    """What a sheet is called."""
    if sheet.seed == PRINTED:
        return t("worksheet.printed")
    return t("worksheet.own", seed=sheet.seed, images=sheet.images, tau=f"{sheet.temperature:g}")


def _draw_another() -> None:
    st.session_state[SEED] = int(np.random.default_rng().integers(1, SEED_HIGH))


def _back_to_printed() -> None:
    st.session_state[SEED] = PRINTED


def choose_sheet(book: Book) -> None:
    """The printed sheet, or a number that stands for a matrix of its own."""
    with st.expander(title(book.sheet), icon=":material/description:"):
        st.markdown(t("worksheet.sheet_help"))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(t("worksheet.seed"), PRINTED, SEED_HIGH, key=SEED, persist_state=KEEP, width=180)
            st.button(t("worksheet.draw"), icon=":material/casino:", on_click=_draw_another)
            if book.sheet.seed != PRINTED:
                st.button(t("worksheet.to_printed"), on_click=_back_to_printed)
        if book.sheet.seed != PRINTED:
            with st.container(horizontal=True, gap="large"):
                sizes = list(range(IMAGES_LOW, IMAGES_HIGH + 1))
                st.segmented_control(t("worksheet.images"), sizes, key=SIZE, required=True, persist_state=KEEP)
                st.segmented_control(t("worksheet.tau"), TAUS, key=TAU, required=True, persist_state=KEEP)


def choose_exercise(book: Book) -> str:
    """The exercise looked at, with what is solved."""
    scores = {number: book.solved(number) for number in EXERCISES}

    def name(number: str) -> str:
        done = scores[number].solved == scores[number].asked
        return t("worksheet.exercise", number=number) + (" ✓" if done else "")

    solved, asked = (sum(column) for column in zip(*scores.values(), strict=True))
    st.segmented_control(
        t("worksheet.exercises"),
        list(EXERCISES),
        key=EXERCISE,
        format_func=name,
        required=True,
        persist_state=KEEP,
        label_visibility="collapsed",
    )
    if not teacher.hides("controls"):
        st.progress(solved / asked, t("worksheet.progress", solved=solved, asked=asked))
    return st.session_state[EXERCISE]


# -- on paper and in files ---------------------------------------------------------------------------------------------
def link(sheet: Sheet) -> str:
    """The address of a sheet without any answers."""
    page = (st.context.url or "/worksheet").partition("?")[0]
    own = f"?{SEED}={sheet.seed}&{SIZE}={sheet.images}&{TAU}={sheet.temperature:g}"
    return page if sheet.seed == PRINTED else page + own


def keep(book: Book) -> None:
    """Print the sheet, hand it on, save and load what was answered."""
    st.header(t("worksheet.keep_title"))
    grid = st.grid(3, min_column_width=260, border=True)
    with grid.cell():
        _printing(book.sheet)
    with grid.cell():
        st.markdown(f"**{t('worksheet.link_title')}**")
        st.markdown(t("worksheet.link_help"))
        st.code(link(book.sheet), language=None, wrap_lines=True)
    with grid.cell():
        _progress_file(book)


def _printing(sheet: Sheet) -> None:
    st.markdown(f"**{t('worksheet.print_title')}**")
    st.markdown(t("worksheet.print_help"))
    hidden = teacher.hides("answers")
    key = not hidden and st.toggle(t("worksheet.with_key"), key="worksheet.with_key", persist_state=KEEP)
    code: Any = language() if language() in TAGS else "en"
    st.download_button(
        t("worksheet.print"),
        handout(sheet, code, key=key),
        f"worksheet-{sheet.id}{'-key' if key else ''}-{code}.html",
        "text/html",
        icon=":material/print:",
        on_click="ignore",
    )


def _progress_file(book: Book) -> None:
    st.markdown(f"**{t('worksheet.progress_title')}**")
    st.download_button(
        t("worksheet.save"),
        workbook.to_json(book.sheet, book.answers),
        f"worksheet-{book.sheet.id}.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    if read_only():
        return
    file = st.file_uploader(t("worksheet.load"), "json", key="worksheet.file", max_upload_size=1)
    if file is None or file.file_id == st.session_state.get(LOADED):
        return
    if file.size > workbook.LARGEST:
        raise DataError(sentence("file", f"at most {workbook.LARGEST} bytes", file.size, t("worksheet.load_remedy")))
    st.session_state[PENDING] = workbook.from_json(file.getvalue())
    st.session_state[LOADED] = file.file_id
    st.rerun()


def exercise_title(number: str) -> str:
    """Number and title of an exercise."""
    return f"{number} · {label(EXERCISES[number].title)}"
