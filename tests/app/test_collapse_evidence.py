"""The collapse page's evidence: why a pair is alike, pictures fallen into one place, what excites each direction."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pages.ui import twins, why
from simclr_core.checkpoints import load_encoder
from simclr_core.dimensions import principal
from simclr_core.encode import eye_of
from simclr_core.likeness import colour_reference
from simclr_core.pipeline import load_for
from simclr_core.records import EmbeddingTable
from simclr_core.tables import load_embeddings, save_embeddings
from simclr_core.why import Inquiry, words
from tests.app.conftest import alone, html, texts, walk
from tests.pair_runs import build_encoded_run

FIRST = 20  # the number of the first held-out picture


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A folder with one run that has pictures and an encoder. Do not write into it."""
    root = tmp_path_factory.mktemp("evidence")
    build_encoded_run(root / "full")
    return root


@pytest.fixture
def own(encoded, tmp_path):
    """A copy of that run to write into."""
    shutil.copytree(encoded / "full", tmp_path / "full")
    return twins.RunDir(tmp_path / "full")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """However busy the machine: a page waits until all is known."""
    monkeypatch.setattr(why, "STEP", np.inf)


def with_rows(run, **columns) -> EmbeddingTable:
    path = run.path / "embeddings/encoder.npz"
    table = replace(load_embeddings(path), **columns)
    save_embeddings(table, path)
    return table


def in_url(at, *names) -> list[str]:
    """Values of the address, which the test client gives alone or in a list."""
    return ["".join(at.query_params[name]) for name in names]


# -- why a pair is alike ---------------------------------------------------------------------------------------------
def test_opening_asks_no_encoder_and_a_press_tells_why(open_page, encoded, monkeypatch):
    read = []
    real = twins.encoder
    monkeypatch.setattr(twins, "encoder", lambda run: read.append(run) or real(run))
    at = open_page("collapse", run="full", root=encoded, part="pairs")
    assert not at.exception
    assert not read
    first = next(b for b in at.button if b.key.startswith("collapse.why.pair."))
    i, j = map(int, first.key.split(".")[-2:])
    first.click().run()
    assert not at.exception
    assert len(read) == 1
    assert in_url(at, "one", "other") == [str(FIRST + i), str(FIRST + j)]
    run = twins.RunDir(encoded / "full")
    pictures = load_for(run.config, "test")
    eye = eye_of(load_encoder(run.path), "h", pictures)
    colours = colour_reference(pictures.image)
    same = bool(pictures.label[i] == pictures.label[j])
    known = Inquiry(*pictures.image[[i, j]], colours=colours, same_class=same, eye=eye).work()
    assert "\n".join(f"- {sentence.en}" for sentence in words(known)) in texts(at)
    for auc in known.views.values():
        assert f"{auc:.3f}" in html(at)
    for found in known.removed.values():
        assert f"{found.above:.1%}" in html(at)
    cells = next(d.value for d in at.dataframe if d.value.shape == (8, 8))
    np.testing.assert_allclose(cells, np.round(known.seen.one, 4), atol=2e-4)


def test_a_slow_encoder_can_be_stopped_and_goes_on_where_it_was(open_page, encoded, monkeypatch):
    monkeypatch.setattr(why, "STEP", 0.0)
    at = open_page("collapse", run="full", root=encoded, one="22", other="27")
    assert not at.exception
    assert "They share" in texts(at)
    assert "of random pairs; without" not in texts(at)
    at.button(key="collapse.why_stop").click().run()
    assert at.button(key="collapse.why_stop").label == "Go on"
    assert "views are told apart with" not in texts(at)
    monkeypatch.setattr(why, "STEP", np.inf)
    at.button(key="collapse.why_stop").click().run()
    assert not at.exception
    assert not [b for b in at.button if b.key == "collapse.why_stop"]
    assert "views are told apart with" in texts(at)


def test_a_neighbour_can_be_asked_about(open_page, encoded):
    at = open_page("collapse", run="full", root=encoded, part="near", image="25")
    nearest = next(b.label for b in at.button if b.key == "collapse.go.0").split()[-1]
    at.button(key="collapse.why.near.0").click().run()
    assert in_url(at, "one", "other") == ["25", nearest]
    assert "of random pairs" in texts(at)


@pytest.mark.parametrize("query", [{"one": "25"}, {"one": "25", "other": "25"}, {"one": "x", "other": "9999"}])
def test_half_a_pair_opens_nothing(open_page, encoded, query):
    at = open_page("collapse", run="full", root=encoded, **query)
    assert not at.exception
    assert not at.error
    assert "of random pairs" not in texts(at)


def test_what_is_missing_is_told(open_page, own, tmp_path, small_runs, rng):
    pair = {"one": "20", "other": "21"}
    at = open_page("collapse", lang="zh", one="3", other="4")  # pictures without an encoder
    assert "该运行没有附带编码器" in texts(at)
    assert "它们的颜色有" in texts(at)
    alone(tmp_path, rng.standard_normal((60, 8)))
    at = open_page("collapse", run="alone", root=tmp_path, **pair)  # neither
    assert not at.exception
    for part in walk(at, "collapse"):
        assert not [b for b in part.button if b.key.startswith("collapse.why")]
        assert "of random pairs" not in texts(part)
    checkpoint = next(own.path.glob("checkpoints/*/model.safetensors"))
    checkpoint.write_bytes(b"no encoder")
    at = open_page("collapse", run="full", root=tmp_path, **pair)
    assert not at.exception
    assert at.error


def test_a_copy_needs_no_encoder(open_page, encoded, own, monkeypatch):
    monkeypatch.setattr(twins, "encoder", lambda run: pytest.fail("asked"))
    with np.load(encoded / "full.npz") as kept:
        arrays = dict(kept)
    arrays["test_x"][1] = arrays["test_x"][0]
    pictures = own.path.parent / "copies.npz"
    np.savez(pictures, **arrays)
    own.path.joinpath("config.json").write_text(
        own.path.joinpath("config.json").read_text().replace(str(encoded / "full.npz"), str(pictures))
    )
    table = load_embeddings(own.path / "embeddings/encoder.npz")
    h = table.h.copy()
    h[1], h[10:13] = h[0], h[9]
    with_rows(own, h=h)
    at = open_page("collapse", run="full", root=own.path.parent, part="places", one=str(FIRST), other=str(FIRST + 1))
    assert not at.exception
    assert "One picture twice: every pixel agrees" in texts(at)
    # the same run shows both kinds of places
    assert "With their own copy, pixel by pixel: 2. With different pictures: 4;" in texts(at)
    assert "**Place 1**: 4 pictures, 4 of them different. Collapsed." in texts(at)
    assert "**Place 2**: 2 times one picture. Copies in the data." in texts(at)


def test_a_region_is_framed_where_the_cosine_falls_most(rng):
    image = rng.integers(0, 256, (8, 16, 3), dtype=np.uint8)
    lost = np.zeros((4, 4))
    plain = why.overlaid(image, None, 1.0)
    assert plain.startswith("data:image/png;base64,")
    assert why.overlaid(image, lost + np.eye(4), 1.0) != why.overlaid(image, lost - np.eye(4), 1.0) != plain


# -- one place -------------------------------------------------------------------------------------------------------
def test_places_without_pictures_are_not_told_apart(open_page, tmp_path, rng):
    x = rng.standard_normal((60, 8))
    x[1] = x[0]
    alone(tmp_path, x)
    at = open_page("collapse", run="alone", root=tmp_path, part="places")
    assert not at.exception
    assert "at a cosine of 0.999 or more: 2. Such places: 1." in texts(at)
    assert "With their own copy" not in texts(at)
    x[1] *= -1
    alone(tmp_path, x, name="apart")
    assert "No pictures share a place" in texts(open_page("collapse", run="apart", root=tmp_path, part="places"))


# -- directions ------------------------------------------------------------------------------------------------------
def test_a_direction_shows_what_excites_it(open_page, encoded):
    at = open_page("collapse", run="full", root=encoded, part="directions", direction="2")
    table = load_embeddings(encoded / "full/embeddings/encoder.npz")
    axes = principal(table.h)
    score = axes.score(table.h, 1)
    assert f"Principal direction 2 of {len(axes.name)} holds {axes.share[1]:.1%}" in texts(at)
    assert f"{score.max():+.1f} σ" in html(at)
    assert f"{score.min():+.1f} σ".replace("-", "−") in html(at)
    at.segmented_control(key="axes").set_value("columns").run()
    column = int(np.argsort(-table.h.var(axis=0), kind="stable")[1])
    assert f"Column {column} is number 2 of" in texts(at)
    at.number_input(key="direction").set_value(3).run()
    assert in_url(at, "axes", "direction") == ["columns", "3"]
    assert not at.exception


def test_dead_and_redundant_columns_are_named(open_page, own, tmp_path, rng):
    h = rng.standard_normal((60, 128)).astype(np.float32)
    h[:, 3], h[:, 5] = 1, -2 * h[:, 4]
    with_rows(own, h=h, label=None)
    at = open_page("collapse", run="full", root=tmp_path, part="directions", axes="columns", direction=str(h.shape[1]))
    assert not at.exception
    assert "It does not vary: no picture excites it." in texts(at)
    assert f"of the largest: 1 of {h.shape[1]} (3)" in texts(at)
    assert "columns 4 and 5 (−1.000)" in texts(at)


@pytest.mark.parametrize("query", [{"direction": "0"}, {"direction": "-1"}, {"direction": "9999"}, {"axes": "no"}])
def test_a_bad_direction_in_the_url_is_the_first(open_page, encoded, query):
    at = open_page("collapse", run="full", root=encoded, part="directions", **query)
    assert not at.exception
    assert "Principal direction 1 of" in texts(at)


def test_more_columns_than_rows_one_class_and_nothing_that_varies(open_page, tmp_path, rng):
    alone(tmp_path, rng.standard_normal((12, 40)), label=np.zeros(12, np.int64), name="wide")
    at = open_page("collapse", run="wide", root=tmp_path, part="directions", direction="40")
    assert not at.exception
    assert "Principal direction 12 of 12" in texts(at)
    assert "It does not vary" in texts(at)
    alone(tmp_path, np.ones((50, 8)), name="equal")
    at = open_page("collapse", run="equal", root=tmp_path, part="directions")
    assert "no direction varies" in texts(at)
