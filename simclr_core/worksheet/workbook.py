"""A student's answers: what can be answered, what is solved, and the two forms they travel in: a JSON file and a URL.

An answer's key is "EXERCISE.STAGE.ANCHOR" (anchors from 1) with what was typed, or "EXERCISE.true.PLACE" with "true" or
"false" for a statement judged. Whatever comes from outside is checked against the keys of its sheet.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from simclr_core.errors import DataError, sentence
from simclr_core.registry import make_params
from simclr_core.worksheet.answers import LONGEST, Grade, grade
from simclr_core.worksheet.exercises import EXERCISES
from simclr_core.worksheet.problems import Problem, Sheet

SCHEMA = 1
LARGEST = 32_768  # bytes of a file or of what a URL unpacks to; the fullest sheet needs under 3,000
LONGEST_URL = 3000
TRUTH = {"true": True, "false": False}


class Score(NamedTuple):
    """How many stages and statements are solved, of how many."""

    solved: int
    asked: int


def item_key(number: str, stage: str, anchor: int) -> str:
    """The key of a stage; `anchor` counts from 0."""
    return f"{number}.{stage}.{anchor + 1}"


def statement_key(number: str, place: int) -> str:
    """The key of a statement; `place` counts from 0."""
    return f"{number}.true.{place + 1}"


def number_keys(problems: Mapping[str, Problem], number: str) -> dict[str, tuple[str, int]]:
    """Keys of an exercise's stages → (stage, anchor)."""
    items = problems[number].items if number in problems else []
    return {item_key(number, *item): item for item in items}


def statement_keys(number: str) -> dict[str, bool]:
    """Keys of an exercise's statements → whether they are true."""
    return {statement_key(number, i): s.true for i, s in enumerate(EXERCISES[number].statements)}


def grade_item(
    problems: Mapping[str, Problem], number: str, stage: str, anchor: int, answers: Mapping[str, str]
) -> Grade:
    """Grade one stage in the light of the student's other answers for its anchor."""
    q = problems[number]
    earlier = {s: answers.get(item_key(number, s, anchor), "") for s in q.stages if s != stage}
    return grade(q, stage, anchor, answers.get(item_key(number, stage, anchor), ""), earlier)


def score(problems: Mapping[str, Problem], number: str, answers: Mapping[str, str]) -> Score:
    """What is solved of one exercise."""
    stages, statements = number_keys(problems, number), statement_keys(number)
    graded = [grade_item(problems, number, *item, answers).accepted for item in stages.values()]
    judged = [TRUTH.get(answers.get(key, "")) is true for key, true in statements.items()]
    return Score(sum(graded) + sum(judged), len(graded) + len(judged))


def _known(sheet: Sheet, key: str, value: Any) -> bool:
    number = key.partition(".")[0]
    if number not in EXERCISES or not isinstance(value, str) or len(value) > LONGEST:
        return False
    if key in statement_keys(number):
        return value in TRUTH
    return key in number_keys(sheet.problems(), number)


# -- as a file ---------------------------------------------------------------------------------------------------------
def to_json(sheet: Sheet, answers: Mapping[str, str]) -> str:
    """Sheet and answers as a file that `from_json` reads."""
    problems = sheet.problems()
    solved = {number: score(problems, number, answers)._asdict() for number in EXERCISES}
    book = {"schema": SCHEMA, "sheet": asdict(sheet), "answers": dict(answers), "solved": solved}
    return json.dumps(book, ensure_ascii=False, indent=1)


def _typed(sheet: Mapping[str, Any]) -> bool:
    """Whether each field of a sheet is of its own kind: JSON knows true, 3.0 and "3" as well as 3."""
    usual = asdict(Sheet())
    return all(type(value) is type(usual.get(name)) for name, value in sheet.items())


def from_json(data: bytes) -> tuple[Sheet, dict[str, str]]:
    """Read a file of `to_json`; what it says is solved is not believed, but graded again.

    Raises:
        DataError: too large, no such file, or an answer to what this sheet does not ask. ConfigError: a sheet that is none.
    """
    rule, remedy = "a progress file of the work sheet", "export one on the work-sheet page"
    if len(data) > LARGEST:
        raise DataError(sentence("file", f"at most {LARGEST} bytes", len(data), remedy))
    try:
        book = json.loads(data)
        sheet, answers = book["sheet"], book["answers"]
        fits = book["schema"] == SCHEMA and isinstance(answers, dict) and _typed(sheet)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise DataError(sentence("file", rule, "something else", remedy))
    made = make_params(Sheet, sheet)
    for key, value in answers.items():
        if not _known(made, key, value):
            raise DataError(sentence("answers", "to what the sheet asks", key[:LONGEST], remedy))
    return made, answers


# -- in a URL ----------------------------------------------------------------------------------------------------------
def pack(answers: Mapping[str, str]) -> str:
    """Answers as URL-safe text; "" for none."""
    given = {key: value for key, value in answers.items() if value}
    if not given:
        return ""
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def unpack(sheet: Sheet, text: str) -> dict[str, str]:
    """The answers in a URL; what this sheet does not ask, and text that is no packing, counts as nothing."""
    if len(text) > LONGEST_URL:
        return {}
    try:
        packed = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = json.loads(zlib.decompressobj().decompress(packed, LARGEST))
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        return {}
    return {k: v for k, v in found.items() if _known(sheet, k, v)} if isinstance(found, dict) else {}
