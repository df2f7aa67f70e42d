"""Why a pair is alike: what is counted, that an encoder is asked for no more than it must, and every sentence that can be said."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from simclr_core import why as why_module
from simclr_core.checkpoints import load_encoder
from simclr_core.encode import BESIDE, BESIDE_LARGE, LARGE, eye_of
from simclr_core.likeness import REMOVALS, Ranked, colour_reference
from simclr_core.pipeline import load_for
from simclr_core.records import ImageSet
from simclr_core.saliency import COARSE, GRID, Occlusion
from simclr_core.tables import load_embeddings
from simclr_core.why import VIEWS, Eye, Inquiry, Why, told_apart, words
from tests.pair_runs import build_encoded_run


def flat(images):
    return images.reshape(len(images), -1).astype(float) - 100


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def hidden_by(operation):
    """Views in which nothing but noise is left, unless this operation is left out: then each shows its picture's mean colour."""

    def views(image, left_out, seed):
        noise = np.random.default_rng(seed).standard_normal((VIEWS, 3))
        return image.mean(axis=(0, 1)) + 0.01 * noise if left_out == operation else noise

    return views


def eye(pictures, views=None, operations=("crop", "jitter"), encode=flat):
    return Eye(encode=encode, beside=pictures, views=views or hidden_by("crop"), operations=operations)


def asked(*_):
    raise AssertionError("nobody should ask")


@pytest.mark.parametrize("operation", ["crop", "jitter"])
def test_the_operation_that_hides_the_difference_is_found(pictures, operation):
    colours = colour_reference(pictures)
    found = dict(
        Inquiry(pictures[0], 255 - pictures[0], colours=colours, eye=eye(pictures, hidden_by(operation))).work().views
    )
    assert list(found) == ["", "crop", "jitter"]
    assert found.pop(operation) == 1
    assert all(abs(value - 0.5) < 0.15 for value in found.values())


def test_the_auc_counts_every_couple_of_pairs(rng):
    drawn = [rng.standard_normal((VIEWS, 3)) + seed for seed in (0, 1)]
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in drawn]
    within = [a @ b for u in unit for i, a in enumerate(u) for b in u[i + 1 :]]
    between = [a @ b for a, b in product(*unit)]
    assert told_apart(*drawn) == pytest.approx(np.mean([p > n for p, n in product(within, between)]))


def test_a_copy_and_a_pair_without_an_encoder_ask_nobody(pictures):
    colours = colour_reference(pictures)
    copy = Inquiry(pictures[0], pictures[0].copy(), colours=colours, eye=eye(pictures, asked, encode=asked)).work()
    assert (copy.copy, copy.colours.value, copy.whole, copy.seen) == (True, 1, None, None)
    alone = Inquiry(pictures[0], pictures[1], colours=colours, same_class=False).work()
    assert not alone.copy
    assert [text.en.split()[0] for text in words(alone)] == ["They", "Their"]


def test_an_encoder_is_asked_everything(pictures):
    near = np.clip(pictures[0].astype(int) + 2, 0, 255).astype(np.uint8)
    colours = colour_reference(pictures)
    why = Inquiry(pictures[0], near, colours=colours, same_class=True, eye=eye(pictures)).work()
    assert why.whole.value > 0.99
    assert why.removed.keys() == REMOVALS.keys()
    assert why.seen.one.shape == (8, 8)
    assert why.views.keys() == {"", "crop", "jitter"}
    assert len(words(why)) == 5
    still = Inquiry(pictures[0], near, colours=colours, eye=eye(pictures, operations=())).work()
    assert still.views == {}  # a recipe that changes nothing hides nothing


def test_evidence_grows_a_portion_at_a_time_and_ends_as_if_asked_at_once(pictures, monkeypatch):
    monkeypatch.setattr(why_module, "PORTION", 5 * 8 * 8)
    most = []
    slow = eye(pictures, encode=lambda images: (most.append(len(images)), flat(images))[1])
    colours = colour_reference(pictures)
    inquiry = Inquiry(*pictures[:2], colours=colours, eye=slow)
    grown, shares = [], []
    while not inquiry.whole:
        known = inquiry.known
        shares.append(inquiry.share)
        inquiry.work(0.0)
        grown.append((known.seen is not None and known.seen.one.shape[0], bool(known.removed), bool(known.views)))
        assert all(text.en for text in words(known))
    assert max(most) == 5
    assert shares == sorted(shares)
    assert inquiry.encoded == inquiry.asked
    order = list(dict.fromkeys(grown))
    assert order == [(False, False, False), (COARSE, False, False), (COARSE, True, False), (COARSE, True, True)]
    assert inquiry.known.seen.one.shape == (GRID, GRID)
    at_once = Inquiry(*pictures[:2], colours=colours, eye=eye(pictures)).work()
    assert at_once.removed == inquiry.known.removed
    assert at_once.views == inquiry.known.views
    np.testing.assert_array_equal(at_once.seen.one, inquiry.known.seen.one)


def test_what_random_pairs_are_is_measured_once(pictures):
    one = eye(pictures)
    first = Inquiry(*pictures[:2], colours=colour_reference(pictures), eye=one)
    first.work()
    second = Inquiry(*pictures[2:4], colours=colour_reference(pictures), eye=one)
    assert first.asked - second.asked == (1 + len(REMOVALS)) * len(pictures)
    assert (
        second.work().whole
        == Inquiry(*pictures[2:4], colours=colour_reference(pictures), eye=eye(pictures)).work().whole
    )
    assert second.encoded == second.asked


def ranked(above):
    return Ranked(value=0.99, above=above)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"copy": True, "same_class": False}, ("every pixel agrees", "one of the two is wrong")),
        ({"whole": ranked(0.5), "removed": {"colour": ranked(0.1)}}, ("An ordinary pair",)),
        ({"whole": ranked(1.0), "removed": {"colour": ranked(0.97), "light": ranked(0.3)}}, ("than 99% of", "share is brightness")),
        ({"whole": ranked(1.0), "removed": {"colour": ranked(0.97)}}, ("still more than 97%",)),
        ({"views": {"": 0.55, "crop": 0.8, "flip": 0.6}}, ("AUC 0.55", "what crop removes sets them apart")),
        ({"views": {"": 0.55, "crop": 0.6}}, ("0.60 at most",)),
        ({"views": {"": 0.95, "crop": 1.0}}, ("AUC 0.95 (.5 = not at all, 1 = always).",)),
        ({"seen": Occlusion(cosine=1, one=np.zeros((4, 4)), other=-np.ones((4, 4)))}, ("No single region",)),
        ({"seen": Occlusion(cosine=1, one=np.ones((4, 4)), other=np.zeros((4, 4)))}, ("25% lies in the middle",)),
    ],
)  # fmt: skip
def test_every_sentence(known, said):
    found = words(Why(**({"copy": False, "same_class": None, "colours": ranked(0.25)} | known)))
    text = " ".join(sentence.en for sentence in found)
    for part in said:
        assert part in text
    assert known.get("copy", False) == ("colours" not in text)
    assert ("class" in text) == ("same_class" in known)
    for sentence in found:
        assert any("\u4e00" <= c <= "\u9fff" for c in sentence.zh)
        assert "{" not in sentence.en + sentence.zh


def test_the_eye_of_a_run_sees_what_its_table_holds(tmp_path):
    run = build_encoded_run(tmp_path / "run")
    pictures, table = load_for(run.config, "test"), load_embeddings(run.path / "embeddings/encoder.npz")
    pictures.image.flags.writeable = False  # as a page holds them
    for space in ("h", "z"):
        found = eye_of(load_encoder(run.path), space, pictures)
        why = Inquiry(*pictures.image[:2], colours=colour_reference(pictures.image), eye=found).work()
        a, b = table.space(space)[:2].astype(float)
        assert why.whole.value == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
        n = min(BESIDE, len(pictures))
        assert len(found.ordinary[""]) == n * (n - 1) // 2
        assert found.operations == ("crop", "flip", "jitter", "grey", "blur")
        assert set(why.views) == {"", *found.operations}
        again = Inquiry(*pictures.image[:2], colours=colour_reference(pictures.image), eye=found).work()
        assert again.views == why.views
    encoder = load_encoder(run.path)
    many = ImageSet(
        image=np.zeros((BESIDE + 1, LARGE + 1, 4, 3), np.uint8),
        label=None,
        index=np.arange(BESIDE + 1),
        spec="",
        split="test",
    )
    for size, beside in ((LARGE, BESIDE), (LARGE + 1, BESIDE_LARGE), (None, BESIDE_LARGE)):  # large pictures: fewer
        sized = replace(encoder, config=replace(encoder.config, image_size=size))
        assert len(eye_of(sized, "h", many).beside) == beside
