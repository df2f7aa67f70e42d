"""Answers as people type them, graded stage by stage, and hints. What is said comes as a `Label` with its values.

Rules, in this order, for an answer a against the right x (`_judge`):

1. a agrees with x to the digits written, and lies within 0.5 % of it: right. A share p near 1 must also give −ln p
   within 0.5 %: 0.9995 for 0.999507 is accepted as rounded, 1 is not.
2. a has four digits or more and agrees to all of them with a mistake's number, not with x: that mistake. So −ln of the
   mean share is told from the mean even where they differ by 0.005 %.
3. within 0.5 % of x: right. 4. what follows from the student's own earlier stage: told, not accepted.
5. within 0.5 % of a mistake's number: that mistake. 6. agrees with x, too few digits: rounded, accepted from three digits on.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simclr_core.registry import NO_HELP, Label
from simclr_core.worksheet.mistakes import MISTAKES, Mistake
from simclr_core.worksheet.problems import Problem, Worked
from simclr_core.worksheet.texts import TEXTS

LONGEST = 40  # characters of an answer
TOLERANCE = 0.005
ZERO = 1e-9  # what counts as 0 where 0 is right
DIAGNOSED_DIGITS, ENOUGH_DIGITS = 4, 3

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SAME = str.maketrans(
    {"−": "-", "–": "-", "。": ".", "٫": ".", "٬": ",", "'": " ", "’": " ", "×": "*", "·": "*", "⋅": "*"}
)
_POWER = re.compile(r"(?:e|[*x]10(?:\^|\*\*))\(?([+-]?\d{1,3})\)?$")
_EXPONENTIAL = re.compile(r"(?:e\^|exp)\(?([^()/]+)(?:/([^()/]+))?\)?$")


class Reading(NamedTuple):
    """A number as written: its value, the worth of a unit in its last digit, its significant digits."""

    value: float
    unit: float
    digits: int

    def agrees(self, x: float) -> bool:
        """Whether x, rounded to the digits written, is this."""
        return abs(self.value - x) <= self.unit / 2 + 1e-12 * abs(x)


class Grade(NamedTuple):
    """What is said of one answer.

    Attributes:
        kind: "empty", "right", "rounded", "coarse", "carried", "unreadable", "wrong", or a name in `MISTAKES`.
        accepted: whether the stage counts as solved.
        text: the sentence, in `str.format` form.
        values: what fills it in.
    """

    kind: str
    accepted: bool
    text: Label
    values: dict[str, str]


SENTENCES: dict[str, Label] = TEXTS["sentences"]
HINTS: dict[str, tuple[Label, ...]] = TEXTS["hints"]


# -- reading -----------------------------------------------------------------------------------------------------------
def read(text: str) -> list[Reading]:
    """Every number that a text may mean; none where it means none.

    Understood: a comma or a point for the decimals, thousands in groups (13,360 may mean both 13360 and 13.36), full-width
    digits, spaces, −, percent, 9.5e-1, 9.5×10⁻¹, e^(9.5), exp(0.95/0.1).
    """
    if len(text) > LONGEST:
        return []
    raised = re.sub(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)", lambda m: "^" + m[1].translate(_SUPERSCRIPT), text)
    plain = unicodedata.normalize("NFKC", raised).translate(_SAME).lower().strip()
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in plain)
    plain = re.sub(r"(?<!\d) +| +(?!\d)", "", plain)  # a space between digits may part thousands
    if found := _EXPONENTIAL.fullmatch(plain):
        over = _numbers(found[2]) if found[2] else [Reading(1, 0, 1)]
        return [r for a in _numbers(found[1]) for b in over for r in _exponential(a.value, b.value)]
    return _numbers(plain)


def _exponential(a: float, b: float) -> list[Reading]:
    return [Reading(math.exp(a / b), 0, 15)] if b and abs(a / b) < 700 else []


def _numbers(text: str) -> list[Reading]:
    percent = text.endswith("%")
    body = text.removesuffix("%")
    sign, body = (-1, body[1:]) if body.startswith("-") else (1, body.removeprefix("+"))
    power = _POWER.search(body)
    scale = int(power[1]) if power else 0
    plain = _plain(body[: power.start()] if power else body)
    found = [_reading(p, sign, scale - 2 * percent) for p in plain]
    return [r for r in found if math.isfinite(r.value)]


def _plain(text: str) -> list[str]:
    """Digits with a point for the decimals, once for each way to read the separators."""
    found = []
    for decimal, group in ((".", ","), (",", "."), (".", " "), (",", " ")):
        whole, fraction = (part.replace(" ", "") for part in (text.partition(decimal)[::2]))
        grouped = re.fullmatch(rf"[1-9]\d{{0,2}}(?:{re.escape(group)}\d{{3}})+", text.partition(decimal)[0])
        lone_point = group == "." and decimal not in text and text.count(".") == 1
        digits = whole.replace(group, "") if grouped and not lone_point else whole
        if re.fullmatch(r"\d*", digits) and re.fullmatch(r"\d*", fraction) and digits + fraction:
            found.append(f"{digits or '0'}.{fraction}" if fraction else digits)
    return list(dict.fromkeys(found))


def _reading(plain: str, sign: int, power: int) -> Reading:
    whole, _, fraction = plain.partition(".")
    digits = (whole + fraction).lstrip("0")
    unit = -len(fraction)
    if not fraction and digits.rstrip("0"):  # 13000 promises two digits
        unit, digits = len(digits) - len(digits.rstrip("0")), digits.rstrip("0")
    return Reading(sign * float(f"{plain}e{power}"), float(f"1e{unit + power}"), max(1, len(digits)))


# -- grading -----------------------------------------------------------------------------------------------------------
def grade(q: Problem, stage: str, anchor: int, text: str, earlier: Mapping[str, str] | None = None) -> Grade:
    """Grade one stage.

    Args:
        q: the problem.
        stage: "numerator", "denominator", "p", "loss", "pull" or "mean".
        anchor: row, from 0; of no meaning for the mean.
        text: what was typed.
        earlier: the student's other answers for this anchor, by stage.
    """
    if not text.strip():
        return Grade("empty", False, NO_HELP, {})
    grades = [_judge(q, stage, anchor, r, earlier or {}) for r in read(text)]
    if not grades:
        return _said(q, stage, anchor, "unreadable", False)
    return max(grades, key=lambda g: (g.accepted, g.kind != "wrong"))


def _judge(q: Problem, stage: str, anchor: int, r: Reading, earlier: Mapping[str, str]) -> Grade:
    x, loss = q.right.at(stage, anchor), q.right.at("loss", anchor)
    near = _near(stage, r.value, x, loss)
    if near and r.agrees(x):
        return _said(q, stage, anchor, "right", True)
    wrong = _mistaken(q, stage, anchor)
    tells = r.digits >= DIAGNOSED_DIGITS and not r.agrees(x)
    if tells and (exact := {k: v for k, v in wrong.items() if r.agrees(v)}):
        return _diagnosed(q, stage, anchor, r, exact)
    if near:
        return _said(q, stage, anchor, "right", True)
    if _carried(stage, r.value, earlier):
        return _said(q, stage, anchor, "carried", False)
    if close := {k: v for k, v in wrong.items() if _near(stage, r.value, v, _log(v))}:
        return _diagnosed(q, stage, anchor, r, close)
    if r.agrees(x) and x != 0:
        enough = r.digits >= ENOUGH_DIGITS and not (stage == "p" and r.value >= 1)
        return _said(q, stage, anchor, "rounded" if enough else "coarse", enough)
    return _unknown(q, stage, anchor, r.value, x)


def _close(a: float, x: float) -> bool:
    return abs(a - x) <= (TOLERANCE * abs(x) or ZERO)


def _near(stage: str, a: float, x: float, loss: float) -> bool:
    """Within the tolerance; a share must also be good enough for its −ln."""
    return _close(a, x) and (stage != "p" or _close(_log(a), loss))


def _log(p: float) -> float:
    """−ln p; ∞ where there is none."""
    return -math.log(p) if p > 0 else math.inf


@lru_cache(maxsize=64)
def _all_mistakes(q: Problem) -> dict[str, Worked]:
    return {name: mistake.run(q) for name, mistake in MISTAKES.items()}


def _mistaken(q: Problem, stage: str, anchor: int) -> dict[str, float]:
    """What each mistake would give at this stage, where that is a number and differs from the right one."""
    x = q.right.at(stage, anchor)
    values = {name: worked.at(stage, anchor) for name, worked in _all_mistakes(q).items()}
    return {k: v for k, v in values.items() if math.isfinite(v) and abs(v - x) > 1e-9 * abs(x)}


def _diagnosed(q: Problem, stage: str, anchor: int, r: Reading, found: Mapping[str, float]) -> Grade:
    """The mistake nearest to the answer; of equals, the first in `MISTAKES`."""
    name = min(found, key=lambda k: abs(found[k] - r.value))
    x = q.right.at(stage, anchor)
    return _said(q, stage, anchor, name, abs(found[name] - x) <= MISTAKES[name].accepted_within * abs(x))


def _carried(stage: str, a: float, earlier: Mapping[str, str]) -> bool:
    """Whether an answer follows from what the student wrote at the stages before."""
    given = {s: found[0].value for s, text in earlier.items() if (found := read(text))}
    if stage == "p" and given.get("denominator") and "numerator" in given:
        return _close(a, given["numerator"] / given["denominator"])
    if stage == "loss" and given.get("p", 0) > 0:
        return _close(a, _log(given["p"]))
    return False


def _unknown(q: Problem, stage: str, anchor: int, a: float, x: float) -> Grade:
    if a * x > 0 and (power := round(math.log10(a / x))) and _close(a, x * 10.0**power):
        return Grade("wrong", False, SENTENCES["point"], {"power": str(power).replace("-", "−")})
    kind = "wrong"
    if stage == "p" and not 0 < a <= 1:
        kind = "share"
    elif a < 0:
        kind = "negative"
    elif stage == "denominator" and a < q.right.at("numerator", anchor) * (1 - TOLERANCE):
        kind = "smaller"
    return Grade("wrong", False, SENTENCES[kind], {})


def _said(q: Problem, stage: str, anchor: int, kind: str, accepted: bool) -> Grade:
    mistake: Mistake | None = MISTAKES.get(kind)
    return Grade(kind, accepted, mistake.help if mistake else SENTENCES[kind], facts(q, stage, anchor))


def digits(x: float) -> str:
    """Six significant digits with a true minus."""
    return f"{x:.6g}".replace("-", "−")


# -- hints -------------------------------------------------------------------------------------------------------------
def hints(stage: str) -> tuple[Label, ...]:
    """Hints from a nudge to the formula with its numbers, and last the answer itself."""
    return HINTS[stage] + HINTS["answer"]


def facts(q: Problem, stage: str, anchor: int) -> dict[str, str]:
    """What fills in sentences and hints, as text."""
    r, m = q.right, len(q.similarity)
    s, tau = q.similarity[anchor], f"{q.temperature:g}"
    partner = int(q.partner[anchor])
    terms = (f"e^({s[k]:.2f}/{tau})" for k in range(m) if k != anchor)
    return {
        "i": str(anchor + 1),
        "j": str(partner + 1),
        "s": f"{s[partner]:.2f}",
        "tau": tau,
        "views": str(m),
        "images": str(m // 2),
        "negatives": str(m - 2),
        "candidates": str(m - 1),
        "terms": " + ".join(terms).replace("-", "−"),
        "numerator": digits(r.numerator[anchor]),
        "denominator": digits(r.denominator[anchor]),
        "rest": digits(float(r.numerator[anchor] * np.expm1(r.loss[anchor]))),
        "p": digits(r.p[anchor]),
        "losses": _listed(r.loss),
        "right": digits(r.at(stage, anchor)),
    }


def _listed(values: Iterable[float]) -> str:
    return " · ".join(map(digits, values))
