"""HTTP routes beside the pages: pictures and point buffers, fetched by the browser without a rerun.

    /api/thumb/{run}/{index}         one picture as a small JPEG; `index` is its row in the whole source
    /api/points/{run}/{map}          a map: header, uint16 positions, uint32 index, int16 label
    /api/values/{run}/{map}/{name}   float32, one of `ROW_VALUES` a point

A URL names runs and maps, never paths; numbers are parsed, names are looked up among those that exist. With `?v=` an
answer may be kept for ever: the version changes with the file. Bad text → 400, unknown name → 404, both as a sentence.
"""

from __future__ import annotations

import functools
import socket
import struct
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.ui import rowdata, state
from pages.ui.classroom import public
from simclr_core.errors import ConfigError, RunError, SimclrError
from simclr_core.records import Map, Space
from simclr_core.store import RunDir

SIZES = (48, 96, 192)
MAGIC = b"PTS1"
PIXEL_ART = 16  # pictures up to this many pixels wide are enlarged without smoothing
FOR_EVER = "public, max-age=31536000, immutable"
JPEG_QUALITY = 88


# -- what the pages link to, relative to the app's root ------------------------------------------------------------------
def thumbs_url(run: RunDir) -> str:
    """Where a run's pictures are, with `{i}` in the place of the index."""
    return f"api/thumb/{quote(run.name, safe='')}/{{i}}?v={rowdata.version(run)}"


def thumb_url(run: RunDir, index: int, size: int = 96) -> str:
    """The address of one picture."""
    return thumbs_url(run).replace("{i}", str(index)) + f"&size={size}"


def points_url(run: RunDir, map_id: str) -> str:
    """The address of a map's points."""
    stamp = (run.path / "maps" / map_id / "map.parquet").stat().st_mtime_ns
    return f"api/points/{quote(run.name, safe='')}/{quote(map_id, safe='')}?v={stamp:x}"


def values_url(run: RunDir, map_id: str, name: str) -> str:
    """The address of one value of each point of a map."""
    return f"api/values/{quote(run.name, safe='')}/{quote(map_id, safe='')}/{name}?v={rowdata.version(run)}"


# -- answers -------------------------------------------------------------------------------------------------------------
def answer(make: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Turn a bad request into its sentence, and let a versioned answer be kept by the browser."""

    @functools.wraps(make)
    def endpoint(request: Request) -> Response:
        try:
            response = make(request)
        except RunError as error:
            return PlainTextResponse(public(error), status_code=404)
        except SimclrError as error:
            return PlainTextResponse(public(error), status_code=400)
        response.headers["Cache-Control"] = FOR_EVER if "v" in request.query_params else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return endpoint


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ConfigError(f"`{name}` must be a whole number, got {text[:20]!r}; use a number from the page")
    return int(text)


def picture(run: RunDir, index: int) -> np.ndarray:
    """One picture, uint8 (h, w, 3), by its row in the whole source; `RunError` when there is none."""
    found = state.pictures(run)
    if found is None:
        raise RunError(f"`run` {run.name!r} has no pictures: its embeddings came alone; encode images to see them")
    hits = np.flatnonzero(found.index == index)
    if not len(hits):
        raise RunError(f"`index` must be a picture of this run, got {index}; use a number from the page")
    return found.image[hits[0]]


def encode_thumb(image: np.ndarray, size: int) -> bytes:
    """A picture fitted into size × size as JPEG."""
    from PIL import Image

    h, w = image.shape[:2]
    scale = size / max(h, w)
    to = (max(1, round(w * scale)), max(1, round(h * scale)))
    how = Image.Resampling.NEAREST if max(h, w) <= PIXEL_ART else Image.Resampling.BICUBIC
    buffer = BytesIO()
    Image.fromarray(image).resize(to, how).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


@answer
def thumb(request: Request) -> Response:
    """One picture."""
    size = _whole("size", request.query_params.get("size", "96"))
    if size not in SIZES:
        raise ConfigError(f"`size` must be one of {', '.join(map(str, SIZES))}, got {size}; choose one of these")
    index = _whole("index", request.path_params["index"])
    return Response(
        encode_thumb(picture(state.find_run(request.path_params["run"]), index), size), media_type="image/jpeg"
    )


def find_map(run: RunDir, map_id: str) -> Map:
    """A saved map by its id; `RunError` when the run has none of this id."""
    maps = state.saved_maps(run)
    if map_id not in maps:
        raise RunError(f"`map` must be a saved map of this run, got {map_id[:40]!r}; choose one from the page")
    return maps[map_id]


def quantise(xy: np.ndarray) -> np.ndarray:
    """Positions as uint16, (n, dims), all axes on one scale around the middle of the picture.

    A spread under a millionth is rounding, not a shape: such a map is one point, as a collapsed encoder's is.
    """
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = float((high - low).max()) / 2
    unit = (xy - (low + high) / 2) / half if half > 1e-6 else np.zeros_like(xy)
    return np.round((unit * 0.5 + 0.5) * 65535).astype("<u2")


def encode_points(m: Map) -> bytes:
    """Header `PTS1`, n, dims, 1 where labelled (uint32 each); uint32 index, uint16 positions, int16 labels."""
    parts = [struct.pack("<4sIII", MAGIC, len(m.xy), m.dims, int(m.label is not None))]
    parts += [m.index.astype("<u4").tobytes(), quantise(m.xy).tobytes()]
    if m.label is not None:
        parts.append(m.label.astype("<i2").tobytes())
    return b"".join(parts)


@answer
def points(request: Request) -> Response:
    """The points of a map."""
    run = state.find_run(request.path_params["run"])
    found = find_map(run, request.path_params["map"])
    return Response(encode_points(found), media_type="application/octet-stream")


@answer
def values(request: Request) -> Response:
    """One value of each point of a map."""
    run = state.find_run(request.path_params["run"])
    found = find_map(run, request.path_params["map"])
    rows = rowdata.rows_in_table(found, state.table(run))
    space: Space = "z" if found.space == "z" else "h"
    column = rowdata.values(run, space, request.path_params["name"])[rows]
    return Response(column.astype("<f4").tobytes(), media_type="application/octet-stream")


class NoDelay:
    """Send small answers at once. Without it each one on a kept connection waits some 40 ms.

    Streamlit binds its socket without naming TCP, so asyncio leaves Nagle's algorithm on, and head and body of an answer
    are two writes. The connection is reached through the server's own `receive`; where there is none, nothing happens.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        connection = transport.get_extra_info("socket") if transport is not None else None
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self.app(scope, receive, send)


ROUTES: list[BaseRoute] = [
    Route("/api/thumb/{run}/{index}", thumb, methods=["GET"]),
    Route("/api/points/{run}/{map}", points, methods=["GET"]),
    Route("/api/values/{run}/{map}/{name}", values, methods=["GET"]),
]
