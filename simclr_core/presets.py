"""`PRESETS`: small batches worth looking at, as similarity matrices; `QUESTIONS` about them, to answer before looking.

Both stand in `presets.toml`; every number that is shown of them is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simclr_core.registry import Label
from simclr_core.similarity import interleaved_partner, nt_xent_rows, positive_pull
from simclr_core.texts import beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A batch of 2N views given by its cosines, the upper triangle row by row. `note` says in a sentence what it shows."""

    label: Label
    note: Label
    upper: tuple[float, ...]

    @property
    def similarity(self) -> np.ndarray:
        """(2N, 2N) float64, symmetric, diagonal 1."""
        m = round((1 + (1 + 8 * len(self.upper)) ** 0.5) / 2)
        s = np.eye(m)
        s[np.triu_indices(m, 1)] = self.upper
        return s + s.T - np.eye(m)

    @property
    def partner(self) -> np.ndarray:
        """(2N,) row of each view's positive: [1, 0, 3, 2, …]."""
        return interleaved_partner(len(self.similarity) // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What happens to a loss or a pull when τ goes through `taus`, to be guessed before it is shown.

    kind: "trend" has the options grows, shrinks, stays; "least" has one option a temperature. row: the anchor counted from 1,
    0 for the mean over all anchors. `why` is said with the answer; it names no number, those are computed.
    """

    text: Label
    why: Label
    preset: str
    measure: Literal["loss", "pull"]
    taus: tuple[float, ...]
    row: int = 0
    kind: Literal["trend", "least"] = "trend"

    @property
    def fields(self) -> dict[str, Any]:
        """What a program asks of it, without the words."""
        return {name: getattr(self, name) for name in ("preset", "measure", "taus", "row", "kind")}

    def answer(self) -> tuple[list[float], int]:
        """The values at `taus` in order, and the place of the right option."""
        asked = PRESETS[self.preset]
        of = nt_xent_rows if self.measure == "loss" else positive_pull
        rows = [of(asked.similarity, asked.partner, tau) for tau in self.taus]
        values = [float(r[self.row - 1] if self.row else r.mean()) for r in rows]
        if self.kind == "least":
            return values, int(np.argmin(values))
        change = values[-1] / values[0] - 1
        return values, 2 if abs(change) < 1e-9 else 0 if change > 0 else 1


_TABLES = beside(__file__)
PRESETS = {name: Preset(**entry) for name, entry in _TABLES["presets"].items()}
QUESTIONS = {name: Question(**entry) for name, entry in _TABLES["questions"].items()}
