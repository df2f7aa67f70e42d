"""The rows of a run with what is needed to show them: pictures, classes, tiles, and distances as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pages.ui import routes, rowdata, state
from pages.ui.classroom import public
from pages.ui.gallery import Tile
from pages.ui.text import t
from simclr_core.errors import SimclrError
from simclr_core.records import EmbeddingTable, ImageSet, SpaceReport, rows_of
from simclr_core.store import RunDir


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The rows of a run's embedding table, and the pictures behind them."""

    run: RunDir

    @cached_property
    def table(self) -> EmbeddingTable:
        return state.table(self.run)

    @cached_property
    def _pictures(self) -> tuple[ImageSet | None, str]:
        try:
            return state.pictures(self.run), t("map.no_pictures")
        except SimclrError as error:
            return None, public(error)

    @property
    def pictures(self) -> ImageSet | None:
        """The pictures behind the rows; None where they are not at hand."""
        return self._pictures[0]

    @property
    def missing(self) -> str:
        """Why there are no pictures, or "" where there are."""
        return "" if self.pictures is not None else self._pictures[1]

    @cached_property
    def _place(self) -> np.ndarray:
        """Which picture each row is; −1 where it is not at hand."""
        absent = np.full(len(self.table), -1)
        return absent if self.pictures is None else rows_of(self.pictures.index, self.table.index)

    def picture(self, row: int) -> np.ndarray | None:
        """The pixels of a row's picture; None where it is not at hand."""
        return None if self.pictures is None or self._place[row] < 0 else self.pictures.image[self._place[row]]

    @cached_property
    def numbered(self) -> dict[str, int]:
        """The row of each picture by its number as text; the first where a number stands twice."""
        first: dict[str, int] = {}
        for row, index in enumerate(self.table.index):
            first.setdefault(str(index), row)
        return first

    def index(self, row: int) -> int:
        """The number of a row's picture in the whole source."""
        return int(self.table.index[row])

    def class_of(self, row: int) -> str:
        """The class of a row in words, "" where there are no labels."""
        if self.table.label is None:
            return ""
        return rowdata.class_text(self.table, int(self.table.label[row]))

    def same_class(self, one: int, other: int) -> bool | None:
        """Whether two rows have one class; None where there are no labels."""
        return None if self.table.label is None else bool(self.table.label[one] == self.table.label[other])

    def title(self, row: int) -> str:
        """Number and class of a picture."""
        return " · ".join(filter(None, (t("map.image", index=self.index(row)), self.class_of(row))))

    def tile(self, row: int, note: str = "", beside: int | None = None, size: int = 96) -> Tile:
        """A row in a gallery; a mark tells whether its class is that of the row `beside`."""
        url = None if self.missing else routes.thumb_url(self.run, self.index(row), size)
        name = self.class_of(row) or t("map.image", index=self.index(row))
        return Tile(url, name if beside is None else self.marked(name, beside, row), note)

    def marked(self, name: str, one: int, other: int) -> str:
        """A name with ✓ where two rows have one class, ≠ where not."""
        same = self.same_class(one, other)
        return name if same is None else f"{'✓' if same else '≠'} {name}"

    def columns(self, rows: Sequence[int] | np.ndarray, image: str, name: str) -> dict[str, Any]:
        """The columns of a table that say which pictures."""
        told: dict[str, Any] = {image: self.table.index[np.asarray(rows, dtype=int)]}
        return told if self.table.label is None else told | {name: [self.class_of(int(r)) for r in rows]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown(Rows):
    """The rows in one space, with the report on it."""

    found: SpaceReport

    @property
    def all_equal(self) -> bool:
        """Whether all rows are one point, so that who is near whom is a matter of row numbers."""
        return self.found.metrics["live_share"] is None


def distance_text(distance: float) -> str:
    """A cosine distance in a tile; small ones by their power of ten."""
    return f"{distance:.4f}" if distance >= 5e-4 or distance == 0 else f"{distance:.1e}"


def cosine_text(distance: float) -> str:
    """A cosine near 1, with as many digits as tell it from 1."""
    if distance == 0:
        return "1"
    return f"{1 - distance:.5f}" if distance >= 5e-6 else f"1 − {distance:.1e}"
