"""The work sheet on paper: one HTML file that needs nothing else, with or without its key; `handout.html` is its template."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from markupsafe import Markup

from simclr_core.registry import Label
from simclr_core.texts import template
from simclr_core.worksheet.answers import digits
from simclr_core.worksheet.exercises import EXERCISES, values
from simclr_core.worksheet.problems import STAGES, Problem, Sheet
from simclr_core.worksheet.texts import TEXTS

Language = Literal["en", "zh"]
TAGS: dict[str, str] = {"en": "en", "zh": "zh-Hans"}
WORDS: dict[str, Label] = TEXTS["words"]


def handout(sheet: Sheet, language: Language = "en", *, key: bool = False) -> str:
    """The sheet as a self-contained HTML page.

    Args:
        sheet: which one.
        language: of all texts.
        key: whether the answers follow, on a page of their own.
    """
    problems, numbers = sheet.problems(), values(sheet)

    def say(text: Label, **more: object) -> str:
        return getattr(text, language).format(**{**numbers, **more})

    def word(name: str, **more: object) -> str:
        return say(WORDS[name], **more)

    return template(Path(__file__).with_suffix(".html")).render(
        sheet=sheet,
        tag=TAGS[language],
        key=key,
        say=say,
        word=word,
        digits=digits,
        stages=STAGES,
        exercises=EXERCISES,
        problems=problems,
        matrix=matrix_table(problems["1"]),
    )


def matrix_table(q: Problem) -> Markup:
    """The similarity matrix as an HTML table, views numbered from 1, positives in bold, no diagonal."""
    m = range(len(q.similarity))

    def cell(i: int, k: int) -> str:
        text = f"{q.similarity[i, k]:.2f}".replace("-", "−")
        return "<td>–</td>" if i == k else f"<td><b>{text}</b></td>" if k == q.partner[i] else f"<td>{text}</td>"

    head = "".join(f'<th scope="col">{k + 1}</th>' for k in m)
    lines = (f'<tr><th scope="row">{i + 1}</th>{"".join(cell(i, k) for k in m)}</tr>' for i in m)
    return Markup(f'<table class="matrix"><tr><th>s</th>{head}</tr>{"".join(lines)}</table>')
