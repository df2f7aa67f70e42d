"""What the map page knows of one saved map: its run, its rows in the embedding table, and words about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from pages.ui import routes, rowdata, state
from pages.ui.components.pointcloud import CloudData
from pages.ui.shown import Rows
from pages.ui.text import label, t
from simclr_core.maps import MAPS
from simclr_core.measures import same_label_chance
from simclr_core.records import Map, Space, rows_of
from simclr_core.rowvalues import ROW_VALUES
from simclr_core.store import RunDir
from simclr_core.trust import TRUST_K, trust_rows

BY_LABEL = "label"


def map_id(method: str, space: str, dims: int, seed: int, params: Mapping[str, Any]) -> str:
    """The folder of a map: the same request gives the same name, so that it is not computed twice."""
    text = json.dumps(dict(params), sort_keys=True)
    return f"{method}-{space}-{dims}d-s{seed}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def up_to_date(run: RunDir, name: str, params: Mapping[str, Any]) -> bool:
    """Whether this map is there, newer than the embeddings, and was not stopped on its way."""
    path = run.path / "maps" / name / "map.parquet"
    if not path.exists() or path.stat().st_mtime < state.embeddings_path(run).stat().st_mtime:
        return False
    used = state.saved_maps(run)[name].params
    asked = json.loads(json.dumps(dict(params)))  # as a file tells it: a pair is a list there
    return all(value is None or used.get(key) == value for key, value in asked.items())


def title(m: Map) -> str:
    """How a saved map is called in a list: method, space, axes, seed, and the parameters that are not the defaults."""
    if m.method not in MAPS:
        return f"{m.method} · {m.space} · {m.dims}-D"
    choice = MAPS[m.method]
    known = {f.name: f for f in fields(choice.params)}
    told = [(known[k], v) for k, v in m.params.items() if k in known and v != known[k].default]
    shown = [f"{label(f.metadata['label'])} {_short(v)}" for f, v in told]
    return " · ".join([label(choice.label), m.space, f"{m.dims}-D", t("map.seed_is", seed=m.seed), *shown])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True, eq=False)
class View(Rows):
    """One saved map of a run. A point is a place on the map; its row is that of the embedding table."""

    id: str
    map: Map

    @property
    def n(self) -> int:
        return len(self.map.index)

    @property
    def address(self) -> str:
        """What tells this map from all others of all runs."""
        return f"{self.run.name}/{self.id}"

    @property
    def space(self) -> Space:
        return "z" if self.map.space == "z" else "h"

    @cached_property
    def row(self) -> np.ndarray:
        """The table's row of each point."""
        return rowdata.rows_in_table(self.map, self.table)

    # -- words ---------------------------------------------------------------------------------------------------------
    @property
    def trust(self) -> str:
        """Trustworthiness as a sentence, with what it was measured on."""
        value = self.map.trustworthiness
        if value is None:
            return t("map.trust_none", k=TRUST_K)
        return t("map.trust", value=f"{value:.3f}", k=TRUST_K, rows=f"{trust_rows(self.n):,}", n=f"{self.n:,}")

    @property
    def finding(self) -> str:
        """One sentence that says what the picture shows, for who cannot see it."""
        method = label(MAPS[self.map.method].label) if self.map.method in MAPS else self.map.method
        parts = [t("map.finding", method=method, space=self.map.space, n=f"{self.n:,}", dims=self.map.dims), self.trust]
        if self.map.label is not None and self.n <= rowdata.GRAPH_ROWS:
            share = float(rowdata.values(self.run, self.space, "agreement")[self.row].mean())
            classes = len(np.unique(self.map.label))
            parts.append(
                t(
                    "map.finding_classes",
                    share=f"{share:.0%}",
                    chance=f"{same_label_chance(self.map.label):.0%}",
                    classes=classes,
                )
            )
        return " ".join(parts)

    def value(self, name: str) -> np.ndarray:
        """One of `ROW_VALUES` for each point."""
        return rowdata.values(self.run, self.space, name)[self.row]

    # -- for the browser -----------------------------------------------------------------------------------------------
    def cloud(self, colour: str, neighbours: tuple[int, list[int]]) -> CloudData:
        """The point cloud, coloured by class or by one of `ROW_VALUES`, with lines to a point's neighbours."""
        by_value = colour in ROW_VALUES
        return CloudData(
            map_id=self.address,
            n=self.n,
            dims=self.map.dims,
            points=routes.points_url(self.run, self.id),
            values=routes.values_url(self.run, self.id, colour) if by_value else None,
            value_name=label(ROW_VALUES[colour].label) if by_value else "",
            thumbs=None if self.missing else routes.thumbs_url(self.run),
            names=self.table.class_names,
            finding=self.finding,
            neighbours=neighbours,
        )

    def neighbours(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest others of a point in the original space that are on the map too: points and cosine distances."""
        rows, distance = rowdata.neighbours_of(self.run, self.space, int(self.row[i]))
        points = rows_of(self.row, rows)
        return points[points >= 0], distance[points >= 0]
