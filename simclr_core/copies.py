"""Rows that are all but equal, in groups, and what their pictures say: one picture twice, or different ones in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from simclr_core.neighbours import components
from simclr_core.records import NeighbourGraph

SAME = 0.999  # cosine from which rows are duplicates: healthy h after a ReLU has up to 15 % at .99 and none here
DENSE = 0.03  # first distance over twentieth from which rows are close for being many, not for being copies


def copied(graph: NeighbourGraph) -> Int[np.ndarray, " m"]:
    """Rows with a neighbour at cosine .999 or more that stands out from the others around.

    Many rows on few dimensions lie close without being copies: the first distance is then no small part of the last.
    """
    first, last = graph.distance[:, 0], graph.distance[:, -1]
    dense = (first > DENSE * last) & (last > 1 - SAME)
    return np.flatnonzero((first <= 1 - SAME) & ~dense)


def group_of(graph: NeighbourGraph) -> Int[np.ndarray, " n"]:
    """The group of each row: rows that a chain of copies connects share one; most rows are alone in theirs."""
    return components(graph, 1 - SAME, copied(graph))


def groups(graph: NeighbourGraph) -> list[np.ndarray]:
    """Rows that fell into one place, two or more together, the largest group first."""
    group = group_of(graph)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return sorted((rows for rows in parts if len(rows) > 1), key=lambda rows: (-len(rows), rows[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldApart:
    """What the pictures of groups of all but equal rows are.

    Attributes:
        rows: how many rows stand in a group.
        copies: of these, rows whose very picture another row of the group has: copies in the data.
        collapsed: rows whose group holds a different picture: the encoder does not see the difference.
        unknown: rows whose picture is not at hand.
    """

    rows: int
    copies: int
    collapsed: int
    unknown: int


def different(group: Int[np.ndarray, " m"], picture: Mapping[int, bytes]) -> int:
    """How many different pictures a group holds, as far as they are known."""
    return len({picture[int(row)] for row in group if int(row) in picture})


def tell_apart(found: Sequence[np.ndarray], picture: Mapping[int, bytes]) -> ToldApart:
    """Count copies and collapsed pictures in groups of rows.

    Args:
        found: from `groups`.
        picture: row → `picture_hash` of its picture; rows without one are counted as unknown.
    """
    copies = collapsed = unknown = 0
    for group in found:
        known = [picture[int(row)] for row in group if int(row) in picture]
        count = {p: known.count(p) for p in set(known)}
        copies += sum(n for n in count.values() if n > 1)
        collapsed += len(known) if len(count) > 1 else 0
        unknown += len(group) - len(known)
    return ToldApart(rows=sum(map(len, found)), copies=copies, collapsed=collapsed, unknown=unknown)
