"""What the temperature explorer looks at, as a link and the browser say it: every value is checked here before it is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import numpy as np

from pages.ui.components.shared import SPEEDS

TAU_LOW, TAU_HIGH, TAU_DEFAULT = 0.01, 10.0, 0.5
N_LOW, N_HIGH, N_DEFAULT = 3, 16, 6
OWN = "own"
MODES = {"sweep": (0, 0), "beats": (1, 6), "train": (0, 400)}  # way to play → first and last place
CELL = re.compile(r"(\d{1,2})\.(\d{1,2})\.(-?\d{1,3})", re.ASCII)
OWN_CELL = re.compile(r"-?\d{1,5}", re.ASCII)
OWN_UNIT, CELL_UNIT = 10_000, 100


class View(TypedDict):
    """The explorer's state.

    tau, tau2: temperatures, tau2 None unless two are compared. row: the anchor, counted from 1. preset: id of a batch.
    n: images in a batch of free size. cells: dragged cells, "1.3.85_2.4.-20" for s(1, 3) = .85 and s(2, 4) = −.20.
    fix: the nearest possible matrix instead of an impossible one. own: a person's matrix, the upper triangle in ten-thousandths joined by dots.
    mode, at, speed: the way to play, the beat or the step of training, and how fast.
    """

    tau: float
    tau2: float | None
    row: int
    preset: str
    n: int
    cells: str
    fix: bool
    own: str
    mode: str
    at: int
    speed: str


def read_view(sizes: Mapping[str, int], **asked: Any) -> View:
    """Make a valid view of whatever stands in a URL or comes from a browser: unknown → default, outside → clamped.

    Args:
        sizes: the batches there are, id → number of views; the first is the default.
        asked: texts, numbers or None by the names of `View`; any may be missing.
    """
    own = _own(asked.get("own"))
    sizes = dict(sizes) | ({OWN: _side(own.count(".") + 1)} if own else {})
    preset, mode = _one_of(sizes, asked.get("preset")), _one_of(MODES, asked.get("mode"))
    known = asked.get("preset") in (preset, None)
    first, last = MODES[mode]
    return View(
        tau=_clamped(asked.get("tau"), TAU_DEFAULT, TAU_LOW, TAU_HIGH),
        tau2=None if asked.get("tau2") is None else _clamped(asked["tau2"], TAU_DEFAULT, TAU_LOW, TAU_HIGH),
        row=int(_clamped(asked.get("row"), 1, 1, sizes[preset])),
        preset=preset,
        n=int(_clamped(asked.get("n"), N_DEFAULT, N_LOW, N_HIGH)),
        cells=_cells(asked.get("cells"), sizes[preset]) if known else "",
        fix=str(asked.get("fix")) in ("1", "True"),
        own=own,
        mode=mode,
        at=int(_clamped(asked.get("at"), first, first, last)),
        speed=_one_of(SPEEDS, asked.get("speed")),
    )


def _one_of(names: Iterable[str], value: Any) -> str:
    allowed = list(names)
    return value if isinstance(value, str) and value in allowed else allowed[0]


def _clamped(value: Any, default: float, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = default
    return min(max(number, low), high) if np.isfinite(number) else default


def _cells(text: Any, m: int) -> str:
    """Dragged cells above the diagonal of an (m, m) matrix; one that is malformed is left out, of two for a place the last counts."""
    found: dict[tuple[int, int], int] = {}
    for part in str(text or "")[:20_000].split("_"):
        match = CELL.fullmatch(part)
        if match:
            i, k, value = map(int, match.groups())
            if 1 <= i < k <= m and abs(value) <= CELL_UNIT:
                found[i, k] = value
    return "_".join(f"{i}.{k}.{value}" for (i, k), value in found.items())


def _own(text: Any) -> str:
    """A person's matrix as it came, or nothing where it is no upper triangle of cosines of 2, 4, … 32 views."""
    parts = str(text or "")[:20_000].split(".")
    m = _side(len(parts))
    whole = m * (m - 1) // 2 == len(parts) and m % 2 == 0 and 2 <= m <= 2 * N_HIGH
    valid = whole and all(OWN_CELL.fullmatch(part) and abs(int(part)) <= OWN_UNIT for part in parts)
    return ".".join(parts) if valid else ""


def _side(count: int) -> int:
    """Rows of the matrix whose upper triangle has so many numbers."""
    return round((1 + (1 + 8 * count) ** 0.5) / 2)
