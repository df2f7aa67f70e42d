"""Sources, case by case: the bundled sets, folders, npz files, and a sentence for every bad input."""

import os
import subprocess
import sys
import time
import tracemalloc
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simclr_core import mapped, picture_files, store
from simclr_core.demo import build_images
from simclr_core.errors import ConfigError, DataError, RunError
from simclr_core.image_parts import held_out
from simclr_core.picture_files import fit_all, list_pictures
from simclr_core.records import SPLITS
from simclr_core.sources import load_images, tiles

# Of pixels, labels and order. Published results refer to these sets: a change here is a change of data set.
DEMO_DIGEST = "5abbe797c2b8880e"
EMOJI_DIGEST = "69173aeb0d0921e6"


def save(
    path: Path, colour: tuple[int, ...] = (200, 10, 10), size: tuple[int, int] = (16, 16), mode: str = "RGB"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def class_folders(root: Path, n: int = 20) -> None:
    for i, name in enumerate(("blue", "red")):
        for j in range(n):
            save(root / name / f"{j:02}.png", (j, i * 250, 10))


# -- what a person can ask for ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("demmo", {}, "must be one of demo, emoji"),
        ("", {}, "must be one of demo, emoji"),
        ("folder", {}, "folder:PATH"),
        ("folder: ", {}, "folder:PATH"),
        ("demo:x", {}, "leave out what follows"),
        ("demo", {"split": "val"}, "`split` must be one of train, test, all"),
        ("demo", {"size": 4}, "`size` must be from 8 to 1024"),
        ("demo", {"download": True}, "`download` must be off for demo"),
    ],
)
def test_a_request_that_cannot_be_met_is_told_before_any_file_is_opened(spec: str, options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_images(spec, **options)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "stl10", "stl10_unlabeled"])
def test_a_data_set_that_is_not_there_is_a_sentence_with_the_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="check the folder or ask for a download"):
        load_images(f"{name}:{tmp_path}")


def test_importing_sources_loads_no_heavy_library() -> None:
    code = "import sys, simclr_core.sources as s; print([m for m in ('torch', 'torchvision', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- bundled ---------------------------------------------------------------------------------------------------------
def test_demo_has_every_class_alike_often_in_both_parts() -> None:
    train, test = load_images("demo"), load_images("demo", split="test")
    assert train.image.shape == (8000, 32, 32, 3)
    assert np.bincount(train.label).tolist() == [800] * 10
    assert np.bincount(test.label).tolist() == [200] * 10
    assert train.index.tolist() == list(range(8000))
    assert any("black border" in n for n in train.notices)


def test_demo_is_padded_all_round_and_grey() -> None:
    images = load_images("demo", split="test")
    border = np.ones((32, 32), dtype=bool)
    border[2:30, 2:30] = False
    assert images.image[:, border].max() == 0
    assert (images.image[..., 0] == images.image[..., 2]).all()
    bare = load_images("demo", split="test", size=28)
    assert np.array_equal(bare.image, images.image[:, 2:30, 2:30])


def test_demo_order_does_not_betray_the_class() -> None:
    # A sample of every tenth picture must not be a sample of one class.
    label = load_images("demo").label
    for step in (2, 5, 10, 100):
        assert np.bincount(label[::step], minlength=10).min() > 0


def test_demo_pixels_are_those_it_was_built_with() -> None:
    assert load_images("demo", split="all").digest == DEMO_DIGEST
    assert load_images("emoji", split="all").digest == EMOJI_DIGEST


def test_emoji_is_in_colour_and_stratified() -> None:
    train, test = load_images("emoji"), load_images("emoji", split="test")
    assert (len(train), len(test)) == (1524, 382)
    assert len(train.class_names) == 9
    share = np.bincount(test.label) / np.bincount(np.concatenate([train.label, test.label]))
    assert np.abs(share - 0.2).max() < 0.01
    assert (train.image.max(axis=3) - train.image.min(axis=3)).mean() > 20


def test_bundled_files_stay_small() -> None:
    folder = Path(build_images.__file__).parent
    assert (folder / "fashion.png").stat().st_size < 4.2e6
    assert (folder / "emoji.webp").stat().st_size < 2.5e6
    text = (folder / "LICENSES.md").read_text()
    assert all(word in text for word in ("Zalando SE", "Apache License", "fashion.png", "emoji.webp"))


def test_demo_loads_at_once() -> None:
    def seconds() -> float:
        start = time.process_time()
        load_images("demo")
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 0.3


@given(n=st.integers(1, 30), columns=st.integers(1, 9), colour=st.booleans())
@settings(max_examples=30)
def test_a_mosaic_gives_its_pictures_back(n: int, columns: int, colour: bool) -> None:
    shape = (n, 4, 4, 3) if colour else (n, 4, 4)
    image = np.random.default_rng(n).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(tiles(build_images.to_mosaic(image, columns), 4, n), image)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200))
@settings(max_examples=30)
def test_stratified_order_keeps_every_row_and_the_share_of_each_class(classes: list[int]) -> None:
    label = np.array(classes)
    order, n_train = build_images.stratified_order(label, "test")
    assert sorted(order.tolist()) == list(range(len(label)))
    for c in set(classes):
        assert (label[order[n_train:]] == c).sum() == round((label == c).sum() * 0.2)


def test_digits_keep_their_sixteen_levels() -> None:
    images = load_images("digits", split="all")
    assert images.image.shape == (1797, 8, 8, 3)
    assert images.image.max() == 255
    assert len(np.unique(images.image)) == 17


# -- holding out -----------------------------------------------------------------------------------------------------
@given(st.sets(st.text(min_size=1), min_size=1, max_size=50), st.sets(st.text(min_size=1), max_size=50))
@settings(max_examples=30)
def test_holding_out_is_stable_when_files_are_added(old: set[str], added: set[str]) -> None:
    before = dict(zip(sorted(old), held_out(sorted(old)), strict=True))
    both = sorted(old | added)
    after = dict(zip(both, held_out(both), strict=True))
    assert all(after[key] == part for key, part in before.items())


@given(st.integers(0, 10**9), st.sampled_from(["{}", "cats/{}.jpg", "IMG_{:06}.png"]))
@settings(max_examples=30)
def test_about_a_fifth_is_held_out(first: int, form: str) -> None:
    share = held_out(form.format(i) for i in range(first, first + 2000)).mean()
    assert abs(share - 0.2) < 0.05  # 5.6 standard deviations of a fair draw


# -- folders ---------------------------------------------------------------------------------------------------------
def test_class_folders_give_labels_in_alphabetical_order(tmp_path: Path) -> None:
    class_folders(tmp_path)
    images = load_images(f"folder:{tmp_path}", split="all")
    assert images.class_names == ("blue", "red")
    assert images.label.tolist() == [0] * 20 + [1] * 20
    assert (images.image[:, 0, 0, 1] == np.repeat([0, 250], 20)).all()
    assert any("held out by a hash of the file name" in n for n in images.notices)


def test_adding_a_file_moves_no_other_between_the_parts(tmp_path: Path) -> None:
    class_folders(tmp_path)
    before = {x.tobytes() for x in load_images(f"folder:{tmp_path}", split="test").image}
    save(tmp_path / "blue" / "000.png", (9, 9, 99))
    after = {x.tobytes() for x in load_images(f"folder:{tmp_path}", split="test").image}
    assert before <= after


@pytest.mark.parametrize("held", ["test", "val"])
def test_a_folder_with_its_own_parts_is_split_as_it_is(tmp_path: Path, held: str) -> None:
    for part, n in (("train", 3), (held, 2)):
        for c in ("a", "b"):
            for i in range(n):
                save(tmp_path / part / c / f"{i}.png", (i, 0, 0))
    train, test = (load_images(f"folder:{tmp_path}", split=s) for s in ("train", "test"))
    assert (len(train), len(test)) == (6, 4)
    assert train.index.tolist() == list(range(6))
    assert test.index.tolist() == list(range(6, 10))
    assert test.label.tolist() == [0, 0, 1, 1]
    assert not any("hash" in n for n in train.notices)


def test_a_flat_folder_has_no_labels_and_says_so(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.jpg")
    images = load_images(f"folder:{tmp_path}", split="all")
    assert images.label is None
    assert images.class_names == ()
    assert any("no labels" in n for n in images.notices)


def test_mixed_sizes_become_squares_of_the_median_side_and_it_is_told(tmp_path: Path) -> None:
    for i, size in enumerate([(20, 30), (40, 24), (50, 50)]):
        save(tmp_path / f"{i}.png", size=size)
    images = load_images(f"folder:{tmp_path}", split="all")
    assert images.image.shape == (3, 24, 24, 3)
    assert any("3 different sizes" in n and "24×24" in n for n in images.notices)
    assert load_images(f"folder:{tmp_path}", split="all", size=48).image.shape == (3, 48, 48, 3)


def test_large_photographs_are_shrunk_unless_a_size_is_asked_for(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.jpg", size=(640, 480))
    assert load_images(f"folder:{tmp_path}", split="all").image.shape == (2, 96, 96, 3)


def test_what_cannot_be_read_is_counted_named_and_left_out(tmp_path: Path) -> None:
    class_folders(tmp_path, 3)
    (tmp_path / "blue" / "broken.png").write_bytes(b"no picture")
    whole = BytesIO()
    Image.effect_noise((64, 64), 90).save(whole, "PNG")
    (tmp_path / "blue" / "cut.png").write_bytes(whole.getvalue()[:900])
    (tmp_path / "red" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "red" / "notes.txt").write_text("not a picture and not taken for one")
    images = load_images(f"folder:{tmp_path}", split="all")
    (told,) = [n for n in images.notices if "could not be read" in n]
    assert len(images) == 6
    assert told.startswith("3 files")
    assert all(name in told for name in ("blue/broken.png (not a picture)", "blue/cut.png", "red/phone.heic"))
    assert images.index.tolist() == [0, 1, 2, 4, 5, 6]  # a picture keeps its number whether or not another decodes


def test_pictures_beside_class_folders_are_left_out_and_told(tmp_path: Path) -> None:
    class_folders(tmp_path, 3)
    save(tmp_path / "cover.png")
    images = load_images(f"folder:{tmp_path}", split="all")
    assert len(images) == 6
    assert any(n.startswith("1 pictures beside") for n in images.notices)


def test_transparency_goes_on_white(tmp_path: Path) -> None:
    save(tmp_path / "clear.png", (200, 0, 0, 0), mode="RGBA")
    save(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "palette.gif", transparency=0)
    clear, half, gif = load_images(f"folder:{tmp_path}", split="all").image
    assert (clear == 255).all()
    assert np.abs(half.astype(int) - 127).max() <= 1
    assert (gif == 255).all()


def test_orientation_of_a_camera_is_honoured(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[:8] = 255  # the upper half is white as stored
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180°
    for i in range(2):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png", exif=exif)
    image = load_images(f"folder:{tmp_path}", split="all").image
    assert image[0, :8].max() == 0
    assert image[0, 8:].min() == 255


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    for i, level in enumerate((0x1234, 0x8000)):
        Image.fromarray(np.full((16, 16), level, dtype=np.uint16)).save(tmp_path / f"{i}.png")
    image = load_images(f"folder:{tmp_path}", split="all").image
    assert [int(x[0, 0, 0]) for x in image] == [0x12, 0x80]


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.png")
    for name, size in (("large", (10_000, 9_500)), ("huge", (20_000, 20_000))):
        Image.new("1", size).save(tmp_path / f"{name}.png")
    images = load_images(f"folder:{tmp_path}", split="all")
    assert len(images) == 2
    assert any("2 files could not be read" in n and "10000×9500 pixels are too many" in n for n in images.notices)


def test_a_link_to_a_parent_ends_the_walk(tmp_path: Path) -> None:
    class_folders(tmp_path, 2)
    (tmp_path / "blue" / "loop").symlink_to(tmp_path)
    (tmp_path / "red" / "loop").symlink_to(tmp_path / "red")
    assert len(list_pictures(tmp_path)) == 4


def test_linked_class_folders_and_hidden_files(tmp_path: Path) -> None:
    class_folders(tmp_path / "data", 2)
    (tmp_path / "view").mkdir()
    for name in ("blue", "red"):
        (tmp_path / "view" / name).symlink_to(tmp_path / "data" / name)
    save(tmp_path / "view" / ".hidden" / "a.png")
    (tmp_path / "data" / "red" / "._00.png").write_bytes(b"left by another system")
    assert [f.as_posix() for f in list_pictures(tmp_path / "view")] == [
        "blue/00.png",
        "blue/01.png",
        "red/00.png",
        "red/01.png",
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "no picture files"),
        (["a.txt"], "no picture files"),
        (["a.png"], "at least 2 pictures in the split all"),
    ],
)
def test_a_folder_without_pictures_is_a_sentence(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        save(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=said):
        load_images(f"folder:{tmp_path}", split="all")


def test_a_folder_of_broken_files_and_a_missing_folder_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="an existing folder"):
        load_images(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.png \(not a picture\)"):
        load_images(f"folder:{tmp_path}")


def test_a_part_of_too_few_pictures_names_the_way_out(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="choose the split all"):
        load_images(f"folder:{tmp_path}", split="test")


# -- more than memory should hold ------------------------------------------------------------------------------------
@pytest.fixture
def no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    monkeypatch.setenv("SIMCLR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise_folder(root: Path, n: int = 150, side: int = 96) -> str:
    (root / "noise").mkdir(parents=True)
    for i in range(n):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(
            root / "noise" / f"{i:03}.png", compress_level=1
        )
    return f"folder:{root}"


@pytest.mark.parametrize("split", SPLITS)
def test_pictures_from_a_mapped_file_are_those_held_in_memory(
    tmp_path: Path, split: str, request: pytest.FixtureRequest
) -> None:
    class_folders(tmp_path / "set")
    (tmp_path / "set" / "blue" / "05b.png").write_bytes((tmp_path / "set" / "blue" / "05.png").read_bytes()[:60])
    held = load_images(f"folder:{tmp_path / 'set'}", split=split)
    request.getfixturevalue("no_memory")
    read = load_images(f"folder:{tmp_path / 'set'}", split=split)
    assert isinstance(read.image, np.memmap)
    assert not isinstance(held.image, np.memmap)
    assert read.image.flags.c_contiguous
    assert np.array_equal(read.index, held.index)
    assert read.digest == held.digest
    assert [n for n in read.notices if "decoded once" not in n] == list(held.notices)


def test_a_file_is_decoded_once_until_it_changes(
    tmp_path: Path, no_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path / "set")
    spec, decode = f"folder:{tmp_path / 'set'}", picture_files.read_picture
    asked: list[Path] = []
    monkeypatch.setattr(picture_files, "read_picture", lambda path, side: asked.append(path) or decode(path, side))
    first = load_images(spec, split="test")
    assert len(asked) == len(first) < 40
    again = load_images(spec, split="test")
    assert len(asked) == len(first)
    again.image[0] = 0  # what a reader does to its pictures is its own affair
    assert load_images(spec, split="test").digest == first.digest
    changed = tmp_path / "set" / next(f for f in list_pictures(tmp_path / "set") if held_out([f.as_posix()])[0])
    save(changed, (1, 2, 3), size=(16, 16)), os.utime(changed, ns=(1, 1))
    assert load_images(spec, split="test").digest != first.digest


def test_a_file_cut_off_by_a_crash_is_made_again(tmp_path: Path, no_memory: Path) -> None:
    class_folders(tmp_path / "set")
    whole = load_images(f"folder:{tmp_path / 'set'}").digest
    (folder,) = no_memory.iterdir()
    (folder / mapped.ABOUT).unlink()
    (folder / mapped.PIXELS).write_bytes(b"")
    assert load_images(f"folder:{tmp_path / 'set'}").digest == whole


def test_reading_a_mapped_set_takes_the_memory_of_a_few_pictures(tmp_path: Path, no_memory: Path) -> None:
    spec = noise_folder(tmp_path / "set")
    tracemalloc.start()
    images = load_images(spec)
    assert images.digest
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert images.image.nbytes > 3e6
    assert peak < images.image.nbytes / 3


def test_a_full_disk_is_a_sentence(tmp_path: Path, no_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_folders(tmp_path / "set")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda where: SimpleNamespace(free=0))
    with pytest.raises(RunError, match="MiB free"):
        load_images(f"folder:{tmp_path / 'set'}")


# -- npz -------------------------------------------------------------------------------------------------------------
def npz(path: Path, **arrays: object) -> str:
    np.savez(path / "set.npz", **arrays)
    return f"npz:{path / 'set.npz'}"


X = np.arange(10 * 8 * 9 * 3, dtype=np.uint32).astype(np.uint8).reshape(10, 8, 9, 3)
Y = np.arange(10) % 2


def test_npz_with_both_parts_keeps_them_and_their_rows(tmp_path: Path) -> None:
    spec = npz(tmp_path, train_x=X[:6], train_y=Y[:6], test_x=X[6:], test_y=Y[6:], classes=["even", "odd"])
    test = load_images(spec, split="test")
    assert test.index.tolist() == [6, 7, 8, 9]
    assert np.array_equal(test.image, X[6:])
    assert test.class_names == ("even", "odd")
    assert test.notices == ()
    assert np.array_equal(load_images(spec, split="all").image, X)


def test_npz_without_a_test_part_holds_one_out(tmp_path: Path) -> None:
    spec = npz(tmp_path, train_x=np.tile(X, (10, 1, 1, 1)), train_y=np.tile(Y, 10))
    train, test = load_images(spec), load_images(spec, split="test")
    assert len(train) + len(test) == 100
    assert any("held out by a hash of the row" in n for n in test.notices)
    assert test.class_names == ()


def test_npz_reads_only_the_part_asked_for(tmp_path: Path) -> None:
    spec = npz(tmp_path, train_x=X.astype(np.float32), train_y=Y, test_x=X, test_y=Y)
    assert load_images(spec, split="test").index[0] == 10  # the unusable training part is never read
    with pytest.raises(DataError, match="uint8"):
        load_images(spec)


@pytest.mark.parametrize("shape", [(10, 8, 9), (10, 8, 9, 1)])
def test_npz_grey_gets_three_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = load_images(npz(tmp_path, train_x=X[..., 0].reshape(shape), train_y=Y), split="all")
    assert (images.image == X[..., :1]).all()
    assert any("three equal channels" in n for n in images.notices)


def test_npz_column_of_labels_and_no_labels(tmp_path: Path) -> None:
    assert load_images(npz(tmp_path, train_x=X, train_y=Y[:, None]), split="all").label.tolist() == Y.tolist()
    assert load_images(npz(tmp_path, train_x=X), split="all").label is None


def test_npz_labelled_in_one_part_only(tmp_path: Path) -> None:
    images = load_images(npz(tmp_path, train_x=X, test_x=X, test_y=Y), split="all")
    assert images.label is None
    assert any("only one part has labels" in n for n in images.notices)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X}, "with `train_x`"),
        ({"train_x": X / 255, "train_y": Y}, "scale the pixels to 0…255"),
        ({"train_x": np.full(X.shape, np.nan), "train_y": Y}, "uint8 from 0 to 255, got 'float64"),
        ({"train_x": X.astype(np.int16), "train_y": Y}, "uint8"),
        ({"train_x": X.reshape(10, -1), "train_y": Y}, r"\(n, height, width\)"),
        ({"train_x": np.moveaxis(X, 3, 1), "train_y": Y}, "channels last"),
        ({"train_x": X[:, :0], "train_y": Y}, "at least one pixel"),
        ({"train_x": X[:1], "train_y": Y[:1]}, "at least 2 pictures"),
        ({"train_x": X[:0], "train_y": Y[:0]}, "at least 2 pictures"),
        ({"train_x": X, "train_y": Y[:9]}, "one label for each of the 10 pictures"),
        ({"train_x": X, "train_y": np.eye(10, dtype=int)}, "one label for each"),
        ({"train_x": X, "train_y": Y / 2}, "whole numbers"),
        ({"train_x": X, "train_y": Y - 1}, "0 or larger"),
        ({"train_x": X, "train_y": Y, "classes": ["even"]}, "below 1, the number of class names"),
        ({"train_x": X, "train_y": Y, "test_x": X[:, :6], "test_y": Y}, "of one size in both parts"),
        ({"train_x": np.array([{}, {}], dtype=object)}, "npz of plain arrays"),
        ({"train_x": X, "train_y": Y, "classes": np.array(["a", {}], dtype=object)}, "npz of plain arrays"),
    ],
)
def test_bad_arrays_are_sentences(tmp_path: Path, arrays: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_images(npz(tmp_path, **arrays), split="all")


def test_bad_files_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"an existing \.npz"):
        load_images(f"npz:{tmp_path / 'none.npz'}")
    spec = npz(tmp_path, train_x=X, train_y=Y)
    file = tmp_path / "set.npz"
    whole = file.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2], whole[:200] + b"\xff" * 60 + whole[260:]):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="npz of plain arrays"):
            load_images(spec, split="all")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(DataError, match="npz of plain arrays"):
        load_images(f"npz:{tmp_path / 'one.npy'}")


# -- size ------------------------------------------------------------------------------------------------------------
def test_resizing_averages_and_cuts_the_centre() -> None:
    image = np.zeros((2, 16, 32), dtype=np.uint8)
    image[:, :, :8] = 255  # outside the centred square
    image[:, :, 8:24:2] = 200
    small = fit_all(image, 8)
    assert small.shape == (2, 8, 8)
    assert 80 < small.mean() < 120


def test_a_size_the_pictures_have_changes_nothing(tmp_path: Path) -> None:
    images = load_images("emoji", split="test", size=32)
    assert images.notices == ()
    assert images.digest == load_images("emoji", split="test").digest
