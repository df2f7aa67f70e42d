"""The tables of docs/zoo.md: what should be found in the failure zoo, and what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simclr_core.errors import DataError, sentence
from simclr_core.zoo import EVERY, Row


def entries_table() -> str:
    """What each entry does and what it should be called, as Markdown."""
    lines = [
        "| entry | what is done | space | accepted verdicts | why it fails | source |",
        "|---|---|---|---|---|---|",
    ]
    for name, s in EVERY.items():
        accepted = ", ".join(f"`{a}`" for a in s.accepted) or ("none of the collapses" if s.control else "not counted")
        space = "h, z" if s.control else s.space
        lines.append(f"| `{name}` | {s.label.en} | {space} | {accepted} | {s.help.en} | {s.source} |")
    return "\n".join(lines)


def _counts(counts: Mapping[str, int], accepted: Sequence[str]) -> str:
    words = (f"**{v}** {n}" if v in accepted else f"{v} {n}" for v, n in counts.items())
    return ", ".join(words)


def _mean(rows: Sequence[Row], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{np.mean(values):.2f}" if values else "not measured"


def results_table(result: Mapping[str, Any]) -> str:
    """The confusion table, as Markdown: each verdict and how many runs it met; accepted ones in bold on the space that counts."""
    lines = [
        "| entry | z | h | right | kNN accuracy | untrained |",
        "|---|---|---|---|---|---|",
    ]
    for name, counts in result["confusion"].items():
        s = EVERY[name]
        rows = [row for row in result["runs"] if row["zoo"] == name]
        right = "–" if rows[0]["right"] is None else f"{sum(row['right'] for row in rows)} of {len(rows)}"
        z, h = (_counts(counts[space], s.accepted if space == s.space else ()) for space in ("z", "h"))
        accuracies = f"{_mean(rows, 'knn_accuracy')} | {_mean(rows, 'knn_accuracy_untrained')}"
        lines.append(f"| `{name}` | {z} | {h} | {right} | {accuracies} |")
    named, spared = (f"{result[a]} of {result[b]}" for a, b in (("named", "failures"), ("spared", "healthy")))
    return "\n".join([*lines, "", f"Failures named: {named}. Healthy runs called no collapse, in h and z: {spared}."])


def filled(text: str, marker: str, table: str) -> str:
    """A document with what stands between `<!-- marker -->` and `<!-- /marker -->` replaced.

    Raises:
        DataError: the document lacks the markers.
    """
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise DataError(sentence("--doc", f"a document with the lines {begin} and {end}", "none", "add them"))
    return f"{before}{begin}\n{table}\n{end}{after}"


def documented(text: str, result: Mapping[str, Any]) -> str:
    """The zoo's document with both of its tables written anew."""
    return filled(filled(text, "entries", entries_table()), "results", results_table(result))
