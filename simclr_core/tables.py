"""Embedding tables, pair tables and maps on disk: npz without pickle, Parquet, every text as JSON beside the arrays."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from simclr_core.errors import DataError, sentence
from simclr_core.records import EmbeddingTable, Map, PairTable
from simclr_core.store import write_atomic

ABOUT = "about"  # the array that holds a JSON text: class names, encoder, …


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Every array of an npz (or the one of an npy, as h), never unpickling; a bad file is a `DataError`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(sentence("file", "an existing .npz", str(path), "check the path"))
    try:
        data = np.load(path, allow_pickle=False)
        if isinstance(data, np.ndarray):
            return {"h": data}
        with data:
            return {name: data[name] for name in data.files}
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error, EOFError, AttributeError) as error:
        raise DataError(sentence("file", "an npz of plain arrays", str(path), f"it cannot be read: {error}")) from None


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray | None], about: Mapping[str, Any]) -> None:
    """Write arrays and a JSON text, replacing the file as a whole."""
    buffer = BytesIO()
    present = {k: v for k, v in arrays.items() if v is not None}
    arrays_and_text: dict[str, Any] = present | {ABOUT: np.array(json.dumps(about))}
    np.savez(buffer, **arrays_and_text)
    write_atomic(Path(path), buffer.getvalue())


def _about(arrays: Mapping[str, np.ndarray], **kinds: type) -> dict[str, Any]:
    """What the JSON text beside the arrays says by these names; only that where another program meant something else by it."""
    try:
        found = json.loads(str(arrays[ABOUT]))
    except (KeyError, ValueError):
        return {}
    said = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in said if isinstance(value, kinds.get(name, ()))}


def _float(arrays: Mapping[str, np.ndarray], name: str, axes: str = "n, d") -> np.ndarray | None:
    x = arrays.get(name)
    if x is None:
        return None
    numbers = np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)
    if x.ndim != len(axes.split(",")) or not numbers:
        raise DataError(sentence(name, f"an array of numbers ({axes})", f"{x.dtype}{x.shape}", "save one row an image"))
    return x if x.dtype == np.float64 else x.astype(np.float32)


def _column(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    x = arrays.get(name)
    if x is None:
        return None
    whole = x.dtype.kind in "biu" or (x.dtype.kind == "f" and np.isfinite(x).all() and (x == np.round(x)).all())
    if not whole:
        found = f"{x.dtype}{x.shape}"
        raise DataError(sentence(name, "whole numbers, one an image", found, "number the classes from 0"))
    return x.astype(np.int64).reshape(-1)


def save_embeddings(table: EmbeddingTable, path: str | Path, *, half: bool = False) -> None:
    """Write h, z, index and label; `half` stores the matrices as float16, for small bundled files."""
    kind = np.float16 if half else np.float32
    matrices = {s: table.space(s).astype(kind) for s in table.spaces}
    about = {k: getattr(table, k) for k in ("class_names", "encoder", "spec", "split")}
    write_npz(path, matrices | {"index": table.index, "label": table.label}, about)


def load_embeddings(path: str | Path) -> EmbeddingTable:
    """Read an embedding table: an npz with h and/or z (label and index optional), or a plain .npy matrix taken as h.

    Raises:
        DataError: no such file, not plain arrays, wrong shapes, or values that are not finite.
    """
    path = Path(path)
    arrays = read_npz(path)
    h, z = _float(arrays, "h"), _float(arrays, "z")
    if h is None and z is None:
        found = ", ".join(k for k in arrays if k != ABOUT) or "no arrays"
        raise DataError(sentence("file", "an npz with the matrix `h` or `z`", found, "rename the matrix to h"))
    n = len(h) if h is not None else len(z) if z is not None else 0
    index = _column(arrays, "index")
    about = _about(arrays, class_names=list, encoder=str, spec=str, split=str)
    return EmbeddingTable(
        h=h,
        z=z,
        label=_column(arrays, "label"),
        index=np.arange(n) if index is None else index,
        **{"encoder": path.stem} | about | {"class_names": tuple(map(str, about.get("class_names", ())))},
    )


def save_pairs(pairs: PairTable, path: str | Path, *, half: bool = False) -> None:
    """Write both views' matrices of each space, and what draws the same views again."""
    kind = np.float16 if half else np.float32
    arrays: dict[str, np.ndarray | None] = {"index": pairs.index, "label": pairs.label}
    for s in pairs.spaces:
        a, b = pairs.space(s)
        arrays |= {f"{s}_a": a.astype(kind), f"{s}_b": b.astype(kind)}
        more = pairs.all_views(s)[:, 2:]
        arrays[f"{s}_more"] = more.astype(kind) if more.shape[1] else None
    write_npz(path, arrays, {"encoder": pairs.encoder, "seed": pairs.seed, "augment": dict(pairs.augment)})


def load_pairs(path: str | Path) -> PairTable:
    """Read a pair table: z_a, z_b (n, d) and/or h_a, h_b, row i of both from one image; z_more, h_more (n, k, d) if there."""
    arrays = read_npz(path)
    matrices: dict[str, Any] = {name: _float(arrays, name) for name in ("z_a", "z_b", "h_a", "h_b")}
    matrices |= {name: _float(arrays, name, axes="n, views, d") for name in ("z_more", "h_more")}
    n = max((len(m) for m in matrices.values() if m is not None), default=0)
    index = _column(arrays, "index")
    columns: dict[str, Any] = {"label": _column(arrays, "label"), "index": np.arange(n) if index is None else index}
    return PairTable(**matrices, **columns, **_about(arrays, encoder=str, seed=int, augment=dict))


def about_map(m: Map) -> dict[str, Any]:
    """What it takes to draw the map again, and how far to trust it."""
    return {k: getattr(m, k) for k in ("method", "space", "params", "seed", "seconds", "trustworthiness")}


def columns_of(m: Map) -> dict[str, np.ndarray]:
    """A map as columns of one length: index, x, y (z), and label where there are any."""
    columns = {"index": m.index} | {axis: m.xy[:, i].astype(np.float32) for i, axis in enumerate("xyz"[: m.dims])}
    return columns if m.label is None else columns | {"label": m.label}


def map_to_parquet(m: Map, columns: Mapping[str, np.ndarray]) -> bytes:
    """Columns as Parquet; method, parameters and seed ride in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(dict(columns)).replace_schema_metadata({ABOUT: json.dumps(about_map(m), default=dict)})
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def save_map(m: Map, path: str | Path) -> None:
    """Write a map as Parquet."""
    write_atomic(Path(path), map_to_parquet(m, columns_of(m)))


def load_map(path: str | Path) -> Map:
    """Read a map written by `save_map`."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = {name: table[name].to_numpy() for name in table.column_names}
        label = columns.get("label")
        return Map(
            xy=np.stack([columns[a] for a in "xyz" if a in columns], axis=1).astype(np.float32),
            index=columns["index"].astype(np.int64),
            label=None if label is None else label.astype(np.int64),
            **json.loads(table.schema.metadata[ABOUT.encode()]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:  # what pyarrow says of a bad file is a ValueError too
        raise DataError(sentence("file", "a map written by this program", str(path), f"cannot read: {error}")) from None
