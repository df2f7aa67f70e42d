"""Pictures in: one string names a source, `load_images` gives an `ImageSet`.

    demo · emoji · digits · cifar10:ROOT · cifar100:ROOT · stl10:ROOT · stl10_unlabeled:ROOT · folder:PATH · npz:PATH

Every source has a training and a test part. Where it brings none of its own, 20 % are held out by a hash of the row or
of the file's name: the same pictures every time, and pictures that are added later move nothing between the parts.
A picture's `index` is its row in the whole source, training part first where the parts are the source's own.
Torch and scikit-learn load inside the readers that need them.
"""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.lib.npyio import NpzFile
from PIL import Image

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.image_parts import Part, PartName, Request, held_out, held_out_notice, hold_out, join, located, rows_of
from simclr_core.picture_files import fit_all, list_pictures, read_headers, read_pictures, skip_notice
from simclr_core.records import SPLITS, ImageSet
from simclr_core.registry import NO_HELP, Choice, Label, pick

SIDES = (8, 1024)  # pixels; the bounds of `RunConfig.image_size`
BUNDLED = Path(__file__).parent / "demo"
FASHION_SIDE, EMOJI_SIDE = 28, 32
GREY = "grey pictures were given three equal channels"
Reader = Callable[[Request], Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Choice[Reader]):
    """An entry of `SOURCES`.

    Attributes:
        argument: what follows the colon of a spec, "" for nothing.
        argument_label: what a form calls that.
        is_path: whether it is a file or folder of the machine that reads it, so that an app may restrict where it lies.
        downloads: whether the reader can fetch the data set.
    """

    argument: str = ""
    argument_label: Label = NO_HELP
    is_path: bool = True
    downloads: bool = False


# -- bundled ---------------------------------------------------------------------------------------------------------
def tiles(mosaic: UInt8[np.ndarray, "height width *c"], side: int, n: int) -> UInt8[np.ndarray, "n side side *c"]:
    """The first n square tiles of a mosaic, line by line."""
    lines, columns = mosaic.shape[0] // side, mosaic.shape[1] // side
    cut = mosaic.reshape(lines, side, columns, side, *mosaic.shape[2:]).swapaxes(1, 2)
    return cut.reshape(lines * columns, side, side, *mosaic.shape[2:])[:n]


def _bundled(file: str, side: int, request: Request) -> Part:
    """One of the two sets in `simclr_core/demo`: rows below `n_train` are the training part."""
    with np.load(BUNDLED / Path(file).with_suffix(".npz"), allow_pickle=False) as about:
        label, n_train, names = about["label"].astype(np.int64), int(about["n_train"]), about["class_names"].tolist()
    with Image.open(BUNDLED / file) as picture:
        image = tiles(np.asarray(picture), side, len(label))
    index = np.arange(len(label))
    whole = Part(image=image, label=label, index=index, class_names=tuple(names))
    return whole.take(rows_of(request.split, index >= n_train))


def _fashion(request: Request) -> Part:
    """10,000 Fashion-MNIST pictures: 8,000 and 2,000, both with every class alike often (demo/build_images.py)."""
    part = _bundled("fashion.png", FASHION_SIDE, request)
    if request.size == FASHION_SIDE:
        return part
    pad = (EMOJI_SIDE - FASHION_SIDE) // 2
    # 28 halves to 14 and 7, then no more; 32 goes through any of the backbones.
    told = "pictures of 28×28 pixels were given a black border to 32×32"
    padded = np.pad(part.image, ((0, 0), (pad, pad), (pad, pad)))
    return replace(part, image=padded, notices=(*part.notices, told))


def _digits(request: Request) -> Part:
    from sklearn.datasets import load_digits

    data = load_digits()
    # The values are counts of 0 to 16 dark dots in a field of 4×4.
    image = np.round(data.images * (255 / 16)).astype(np.uint8)
    index = np.arange(len(image))
    names = tuple(str(c) for c in data.target_names)
    whole = Part(image=image, label=data.target.astype(np.int64), index=index, class_names=names)
    return hold_out(whole, request.split, index, "row")


# -- torchvision's readers -------------------------------------------------------------------------------------------
def _torchvision(kind: str, request: Request, **which: Any) -> Any:
    """One part through torchvision's reader, which checks every file's MD5 before it is unpickled."""
    from torchvision import datasets

    root = Path(request.where)
    try:
        return getattr(datasets, kind)(root, download=request.download, **which)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        rule = f"a folder with {kind} as its authors publish it"
        remedy = f"check the folder or ask for a download ({error})"
        raise DataError(sentence("images", rule, str(root), remedy)) from None


def _cifar(kind: str, n_train: int, request: Request) -> Part:
    parts = []
    for name in request.parts:
        data = _torchvision(kind, request, train=name == "train")
        first = 0 if name == "train" else n_train
        label, names = np.asarray(data.targets, dtype=np.int64), tuple(data.classes)
        parts.append(Part(image=data.data, label=label, index=first + np.arange(len(label)), class_names=names))
    return join(parts)


def _stl10(train: str, n_train: int, request: Request) -> Part:
    """STL-10 with 5,000 labelled or 100,000 unlabelled pictures to train on; the test part is the same 8,000."""
    parts = []
    for name in request.parts:
        data = _torchvision("STL10", request, split=train if name == "train" else "test")
        first = 0 if name == "train" else n_train
        image = data.data.transpose(0, 2, 3, 1)
        known = data.labels is not None and data.labels.min() >= 0
        label = data.labels.astype(np.int64) if known else None
        index = np.arange(first, first + len(image))
        parts.append(Part(image=image, label=label, index=index, class_names=tuple(getattr(data, "classes", ()))))
    return join(parts)


# -- a folder of picture files ---------------------------------------------------------------------------------------
TEST_FOLDERS = ("test", "val", "valid", "validation")


def _folder(request: Request) -> Part:
    """Class folders, or train and test folders of them, or a flat folder without labels."""
    root = Path(request.where)
    if not root.is_dir():
        raise DataError(sentence("images", "an existing folder", str(root), "check the path"))
    files = list_pictures(root)
    tops = {f.parts[0] for f in files if len(f.parts) > 1}
    test_folder = next((t for t in TEST_FOLDERS if t in tops), None)
    own = ("train", test_folder) if test_folder and "train" in tops else ()
    files, left = _only_inside(files, own or tops)
    # The source's own training part comes first, so that rows mean the same as in the other sources.
    files.sort(key=lambda f: (bool(own) and f.parts[0] != "train", f.as_posix()))
    headers = read_headers(root, files, request.size)
    files = headers.files
    if not files:
        why = "; ".join(skip_notice(headers.skipped)) or "it holds no picture files; JPEG, PNG or WebP will do"
        raise DataError(sentence("images", "a folder with pictures", str(root), why))
    keys = [f.as_posix() for f in files]
    test = np.array([f.parts[0] != "train" for f in files]) if own else held_out(keys)
    rows = rows_of(request.split, test)
    done = read_pictures(root, [files[row] for row in rows], headers.side)
    rows = rows[done.kept]
    label, names, unlabelled = _classes_of(files, nested=len(own) > 0)
    notices = headers.notices + skip_notice(headers.skipped + done.skipped) + done.notices + left + unlabelled
    return Part(
        image=done.image,
        label=None if label is None else label[rows],
        index=rows,
        class_names=names,
        notices=notices if own else (*notices, held_out_notice(test, "file name")),
    )


def _only_inside(files: Sequence[Path], tops: Iterable[str]) -> tuple[list[Path], tuple[str, ...]]:
    """Files inside these top folders, and a notice about the others; without top folders every file."""
    inside = [f for f in files if f.parts[0] in tops] if tops else list(files)
    out = len(files) - len(inside)
    return inside, (f"{out} pictures beside the folders of this set were left out",) if out else ()


def _classes_of(files: Sequence[Path], *, nested: bool) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Labels and names of classes, with a notice where there are none: the class is the folder at the top, or the one below
    it where that names the part."""
    classes = [f.parts[nested] if len(f.parts) > nested + 1 else "" for f in files]
    names = sorted(set(classes))
    if len(names) < 2 or "" in names:  # one class alone tells nothing apart
        return None, (), ("the pictures do not all lie in class folders, two or more, so they have no labels",)
    return np.searchsorted(names, classes).astype(np.int64), tuple(names), ()


# -- an npz file -----------------------------------------------------------------------------------------------------
@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Word what numpy and zipfile say of a bad file; what is already a sentence passes."""
    try:
        yield
    except DataError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        remedy = f"save it with numpy.savez ({error})"
        raise DataError(sentence("images", "an npz of plain arrays", str(path), remedy)) from None


def _npz(request: Request) -> Part:
    path = Path(request.where)
    if not path.is_file():
        raise DataError(sentence("images", "an existing .npz", str(path), "check the path"))
    if not zipfile.is_zipfile(path):
        remedy = "save it with numpy.savez; it is no zip archive, or one that was cut off"
        raise DataError(sentence("images", "an npz of plain arrays", str(path), remedy))
    with _reading(path), np.load(path, allow_pickle=False) as data:
        if "train_x" not in data.files:
            found = ", ".join(data.files) or "no arrays"
            raise DataError(sentence("images", "an npz with `train_x`", found, "rename the array of pictures"))
        if "test_x" in data.files:
            return join([_npz_part(data, name) for name in request.parts])
        whole = _npz_part(data, "train")
        return hold_out(whole, request.split, whole.index, "row")


def _npz_part(data: NpzFile, name: PartName) -> Part:
    """Read one part's members and no others: in a large file that is the difference between a blink and seconds."""
    image = _pixels(name + "_x", data[name + "_x"])
    label = _classes(name + "_y", data[name + "_y"], len(image)) if name + "_y" in data else None
    first = 0 if name == "train" else _length(data, "train_x")
    names = tuple(str(c) for c in np.ravel(data["classes"])) if "classes" in data else ()
    return Part(image=image, label=label, index=np.arange(first, first + len(image)), class_names=names)


def _length(data: NpzFile, name: str) -> int:
    """Rows of a member from its header alone."""
    assert data.zip is not None  # it is so only once the file is closed
    with data.zip.open(name + ".npy") as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return int(header(member)[0][0])


def _pixels(name: str, x: np.ndarray) -> np.ndarray:
    found = f"{x.dtype} {x.shape}"
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim != 3 and not (x.ndim == 4 and x.shape[3] == 3):
        remedy = "put channels last and drop transparency"
        raise DataError(sentence(name, "pictures (n, height, width) or (n, height, width, 3)", found, remedy))
    if x.dtype != np.uint8:
        remedy = "scale the pixels to 0…255, round, and save them as uint8"
        raise DataError(sentence(name, "uint8 from 0 to 255", found, remedy))
    if 0 in x.shape[1:]:
        raise DataError(sentence(name, "pictures of at least one pixel", found, "check how the file was written"))
    return x


def _classes(name: str, y: np.ndarray, n: int) -> np.ndarray:
    found = f"{y.dtype} {y.shape}"
    if y.shape not in ((n,), (n, 1)):
        raise DataError(sentence(name, f"one label for each of the {n} pictures", found, "align labels and pictures"))
    if y.dtype.kind not in "iu":
        raise DataError(sentence(name, "whole numbers from 0", found, "number the classes and name them in `classes`"))
    return y.reshape(n).astype(np.int64)


# -- the one door ----------------------------------------------------------------------------------------------------
def load_images(spec: str, *, split: str = "train", size: int | None = None, download: bool = False) -> ImageSet:
    """Load the pictures a spec names.

    Args:
        spec: a name of `SOURCES`, with a path after a colon where the source lies on disk, e.g. "folder:~/birds".
        split: "train", "test" or "all"; the first two share no picture.
        size: side in pixels, 8 to 1024; larger or smaller pictures are cut to their centred square and resized.
            None leaves them as they are, except that picture files always come out square and of one size.
        download: fetch the data set into ROOT first, where torchvision can.

    Returns:
        uint8 RGB pictures in a fixed order; `notices` say what was done to them and how a test part was held out.

    Raises:
        ConfigError: an unknown source, a missing path, a split or size out of range.
        DataError: no such file, no pictures, wrong shapes, types or labels, fewer than two pictures in the part.
    """
    source, request = parse_spec(spec, split, size, download)
    part = source.run(request)
    if len(part.image) < 2:
        remedy = "bring more pictures or choose the split all"
        raise DataError(sentence("images", f"at least 2 pictures in the split {split}", len(part.image), remedy))
    _check_labels(part)
    image, notices = _settle(part.image, size)
    return ImageSet(
        image=image,
        label=part.label,
        index=part.index,
        class_names=part.class_names,
        spec=spec,
        split=request.split,
        notices=part.notices + notices,
    )


def parse_spec(spec: str, split: str, size: int | None, download: bool) -> tuple[Source, Request]:
    """Look the source up and check everything that can be checked before a file is opened."""
    name, _, where = spec.strip().partition(":")
    source = pick(SOURCES, name, "images")
    if bool(where.strip()) != bool(source.argument):
        form = f"{name}:{source.argument}" if source.argument else name
        remedy = "put the path after the colon" if source.argument else "leave out what follows the name"
        raise ConfigError(sentence("images", f"of the form {form}", spec, remedy))
    if split not in SPLITS:
        raise ConfigError(sentence("split", f"one of {', '.join(SPLITS)}", split, "choose one of these"))
    if size is not None and not SIDES[0] <= size <= SIDES[1]:
        raise ConfigError(sentence("size", f"from {SIDES[0]} to {SIDES[1]} pixels", size, "choose a size inside"))
    if download and not source.downloads:
        remedy = "these pictures are on this machine already"
        raise ConfigError(sentence("download", f"off for {name}", download, remedy))
    return source, Request(where=located(where.strip()), split=split, size=size, download=download)


def _check_labels(part: Part) -> None:
    """Labels must be classes that have a name, where names are given."""
    if part.label is not None and part.class_names and part.label.max() >= len(part.class_names):
        rule = f"below {len(part.class_names)}, the number of class names"
        raise DataError(sentence("label", rule, int(part.label.max()), "name every class or leave the names out"))


def _settle(image: np.ndarray, size: int | None) -> tuple[UInt8[np.ndarray, "n h w 3"], tuple[str, ...]]:
    """Give the pictures the asked-for size and three channels, and say so."""
    notices: list[str] = []
    height, width = image.shape[1:3]
    if size and (height, width) != (size, size):
        image = fit_all(image, size)
        cut = "" if height == width else " after cutting them to their centred square"
        notices.append(f"pictures of {width}×{height} pixels were resized to {size}×{size}{cut}")
    if image.ndim == 3:
        image = np.broadcast_to(image[..., None], (*image.shape, 3))
        notices.append(GREY)
    return np.require(image, requirements="C"), tuple(notices)  # a mapped file stays one


_CIFAR = "Krizhevsky, Learning multiple layers of features from tiny images, 2009; no licence stated"
_ROOT = Label("Folder that holds the data set", "存放数据集的文件夹")
_STL = "Coates, Ng & Lee, AISTATS 2011; pictures from ImageNet, for research"


def _rooted(label: Label, run: Reader, source: str) -> Source:
    """A data set that torchvision reads from a local root, and can fetch there."""
    return Source(label=label, run=run, source=source, argument="ROOT", argument_label=_ROOT, downloads=True)


SOURCES: dict[str, Source] = {
    "demo": Source(
        label=Label("Fashion-MNIST, 10,000 pictures (bundled)", "Fashion-MNIST，1 万张图（内置）"),
        run=_fashion,
        source="Xiao, Rasul & Vollgraf, arXiv:1708.07747; MIT licence, Zalando SE",
    ),
    "emoji": Source(
        label=Label("Noto emoji in colour (bundled)", "Noto 彩色表情（内置）"),
        run=partial(_bundled, "emoji.webp", EMOJI_SIDE),
        source="Noto Emoji, Google; Apache License 2.0; groups from Unicode by emoji-data (MIT)",
    ),
    "digits": Source(
        label=Label("Handwritten digits, 8×8", "手写数字，8×8"),
        run=_digits,
        source="Alpaydin & Kaynak, UCI optical digits (test part), CC BY 4.0, through scikit-learn",
    ),
    "cifar10": _rooted(
        label=Label("CIFAR-10", "CIFAR-10"),
        run=partial(_cifar, "CIFAR10", 50_000),
        source=_CIFAR,
    ),
    "cifar100": _rooted(
        label=Label("CIFAR-100", "CIFAR-100"),
        run=partial(_cifar, "CIFAR100", 50_000),
        source=_CIFAR,
    ),
    "stl10": _rooted(
        label=Label("STL-10, labelled", "STL-10，有标签部分"),
        run=partial(_stl10, "train", 5_000),
        source=_STL,
    ),
    "stl10_unlabeled": _rooted(
        label=Label("STL-10, 100,000 unlabelled to train on", "STL-10，用 10 万张无标签图训练"),
        run=partial(_stl10, "unlabeled", 100_000),
        source=_STL,
    ),
    "folder": Source(
        label=Label("A folder of pictures", "图片文件夹"),
        run=_folder,
        source="your own pictures; one folder a class, or no classes",
        argument="PATH",
        argument_label=Label("Folder of pictures", "图片文件夹"),
    ),
    "npz": Source(
        label=Label("A NumPy file (npz)", "NumPy 文件（npz）"),
        run=_npz,
        source="your own arrays: train_x, train_y, test_x, test_y, classes",
        argument="PATH",
        argument_label=Label("NumPy file (npz)", "NumPy 文件（npz）"),
    ),
}
