"""Picture files on disk to arrays: find them, decode them, cut them to one size; say which could not be read.

Decoding is deliberately narrow: a fixed list of formats (none that runs another program), no picture beyond Pillow's
limit of pixels, the first frame of an animation, transparency on white, the camera's orientation honoured. Pictures are decoded
straight into their rows of one array, which may be a mapped file: no others are held beside it.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from simclr_core.errors import DataError, sentence
from simclr_core.mapped import filled

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
READABLE = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
# Pictures to a person, though not to this program: named among the skipped ones rather than passed over in silence.
UNREADABLE = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw"}
MAX_PIXELS = 89_478_485  # Pillow's own bound for decompression bombs, a quarter of a GiB as RGB
LARGEST_AUTO_SIDE = 96  # 10,000 pictures of this side take 276 MB; a person may ask for more
DECODERS = max(4, os.cpu_count() or 1)  # Pillow decodes outside the interpreter's lock; a few may wait for the disk
BLOCK = 1024  # files in the threads' hands at a time
T, R = TypeVar("T"), TypeVar("R")


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


@dataclass(frozen=True, kw_only=True)
class Headers:
    """The files whose headers can be read, the side their pictures will have, and what is to be said of size and the others."""

    files: list[Path]
    side: int
    skipped: list[str]
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """What became of a list of files: square pictures, the positions they had in the list, the others, and what was done."""

    image: UInt8[np.ndarray, "n s s 3"]
    kept: np.ndarray
    skipped: list[str]
    notices: tuple[str, ...]


def _open(path: Path) -> Image.Image:
    """Open a picture's header; ValueError where it must not be decoded."""
    if not path.is_file():  # a pipe would be waited for
        raise ValueError("not a regular file")
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


def auto_side(sizes: Sequence[tuple[int, int]]) -> int:
    """The median of the shorter sides, at most 96 pixels."""
    return int(min(np.median([min(s) for s in sizes]), LARGEST_AUTO_SIDE)) if sizes else LARGEST_AUTO_SIDE


def _each(do: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """What `do` makes of every item, in threads, in order; a block at a time, so that a million files are no million futures."""
    Image.init()  # an allowed format whose decoder is not loaded yet would count as unknown
    with warnings.catch_warnings(), ThreadPoolExecutor(DECODERS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_open` refuses what it warns of
        warnings.simplefilter("ignore", UserWarning)  # damaged metadata of a picture that decodes well
        for start in range(0, len(items), BLOCK):
            yield from pool.map(do, items[start : start + BLOCK])


def read_headers(root: Path, files: Sequence[Path], size: int | None) -> Headers:
    """What the headers of picture files say, without decoding one.

    Args:
        root: the folder that `files` are relative to.
        files: paths as `list_pictures` gives them.
        size: side in pixels; None takes the median of the shorter sides, at most 96.
    """
    found = list(_each(_header, [root / f for f in files]))
    sizes = [h for h in found if not isinstance(h, str)]
    side = size or auto_side(sizes)
    return Headers(
        files=[f for f, h in zip(files, found, strict=True) if not isinstance(h, str)],
        side=side,
        skipped=[_skipped(f, h) for f, h in zip(files, found, strict=True) if isinstance(h, str)],
        notices=_size_notice(sizes, side),
    )


def read_pictures(root: Path, files: Sequence[Path], side: int) -> Decoded:
    """Decode files to squares of `side` pixels: the readable ones in the order of `files`, and why the others are not."""

    def fill(image: np.ndarray) -> list[str]:
        def place(row: int) -> str:
            try:
                image[row] = read_picture(root / files[row], side)
            except Exception as error:  # see _header
                return _reason(error)
            return ""

        reasons = list(_each(place, range(len(files))))
        for to, row in enumerate(i for i, why in enumerate(reasons) if not why):
            if to != row:
                image[to] = image[row]
        return reasons

    image, reasons, notices = filled((len(files), side, side, 3), _name(root, files, side), fill)
    kept = np.flatnonzero([not why for why in reasons])
    skipped = [_skipped(f, why) for f, why in zip(files, reasons, strict=True) if why]
    return Decoded(image=image[: len(kept)], kept=kept, skipped=skipped, notices=notices)


def _name(root: Path, files: Sequence[Path], side: int) -> str:
    """Changes when a file is added, taken away, replaced or written again."""
    stats = ((root / f).stat() for f in files)
    seen = [(os.fsencode(f), s.st_size, s.st_mtime_ns) for f, s in zip(files, stats, strict=True)]
    return hashlib.blake2b(
        repr((str(root.resolve()), side, seen)).encode(errors="surrogateescape"), digest_size=12
    ).hexdigest()


def _skipped(file: Path, reason: str) -> str:
    return f"{file.as_posix()} ({reason})"


def _size_notice(sizes: Sequence[tuple[int, int]], side: int) -> tuple[str, ...]:
    kinds = sorted(set(sizes))
    if not kinds or kinds == [(side, side)]:
        return ()
    were = f"{kinds[0][0]}×{kinds[0][1]}" if len(kinds) == 1 else f"{len(kinds)} different sizes"
    return (f"pictures of {were} were cut to their centred square and resized to {side}×{side} pixels",)


def skip_notice(skipped: Sequence[str]) -> tuple[str, ...]:
    """How many files could not be read, and up to three of them."""
    if not skipped:
        return ()
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return (f"{len(skipped)} files could not be read and were skipped: {', '.join(skipped[:3])}{more}",)
