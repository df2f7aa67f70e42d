"""The page on queue, bank and big batch: opens in every state, counts as the core does, says what was not measured."""

from xml.etree import ElementTree

import pytest

from pages.ui import queueparts
from pages.ui.queuelanes import Tile, blocks, lane
from simclr_core import negatives as neg
from simclr_core.tables import load_pairs


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("run", [None, "small"])
def test_opens_with_and_without_a_run(open_page, run, lang):
    at = open_page("queue", run=run, lang=lang)
    assert not at.exception
    assert at.title[0].value
    assert len(at.header) == 3


def test_stepping_goes_forward_back_and_into_the_url(open_page):
    at = open_page("queue")
    for _ in range(2):
        at = at.button(key="queue.next").click().run()
    assert at.session_state["queue.step"] == 2
    assert at.query_params["queue.step"] == "2"
    now = neg.memory_at(2, **queueparts.TOY)
    shown = at.dataframe[0].value
    assert len(shown) == 3
    assert shown.iloc[2, 3] == now.queue_age.max() == 2
    assert shown.iloc[2, 1] == ", ".join(str(i + 1) for i in now.batch)
    at = at.button(key="queue.reset").click().run()
    assert "queue.step" not in at.query_params


@pytest.mark.parametrize("bad", ["x", "-1", "61", "1e3", "nan", "9" * 300, "<b>"])
def test_nonsense_in_the_url_becomes_what_is_usual(open_page, bad):
    names = (*queueparts.CHOICES, queueparts.STEP, queueparts.CHUNK)
    at = open_page("queue", **dict.fromkeys(names, bad))
    assert not at.exception
    assert {k: at.session_state[k] for k in queueparts.CHOICES} == {k: v[0] for k, v in queueparts.CHOICES.items()}
    assert (at.session_state[queueparts.STEP], at.session_state[queueparts.CHUNK]) == (0, "8")


def test_every_choice_of_the_url_is_taken(open_page):
    at = open_page("queue", **{name: values[-1] for name, values in queueparts.CHOICES.items()})
    assert not at.exception
    text = " ".join(e.value for e in at.markdown)
    assert "1281167" in {at.session_state["queue.images"]}
    assert f"{neg.oldest_key(65536, 256):,} steps" in text
    assert "256.0 MiB" in text, "the cosines of 4,096 images"


def test_a_queue_longer_than_the_data_is_named(open_page):
    at = open_page("queue", **{"queue.images": "1000", "queue.keys": "4096"})
    assert len(at.warning) == 1
    assert not open_page("queue").warning


def test_the_cut_batch_is_the_runs(open_page, small_runs):
    pairs = load_pairs(small_runs / "small/embeddings/pairs.npz")
    found = neg.cuts(pairs.z_a[:32], pairs.z_b[:32], chunk=16, temperature=0.2)
    html = " ".join(e.proto.body for e in open_page("queue", **{"queue.chunk": "16"}).get("html"))
    for way in ("whole", "accumulated"):
        assert f"{found[way].loss:.6f}" in html


def test_the_question_tells_after_the_answer(open_page):
    at = open_page("queue")
    assert not at.success
    at = at.radio(key="queue.cut.answer").set_value("b").run()
    assert len(at.success) == 1
    assert not at.radio(key="queue.cut.answer").set_value("a").run().success


def test_drawings_are_xml_that_says_every_tile():
    tiles = [Tile(3, 1), Tile(4, 7, own=True), Tile(None)]
    for svg in (lane(tiles, 9, "#123456"), blocks(4, whole=False, ink="#123456"), blocks(2, whole=True, ink="#123456")):
        ElementTree.fromstring(svg)
    texts = [e.text for e in ElementTree.fromstring(lane(tiles, 9, "#123456")).iter() if e.tag.endswith("text")]
    assert texts == ["3", "1", "4", "7"]
    assert blocks(4, whole=False, ink="#000").count("url(#h)") == 12


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (2048, "2.0 KiB"), (32 * 2**20, "32.0 MiB"), (3 * 2**40, "3,072.0 GiB")],
)
def test_bytes(count, shown):
    assert queueparts.size(count) == shown
