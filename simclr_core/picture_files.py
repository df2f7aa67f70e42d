"""Picture files on disk to arrays: find them, decode them, cut them to one size; say which could not be read.

Decoding is deliberately narrow: a fixed list of formats (none that runs another program), no picture beyond Pillow's
limit of pixels, the first frame of an animation, transparency on white, the camera's orientation honoured.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from simclr_core.errors import DataError, sentence

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
READABLE = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
# Pictures to a person, though not to this program: named among the skipped ones rather than passed over in silence.
UNREADABLE = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw"}
MAX_PIXELS = 89_478_485  # Pillow's own bound for decompression bombs, a quarter of a GiB as RGB
LARGEST_AUTO_SIDE = 96  # 10,000 pictures of this side take 276 MB; a person may ask for more
DECODERS = 4  # Pillow decodes outside the interpreter's lock; more threads than this only wait for the disk


def list_pictures(root: Path) -> list[Path]:
    """Picture files below a folder, relative to it, in alphabetical order; hidden ones are left out.

    Links to folders are followed, each folder once, so that a link to a parent ends the walk there.
    """
    found, seen = [], set()
    for here, folders, files in os.walk(root, followlinks=True, onerror=_refuse):
        at = Path(here).resolve()
        if at in seen:
            folders.clear()
            continue
        seen.add(at)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        visible = (Path(here, f).relative_to(root) for f in files if not f.startswith("."))
        found += [f for f in visible if f.suffix.lower() in READABLE | UNREADABLE]
    return sorted(found, key=lambda f: f.as_posix())


def _refuse(error: OSError) -> None:
    """Stop at a folder that cannot be listed: leaving it out would change the classes in silence."""
    raise DataError(sentence("images", "a readable folder", str(error.filename), f"{error.strerror}; check its rights"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """What became of a list of files: square pictures, the positions they had in the list, and what was done."""

    image: UInt8[np.ndarray, "n s s 3"]
    kept: np.ndarray
    notices: tuple[str, ...]


def _open(path: Path) -> Image.Image:
    """Open a picture's header; ValueError where it must not be decoded."""
    picture = Image.open(path, formats=FORMATS)
    if picture.width * picture.height > MAX_PIXELS:
        picture.close()
        raise ValueError(f"{picture.width}×{picture.height} pixels are too many")
    return picture


def _header(path: Path) -> tuple[int, int] | str:
    """Width and height, or why the file cannot be read."""
    try:
        with _open(path) as picture:
            return picture.size
    except Exception as error:  # decoders raise anything on a damaged file; the reason is passed on
        return _reason(error)


def _reason(error: Exception) -> str:
    return "not a picture" if isinstance(error, Image.UnidentifiedImageError) else str(error) or type(error).__name__


def to_rgb(picture: Image.Image) -> Image.Image:
    """Eight bits and three channels: transparency on white, sixteen-bit grey scaled down."""
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError("32-bit pixels have no known range")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        colour = picture.convert("RGBA")
        picture = Image.new("RGBA", colour.size, "white")
        picture.alpha_composite(colour)
    return picture.convert("RGB")


def fit(picture: Image.Image, side: int) -> Image.Image:
    """The largest centred square, scaled to `side` pixels with antialiasing."""
    return ImageOps.fit(picture, (side, side), Image.Resampling.BICUBIC)


def fit_all(image: UInt8[np.ndarray, "n h w *c"], side: int) -> UInt8[np.ndarray, "n s s *c"]:
    """`fit` for every picture of an array, grey or RGB."""
    out = np.empty((len(image), side, side, *image.shape[3:]), dtype=np.uint8)
    for i, x in enumerate(image):
        out[i] = np.asarray(fit(Image.fromarray(x), side))
    return out


def read_picture(path: Path, side: int) -> UInt8[np.ndarray, "s s 3"]:
    """One file as a square of `side` pixels."""
    with _open(path) as picture:
        # A JPEG can be decoded at half, quarter or eighth size at once; twice the wanted side loses nothing visible.
        picture.draft(picture.mode, (2 * side, 2 * side))
        return np.asarray(fit(to_rgb(ImageOps.exif_transpose(picture)), side))


def _read_or_say(path: Path, side: int) -> np.ndarray | str:
    try:
        return read_picture(path, side)
    except Exception as error:  # see _header
        return _reason(error)


def auto_side(sizes: Sequence[tuple[int, int]]) -> int:
    """The median of the shorter sides, at most 96 pixels."""
    return int(min(np.median([min(s) for s in sizes]), LARGEST_AUTO_SIDE))


def read_pictures(root: Path, files: Sequence[Path], size: int | None) -> Decoded:
    """Decode files to squares of one size.

    Args:
        root: the folder that `files` are relative to.
        files: paths as `list_pictures` gives them.
        size: side in pixels; None takes the median of the shorter sides, at most 96.

    Returns:
        The readable pictures in the order of `files`; the notices name up to three of the others, and the new size.
    """
    Image.init()  # an allowed format whose decoder is not loaded yet would count as unknown
    with warnings.catch_warnings(), ThreadPoolExecutor(DECODERS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_open` refuses what it warns of
        warnings.simplefilter("ignore", UserWarning)  # damaged metadata of a picture that decodes well
        headers = list(pool.map(_header, [root / f for f in files]))
        sizes = [h for h in headers if not isinstance(h, str)]
        side = size or (auto_side(sizes) if sizes else LARGEST_AUTO_SIDE)
        # A file whose header failed keeps its reason; the others are decoded.
        done = list(pool.map(lambda f, h: h if isinstance(h, str) else _read_or_say(root / f, side), files, headers))
    pictures = [x for x in done if not isinstance(x, str)]
    skipped = [f"{f.as_posix()} ({x})" for f, x in zip(files, done, strict=True) if isinstance(x, str)]
    return Decoded(
        image=np.stack(pictures) if pictures else np.zeros((0, side, side, 3), dtype=np.uint8),
        kept=np.array([i for i, x in enumerate(done) if not isinstance(x, str)], dtype=np.int64),
        notices=_size_notice(sizes, side) + _skip_notice(skipped),
    )


def _size_notice(sizes: Sequence[tuple[int, int]], side: int) -> tuple[str, ...]:
    kinds = sorted(set(sizes))
    if not kinds or kinds == [(side, side)]:
        return ()
    were = f"{kinds[0][0]}×{kinds[0][1]}" if len(kinds) == 1 else f"{len(kinds)} different sizes"
    return (f"pictures of {were} were cut to their centred square and resized to {side}×{side} pixels",)


def _skip_notice(skipped: Sequence[str]) -> tuple[str, ...]:
    if not skipped:
        return ()
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return (f"{len(skipped)} files could not be read and were skipped: {', '.join(skipped[:3])}{more}",)
