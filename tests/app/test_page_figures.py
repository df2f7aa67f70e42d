"""All figures of all pages: each says where its numbers come from and brings them as a table; each loss stands on its scale."""

import json
import re

import pytest
from streamlit.testing.v1.element_tree import Block

from pages.ui.text import catalogues
from simclr_core.similarity import loss_ceiling, loss_floor
from simclr_core.store import write_atomic
from tests.app.conftest import N, build_run, metrics_row, texts
from tests.app.test_shell import page_names

BADGE = re.compile(r":(green|blue|orange)-badge\[:material/\w+: .+\]")
DRAWN = {"plotly_chart", "bidi_component"}
ANSWERED = {"views": ("views.quiz", "c"), "worksheet": ("worksheet.labels.guess", "c")}  # figures behind a guess
PAGES = page_names()
LOSSES = {"train.chart.loss", "batch.figure.loss"}  # the plotly charts that show a loss


def blocks(block):
    yield block
    for child in block.children.values():
        if isinstance(child, Block):
            yield from blocks(child)


def opened(open_page, name, **query):
    """A page with its guess answered; in English, the language that `AppTest` formats options in."""
    if name not in ANSWERED or query.get("lang") == "zh":
        return open_page(name, **query)
    key, option = ANSWERED[name]
    exercise = {"exercise": "6"} if name == "worksheet" else {}
    return open_page(name, **query, **exercise).radio(key=f"{key}.answer").set_value(option).run()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_its_badge_and_its_table(open_page, name, lang):
    at = opened(open_page, name, lang=lang)
    assert not at.exception
    drawn = 0
    for block in blocks(at.main):
        children = list(block.children.values())
        for place, child in enumerate(children):
            if child.type not in DRAWN:
                continue
            drawn += 1
            before = children[place - 1]
            assert before.type == "markdown"
            assert BADGE.fullmatch(before.value), before.value
            if child.type == "plotly_chart":
                after = next(c for c in children[place:] if isinstance(c, Block))
                assert after.type == "expander"
                assert [e.type for e in after.children.values()] == ["dataframe"]
    assert drawn == len(at.get("plotly_chart")) + len(at.get("bidi_component"))


@pytest.mark.parametrize("name", ["home", "queue", "batch"])
def test_every_drawing_has_its_badge(open_page, name):
    at = open_page(name)
    assert at.get("image")
    assert any(BADGE.fullmatch(m.value) for m in at.markdown)


# -- losses on their scale -----------------------------------------------------------------------------------------------
def chart(at, key: str) -> dict:
    (found,) = [c for c in at.get("plotly_chart") if c.key == key]
    return json.loads(found.proto.spec)


def test_no_other_chart_shows_a_loss(open_page):
    said = {
        catalogues()["en"].texts[key]
        for key in ("train.metric.loss", "batch.series_loss", "batch.axis_loss", "train.axis.loss")
    }
    found = set()
    for name in PAGES:
        for c in opened(open_page, name).get("plotly_chart"):
            spec = json.loads(c.proto.spec)
            named = {trace.get("name") for trace in spec["data"]}
            named |= {spec["layout"].get(axis, {}).get("title", {}).get("text") for axis in ("xaxis", "yaxis")}
            if named & said:
                found.add(c.key)
    assert found == LOSSES


def test_the_batch_pages_loss_stands_between_ceiling_and_floor(open_page):
    at = open_page("batch", **{"batch.tau": "0.1"})
    drawn = {trace["name"] for trace in chart(at, "batch.figure.loss")["data"]}
    shown = table(at, "batch.figure.loss")
    sizes = [int(n) for n in shown["Images N"]]
    for name, value in (("ceiling ln(2N − 1)", loss_ceiling), ("floor", lambda n: loss_floor(n, 0.1))):
        assert name in drawn
        assert shown[name].tolist() == pytest.approx([value(n) for n in sizes])


def table(at, key: str):
    """The table below a chart."""
    for block in blocks(at.main):
        children = list(block.children.values())
        for place, child in enumerate(children):
            if child.type == "plotly_chart" and child.key == key:
                return next(c for c in children[place:] if isinstance(c, Block)).dataframe[0].value
    raise AssertionError(f"no chart {key}")


LINES = [
    {"id": name, "value": value, "en": name, "zh": name}
    for name, value in (("ceiling", 6.236), ("uniform", 3.1), ("floor", 0.7))
]


@pytest.mark.parametrize(("lines", "without"), [(LINES, ()), (LINES[:1], ("floor",)), ([], ("ceiling", "floor"))])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_runs_loss_stands_between_its_lines_or_the_chart_says_why_not(open_page, tmp_path, lines, without, lang):
    run = build_run(tmp_path / "run", embeddings=False)
    write_atomic(run.path / "config.json", json.dumps(run.info | {"reference_lines": lines}))
    at = open_page("train", run="run", root=tmp_path, lang=lang)
    shapes = chart(at, "train.chart.loss")["layout"].get("shapes", [])
    assert sorted(s["y0"] for s in shapes) == sorted(line["value"] for line in lines)
    said = catalogues()[lang].texts
    for name in ("ceiling", "floor"):
        assert (said[f"train.no_{name}"] in texts(at)) is (name in without)


def test_where_the_temperature_moves_the_floor_moves_and_the_chart_says_so(open_page, tmp_path):
    run = build_run(tmp_path / "run", embeddings=False)
    rows = [metrics_row(step, 50) | {"temperature": 0.1 + step / 100, "loss_floor": step / 50} for step in (10, 20, 30)]
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    at = open_page("train", run="run", root=tmp_path)
    spec = chart(at, "train.chart.loss")
    assert [s["y0"] for s in spec["layout"]["shapes"]] == [6.236], "only the ceiling stays where it is"
    floor = catalogues()["en"].texts["train.floor_moves"]
    assert floor in [trace["name"] for trace in spec["data"]]
    assert table(at, "train.chart.loss")[floor].tolist() == [0.2, 0.4, 0.6]
    assert "τ goes from 0.2 to 0.4" in texts(at)


def test_the_map_has_its_table_when_asked(open_page):
    at = open_page("map")
    name = catalogues()["en"].texts["common.as_table"]

    def rows(at) -> list[int]:
        return [len(d.value) for e in at.expander if e.label == name for d in e.dataframe]

    assert rows(at) == [], "a large map is not sent unasked"
    at.session_state["map.table"] = True
    assert rows(at.run()) == [N]
