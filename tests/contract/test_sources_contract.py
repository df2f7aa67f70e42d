"""What every entry of SOURCES keeps to, on small stand-ins in the authors' own file formats where the real data is large."""

import hashlib
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from simclr_core.errors import ConfigError, DataError
from simclr_core.records import SPLITS, ImageSet
from simclr_core.sources import SOURCES, load_images

Make = Callable[[Path, pytest.MonkeyPatch], None]


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def fake_cifar(kind: str, key: str, names_key: str, n_classes: int) -> Make:
    """Two files of a dozen pictures each; torchvision's own reader checks and unpickles them."""

    def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        datasets = pytest.importorskip("torchvision.datasets")
        cls = getattr(datasets, kind)
        folder = root / cls.base_folder
        folder.mkdir()
        lists = {}
        for i, name in enumerate(("train", "test")):
            pixels = np.random.default_rng(i).integers(0, 256, (12, 3072), dtype=np.uint8)
            file = folder / name
            file.write_bytes(pickle.dumps({"data": pixels, key: [j % n_classes for j in range(12)]}))
            lists[name] = [[name, md5(file)]]
        meta = folder / "names"
        meta.write_bytes(pickle.dumps({names_key: [f"class {j}" for j in range(n_classes)]}))
        monkeypatch.setattr(cls, "train_list", lists["train"])
        monkeypatch.setattr(cls, "test_list", lists["test"])
        monkeypatch.setattr(cls, "meta", {"filename": "names", "key": names_key, "md5": md5(meta)})

    return make


def fake_stl10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary layout of STL-10: column-major planes, labels from 1."""
    cls = pytest.importorskip("torchvision.datasets").STL10
    folder = root / cls.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)
    sizes = {"train_X.bin": 6, "train_y.bin": 6, "unlabeled_X.bin": 9, "test_X.bin": 5, "test_y.bin": 5}
    sums = {}
    for name, n in sizes.items():
        data = rng.integers(0, 256, (n, 3, 96, 96)) if "X" in name else np.arange(n) % 10 + 1
        (folder / name).write_bytes(data.astype(np.uint8).tobytes())
        sums[name] = md5(folder / name)
    (folder / cls.class_names_file).write_text("\n".join(f"class {i}" for i in range(10)) + "\n")
    (folder / cls.folds_list_file).write_text("0 1\n")
    monkeypatch.setattr(cls, "train_list", [[n, sums[n]] for n in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")])
    monkeypatch.setattr(cls, "test_list", [[n, sums[n]] for n in ("test_X.bin", "test_y.bin")])


def fake_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs", "eels"):
        (root / name).mkdir()
        for i in range(15):
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(root / name / f"{i}.png")


def fake_npz(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    y = np.arange(30) % 3
    np.savez(root / "set.npz", train_x=x[:20], train_y=y[:20], test_x=x[20:], test_y=y[20:], classes=["a", "b", "c"])


def nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled sources need no files."""


MAKERS: dict[str, tuple[str, Make]] = {
    "demo": ("demo", nothing),
    "emoji": ("emoji", nothing),
    "digits": ("digits", nothing),
    "cifar10": ("cifar10:{root}", fake_cifar("CIFAR10", "labels", "label_names", 10)),
    "cifar100": ("cifar100:{root}", fake_cifar("CIFAR100", "fine_labels", "fine_label_names", 100)),
    "stl10": ("stl10:{root}", fake_stl10),
    "stl10_unlabeled": ("stl10_unlabeled:{root}", fake_stl10),
    "folder": ("folder:{root}", fake_folder),
    "npz": ("npz:{root}/set.npz", fake_npz),
}


@pytest.fixture(params=SOURCES)
def spec(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A spec that can be loaded, for each source. A new source needs a line in MAKERS."""
    form, make = MAKERS[request.param]
    make(tmp_path, monkeypatch)
    return form.format(root=tmp_path)


def splits_of(spec: str) -> dict[str, ImageSet]:
    return {split: load_images(spec, split=split) for split in SPLITS}


def test_parts_are_disjoint_and_make_the_whole(spec: str) -> None:
    sets = splits_of(spec)
    train, test = sets["train"].index, sets["test"].index
    assert not set(train) & set(test)
    assert sorted([*train, *test]) == sorted(sets["all"].index)
    assert len(set(sets["all"].index)) == len(sets["all"])


def test_an_index_names_the_same_picture_in_every_split(spec: str) -> None:
    sets = splits_of(spec)
    where = {int(i): row for row, i in enumerate(sets["all"].index)}
    for part in (sets["train"], sets["test"]):
        rows = [where[int(i)] for i in part.index]
        assert np.array_equal(sets["all"].image[rows], part.image)
        if sets["all"].label is not None:
            assert np.array_equal(sets["all"].label[rows], part.label)


def test_arrays_and_labels_are_what_the_record_promises(spec: str) -> None:
    for split, images in splits_of(spec).items():
        assert images.image.dtype == np.uint8
        assert images.image.ndim == 4
        assert images.image.shape[3] == 3
        assert images.image.flags.c_contiguous
        assert images.image.std() > 1, "the pictures are not blank"
        assert (images.spec, images.split) == (spec, split)
        if images.label is not None:
            assert images.label.dtype == np.int64
            assert 0 <= images.label.min() <= images.label.max() < len(images.class_names)


def test_loading_again_gives_the_same_digest(spec: str) -> None:
    assert load_images(spec).digest == load_images(spec).digest


def test_a_size_is_kept_and_told(spec: str) -> None:
    images = load_images(spec, split="test", size=12)
    assert images.image.shape[1:] == (12, 12, 3)
    assert any("12×12" in n for n in images.notices)


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    entry = SOURCES[name]
    assert entry.label.en
    assert entry.label.zh
    assert len(entry.source) > 10
    with pytest.raises(ConfigError, match="must be of the form"):
        load_images(name if entry.argument else f"{name}:somewhere")


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.downloads])
def test_a_download_is_asked_for_and_then_read_like_any_folder(name, tmp_path, monkeypatch) -> None:
    """The authors' archive from a server on this machine: nothing comes without being asked for."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    form, make = MAKERS[name]
    make(there, monkeypatch)
    expected = load_images(form.format(root=there))
    cls = getattr(pytest.importorskip("torchvision.datasets"), "STL10" if "stl" in name else name.upper())
    archive = tmp_path / cls.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(there / cls.base_folder, cls.base_folder)
    monkeypatch.setattr(cls, "tgz_md5", md5(archive))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(cls, "url", f"http://127.0.0.1:{server.server_port}/{archive.name}")
        with pytest.raises(DataError, match="ask for a download"):
            load_images(form.format(root=here))
        found = load_images(form.format(root=here), download=True)
        server.shutdown()
    assert found.digest == expected.digest
    assert load_images(form.format(root=here)).digest == expected.digest


def test_a_pipe_among_pictures_is_not_waited_for(tmp_path):
    import os

    from PIL import Image

    for i in range(3):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert any("pipe.png" in notice for notice in load_images(f"folder:{tmp_path}", split="all").notices)


def test_one_class_name_alone_is_read_as_one(tmp_path):
    np.savez(
        tmp_path / "s.npz", train_x=np.zeros((9, 8, 8), np.uint8), train_y=np.zeros(9, int), classes=np.array("bird")
    )
    assert load_images(f"npz:{tmp_path / 's.npz'}", split="all").class_names == ("bird",)
