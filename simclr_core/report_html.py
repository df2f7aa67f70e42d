"""A report on a run as one HTML page that opens offline: no script, no request, nothing unescaped.

The page is the template `report.html`, its words are in `report_html.toml`. Colours follow the reader's scheme, and it prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from simclr_core import __version__, report_svg
from simclr_core.cloud import HUB_K
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.registry import Label
from simclr_core.run_report import Evidence, RunReport
from simclr_core.texts import beside, template
from simclr_core.verdict import DIAGNOSES

WORDS = beside(__file__)


Say = Callable[..., str]
"""A word of `WORDS`, or a text in several languages, in the language of the page: `say(text, **values)`."""


class Figure(NamedTuple):
    """A drawing, how to read it, and its numbers as a table: the name of each row, then its values."""

    title: str
    how: str
    drawing: Markup
    head: list[str]
    rows: list[tuple[Any, ...]]


def render(report: RunReport, language: str = "en") -> str:
    """The page.

    Args:
        report: from `report_on`.
        language: one of `Label._fields`.
    """

    def say(text: str | Label | Mapping[str, str], **values: Any) -> str:
        label = WORDS[text] if isinstance(text, str) else text
        words = label._asdict() if isinstance(label, Label) else label
        found = words.get(language) or words["en"]
        return found.format(**values) if values else found

    page = template(
        Path(__file__).with_name("report.html"), number=number, interval=_interval, upper_first=_upper, json=_json
    )
    return page.render(
        report=report,
        language=language,
        say=say,
        figures=_figures,
        diagnoses=DIAGNOSES,
        diagnostics=DIAGNOSTICS,
        hub_k=HUB_K,
        version=__version__,
    )


# -- how things are written ----------------------------------------------------------------------------------------------
def number(value: float | None) -> str:
    """A number to four digits, a dash where there is none."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def _interval(interval: Sequence[float] | None) -> str:
    return "–" if not interval else f"{number(interval[0])} … {number(interval[1])}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


# -- figures -------------------------------------------------------------------------------------------------------------
def _figures(evidence: Evidence, say: Say) -> Iterator[Figure]:
    named = {say(name): values for name, values in evidence.spectrum.items()}
    titles = {"title": say("spectrum"), "x_title": say("rank")}
    columns = zip_longest(*(values.tolist() for values in named.values()))
    rows = [(rank, *values) for rank, values in enumerate(columns, 1)]
    yield Figure(say("spectrum"), say("spectrum_how"), report_svg.curves(named, **titles), [say("rank"), *named], rows)
    if evidence.cosines:
        pairs = {say(name): values for name, values in evidence.cosines.items()}
        drawing = report_svg.bars(pairs, -1, 1, title=say("cosines"), x_title=say("cosine"))
        edges = np.linspace(-1, 1, len(next(iter(pairs.values()))) + 1)
        rows = [
            (f"{a:.2f} … {b:.2f}", *v)
            for (a, b), v in zip(pairwise(edges), zip(*pairs.values(), strict=True), strict=True)
        ]
        yield Figure(say("cosines"), say("cosines_how"), drawing, [say("cosine"), *pairs], rows)
    count, title = evidence.occurrence, say("count", k=HUB_K)
    drawing = report_svg.bars({say("pictures"): count}, 0, len(count) - 1, title=say("occurrence"), x_title=title)
    yield Figure(
        say("occurrence"),
        say("occurrence_how", k=HUB_K),
        drawing,
        [title, say("pictures")],
        list(enumerate(count.tolist())),
    )
