"""`EXERCISES`: the work sheet in words: tasks, answers, and statements to judge with the reason for each.

The texts stand in `texts.toml`; `values` computes what fills them in from the sheet's matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simclr_core.registry import Label
from simclr_core.similarity import loss_ceiling
from simclr_core.worksheet.answers import digits
from simclr_core.worksheet.problems import Sheet, half_share_images
from simclr_core.worksheet.texts import TEXTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something to judge true or false, and why it is."""

    text: Label
    true: bool
    why: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One exercise of the sheet.

    Attributes:
        title: what it is about.
        tasks: what is asked, in order; an exercise with numbers asks them too (`Sheet.problems`).
        answers: short texts that answer the open tasks.
        statements: for checking oneself.
    """

    title: Label
    tasks: tuple[Label, ...]
    answers: tuple[Label, ...]
    statements: tuple[Statement, ...]


def _exercise(table: dict[str, Any]) -> Exercise:
    return Exercise(**table | {"statements": tuple(Statement(**s) for s in table["statements"])})


EXERCISES = {number: _exercise(table) for number, table in TEXTS["exercises"].items()}


def values(sheet: Sheet) -> dict[str, str]:
    """What fills in the texts for one sheet."""
    one, two, _ = sheet.problems().values()
    s, tau, tau_2 = sheet.similarity, sheet.temperature, sheet.other_temperature
    gap = s[0, 1] - s[0, 2]
    numbers = {
        "images": f"{sheet.images}",
        "views": f"{2 * sheet.images}",
        "tau": f"{tau:g}",
        "tau_2": f"{tau_2:g}",
        "positives": " ".join(f"({2 * k + 1},{2 * k + 2})" for k in range(sheet.images)),
        "one_direction": digits(float(one.right.loss[::2].mean())),
        "s_12": f"{s[0, 1]:.2f}",
        "s_13": f"{s[0, 2]:.2f}",
        "ratio": digits(float(np.exp(gap / tau))),
        "ratio_2": digits(float(np.exp(gap / tau_2))),
        "ceiling_3": f"{loss_ceiling(3):.3f}",
        "ceiling_256": f"{loss_ceiling(256):.3f}",
        "half_05": f"{half_share_images(0.5):.0f}",
        "half_02": f"{half_share_images(0.2):.0f}",
        "half_01": f"{half_share_images(0.1):.0f}",
    }
    for mark, right in (("", one.right), ("_2", two.right)):
        numbers[f"total{mark}"], numbers[f"first{mark}"] = digits(right.mean), digits(right.numerator[0])
        numbers[f"share{mark}"], numbers[f"pull{mark}"] = digits(right.p[0]), digits(float(right.pull.mean()))
    return {name: text.replace("-", "−") for name, text in numbers.items()}
