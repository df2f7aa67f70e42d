"""`EXPORTS`: a map with everything known of its rows, in other programs' formats, as bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.records import Map
from simclr_core.registry import Choice, Label, pick
from simclr_core.tables import ABOUT, about_map, columns_of, map_to_parquet

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Choice[Callable[[Map, Columns], bytes]]):
    """An entry of `EXPORTS`; its name is also the suffix of its files.

    Attributes:
        mime: what a browser is told the file is.
    """

    mime: str


def map_columns(m: Map, extra: Columns, class_names: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Join positions, labels, class names and per-row values into columns of one length.

    Raises:
        DataError: an extra column has another length, or the name of a column of the map.
    """
    columns = columns_of(m)
    if m.label is not None and len(class_names) > m.label.max():
        columns["class"] = np.array(class_names)[m.label]
    for name, values in extra.items():
        if name in columns or len(values) != len(m.index):
            rule = f"a new column name with {len(m.index)} values"
            raise DataError(sentence("column", rule, f"{name} with {len(values)}", "rename or align it"))
        columns[name] = values
    return columns


def _csv(m: Map, columns: Columns) -> bytes:
    """Method and seed are columns too: a comment line would break most readers."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "method", "space", "seed"])
    for row in zip(*(c.tolist() for c in columns.values()), strict=True):
        writer.writerow([*row, m.method, m.space, m.seed])
    return text.getvalue().encode("utf-8-sig")  # the mark makes spreadsheets read Chinese class names


def _npz(m: Map, columns: Columns) -> bytes:
    buffer = BytesIO()
    about = np.array(json.dumps(about_map(m), default=dict))
    np.savez_compressed(buffer, allow_pickle=False, **columns, **{ABOUT: about})
    return buffer.getvalue()


EXPORTS: dict[str, Export] = {
    "csv": Export(
        label=Label("CSV (spreadsheet)", "CSV（电子表格）"),
        run=_csv,
        mime="text/csv",
        source="RFC 4180, UTF-8 with mark",
    ),
    "parquet": Export(
        label=Label("Parquet (opens here again)", "Parquet（可在此重新打开）"),
        run=map_to_parquet,
        mime="application/vnd.apache.parquet",
        source="Apache Parquet",
    ),
    "npz": Export(
        label=Label("npz (NumPy)", "npz（NumPy）"),
        run=_npz,
        mime="application/octet-stream",
        source="NumPy npz, no pickle",
    ),
}


def export_for(path: str | Path) -> str:
    """The name in `EXPORTS` that a file's suffix asks for."""
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in EXPORTS:
        raise ConfigError(sentence("out", f"a file ending in .{', .'.join(EXPORTS)}", str(path), "choose one of these"))
    return kind


def export_map(kind: str, m: Map, extra: Columns | None = None, class_names: tuple[str, ...] = ()) -> bytes:
    """A map as a file of another program.

    Args:
        kind: a name of `EXPORTS`.
        m: the map.
        extra: per-row values to join, name → (n,).
        class_names: text of each label.

    Raises:
        ConfigError: unknown kind. DataError: columns that do not fit.
    """
    return pick(EXPORTS, kind, "export").run(m, map_columns(m, extra or {}, class_names))
