"""The work sheet on paper: one HTML file that needs nothing else, with or without its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Literal

from simclr_core.registry import Label
from simclr_core.worksheet.answers import digits
from simclr_core.worksheet.exercises import EXERCISES, Exercise, values
from simclr_core.worksheet.problems import PRINTED, STAGES, Problem, Sheet
from simclr_core.worksheet.texts import labels

Language = Literal["en", "zh"]
TAGS: dict[str, str] = {"en": "en", "zh": "zh-Hans"}
WORDS = labels("words")
_STYLE = """
@page { margin: 16mm; }
body { font: 11pt/1.45 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; color: #111; background: #fff;
  max-width: 178mm; margin: 0 auto; padding: 4mm; }
h1 { font-size: 16pt; margin: 0 0 2mm; } h2 { font-size: 12.5pt; margin: 7mm 0 2mm; break-after: avoid; }
header p { display: flex; gap: 8mm; margin: 0 0 2mm; } header span { flex: 1; border-bottom: 1px solid #777; }
table { border-collapse: collapse; margin: 2mm 0 3mm; break-inside: avoid; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #999; padding: 1mm 2.5mm; text-align: right; min-width: 11mm; }
th { font-weight: 500; background: #f2f2f2; }
table.work th:first-child { text-align: left; } table.work td { min-width: 34mm; height: 6mm; }
ol { padding-left: 6mm; margin: 1mm 0; } li { margin: 0 0 1.5mm; break-inside: avoid; }
.room { height: 22mm; border-bottom: 1px dotted #999; } .quiet { color: #444; font-size: 9.5pt; margin: 1mm 0; }
.boxes { white-space: nowrap; margin-left: 3mm; } .key { break-before: page; border-top: 2px solid #111; padding-top: 3mm; }
"""


def handout(sheet: Sheet, language: Language = "en", *, key: bool = False) -> str:
    """The sheet as a self-contained HTML page.

    Args:
        sheet: which one.
        language: of all texts.
        key: whether the answers follow, on a page of their own.
    """
    page = _Page(sheet, language)
    parts = [page.header(), *(page.exercise(number, e) for number, e in EXERCISES.items())]
    if key:
        parts += [f'<section class="key"><h1>{page.word("key")}</h1>', *map(page.solved, EXERCISES), "</section>"]
    head = (
        f'<!doctype html><html lang="{TAGS[language]}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{page.word('title')}</title><style>{_STYLE}</style></head><body>"
    )
    return head + "".join(parts) + "</body></html>\n"


class _Page:
    """One sheet in one language, piece by piece."""

    def __init__(self, sheet: Sheet, language: Language) -> None:
        self.sheet, self.language = sheet, language
        self.problems, self.values = sheet.problems(), values(sheet)

    def say(self, text: Label, **more: object) -> str:
        return escape(getattr(text, self.language).format(**{**self.values, **more}))

    def word(self, name: str, **more: object) -> str:
        return self.say(WORDS[name], **more)

    def header(self) -> str:
        name = "printed" if self.sheet.seed == PRINTED else "number"
        lines = f"<p>{self.word('name')}: <span></span> {self.word('date')}: <span></span></p>"
        which = self.word(name, seed=self.sheet.seed)
        return f'<header><h1>{self.word("title")}</h1><p class="quiet">{which}</p>{lines}</header>'

    def heading(self, number: str) -> str:
        return f"<h2>{self.word('exercise')} {number} · {self.say(EXERCISES[number].title)}</h2>"

    def exercise(self, number: str, e: Exercise) -> str:
        q = self.problems.get(number)
        given = f'{self.matrix(q)}<p class="quiet">{self.word("loss")}</p>' if q and number == "1" else ""
        work = self.work(q, {}) if q else ""
        statements = self.listed(f"{self.say(s.text)} {self.boxes(None)}" for s in e.statements)
        tasks = self.listed(map(self.say, e.tasks))
        judge = f'<p class="quiet">{self.word("judge")}</p>{statements}'
        return f'{self.heading(number)}{tasks}{given}{work}<div class="room"></div>{judge}'

    def solved(self, number: str) -> str:
        e, q = EXERCISES[number], self.problems.get(number)
        work = self.work(q, {item: digits(q.right.at(*item)) for item in q.items}) if q else ""
        answers = "".join(f"<p>{self.say(text)}</p>" for text in e.answers)
        statements = self.listed(f"{self.say(s.text)} {self.boxes(s.true)}<br>{self.say(s.why)}" for s in e.statements)
        return f"{self.heading(number)}{work}{answers}{statements}"

    def listed(self, items: Iterable[str]) -> str:
        return "<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>"

    def boxes(self, true: bool | None) -> str:
        marks = (("true", true is True), ("false", true is False))
        shown = " ".join(f"{'☑' if on else '☐'} {self.word(name)}" for name, on in marks)
        return f'<span class="boxes">{shown}</span>'

    def matrix(self, q: Problem) -> str:
        return matrix_table(q) + f'<p class="quiet">{self.word("matrix")}</p>'

    def work(self, q: Problem, filled: Mapping[tuple[str, int], str]) -> str:
        """Stages down, anchors across; empty where nothing is filled in."""
        names = "".join(f"<th>L({a + 1},{q.partner[a] + 1})</th>" for a in q.anchors)
        lines = [self.line(stage, [filled.get((stage, a), "") for a in q.anchors]) for stage in q.stages]
        if q.asks_mean:
            lines.append(self.line("mean", [filled.get(("mean", 0), "")], len(q.anchors)))
        return f'<table class="work"><tr><th>τ = {q.temperature:g}</th>{names}</tr>{"".join(lines)}</table>'

    def line(self, stage: str, cells: Iterable[str], span: int = 1) -> str:
        shown = "".join(f'<td colspan="{span}">{cell}</td>' for cell in cells)
        return f"<tr><th>{self.say(STAGES[stage])}</th>{shown}</tr>"


def matrix_table(q: Problem) -> str:
    """The similarity matrix as an HTML table, views numbered from 1, positives in bold, no diagonal."""
    m = range(len(q.similarity))

    def cell(i: int, k: int) -> str:
        text = f"{q.similarity[i, k]:.2f}".replace("-", "−")
        return "<td>–</td>" if i == k else f"<td><b>{text}</b></td>" if k == q.partner[i] else f"<td>{text}</td>"

    head = "".join(f'<th scope="col">{k + 1}</th>' for k in m)
    lines = (f'<tr><th scope="row">{i + 1}</th>{"".join(cell(i, k) for k in m)}</tr>' for i in m)
    return f'<table class="matrix"><tr><th>s</th>{head}</tr>{"".join(lines)}</table>'
