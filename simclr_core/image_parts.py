"""What a source hands over before it becomes an `ImageSet`: its parts, joined, or with a test part held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.records import Split

TEST_SHARE = 0.2
PartName = Literal["train", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a reader is asked for; `where` is the text after the colon."""

    where: str
    split: Split
    size: int | None
    download: bool

    @property
    def parts(self) -> tuple[PartName, ...]:
        """The source's own parts that the split is made of."""
        return ("train", "test") if self.split == "all" else (self.split,)


def located(where: str) -> str:
    """A path with the home folder filled in; refused where the system cannot even look for it."""
    try:
        path = Path(where).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:  # too long, not ours to look into, nobody's home
        raise ConfigError(sentence("images", "a path that can be looked up", where, str(error))) from None
    return str(path) if where else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Pictures as a reader gives them, grey (n, h, w) or colour (n, h, w, 3), before size and channels are settled."""

    image: UInt8[np.ndarray, "n h w *c"]
    label: Int[np.ndarray, " n"] | None
    index: Int[np.ndarray, " n"]
    class_names: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def take(self, rows: Int[np.ndarray, " m"], notices: tuple[str, ...] = ()) -> Part:
        """These rows only; `notices` are added."""
        label = None if self.label is None else self.label[rows]
        return replace(
            self, image=self.image[rows], label=label, index=self.index[rows], notices=self.notices + notices
        )


def held_out(keys: Iterable[object]) -> Bool[np.ndarray, " n"]:
    """Which rows are held out for testing: about 20 %, decided for each key by itself.

    A key is in the test part where the first eight bytes of its BLAKE2b hash, read as a fraction, are below 0.2.
    """
    # A file name that is no valid text keeps its bytes.
    texts = (str(key).encode(errors="surrogateescape") for key in keys)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=">u8") < int(TEST_SHARE * 2**64)


def hold_out(whole: Part, split: Split, keys: Iterable[object], by: str) -> Part:
    """The asked-for part of a source that has no test part of its own."""
    test = held_out(keys)
    return whole.take(rows_of(split, test), (held_out_notice(test, by),))


def held_out_notice(test: Bool[np.ndarray, " n"], by: str) -> str:
    """Says that the test part is this program's own choice."""
    return f"the source has no test part: {test.sum()} of {len(test)} pictures are held out by a hash of the {by}"


def rows_of(split: Split, test: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """The rows of a split, where `test` marks those of the test part."""
    return np.flatnonzero({"train": ~test, "test": test, "all": np.ones_like(test)}[split])


def join(parts: Sequence[Part]) -> Part:
    """The parts of a source, one after the other."""
    if len(parts) == 1:
        return parts[0]
    shapes = {p.image.shape[1:] for p in parts}
    if len(shapes) > 1:
        found = " and ".join(str(p.image.shape) for p in parts)
        raise DataError(sentence("images", "of one size in both parts", found, "load the parts one at a time"))
    labels = [p.label for p in parts if p.label is not None]
    notices = tuple(dict.fromkeys(n for p in parts for n in p.notices))
    if 0 < len(labels) < len(parts):
        notices += ("only one part has labels, so the whole is treated as unlabelled",)
    return Part(
        image=np.concatenate([p.image for p in parts]),
        label=np.concatenate(labels) if len(labels) == len(parts) else None,
        index=np.concatenate([p.index for p in parts]),
        class_names=parts[-1].class_names,
        notices=notices,
    )
