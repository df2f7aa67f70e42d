"""Figures keep every number, never say a thing by colour alone, and sit on any background."""

from xml.etree import ElementTree

import numpy as np
import pytest

from pages.ui import figures
from pages.ui.figures import Reference


def every_figure():
    rng = np.random.default_rng(0)
    two = {"a": rng.normal(size=50), "b": rng.normal(size=50)}
    yield "curves", figures.curves(np.arange(50), two, x_title="x", y_title="y", references=[Reference(1.0, "one")])
    yield "histogram", figures.histogram(two, x_title="x", y_title="y")
    yield "spectrum", figures.spectrum({k: np.abs(v) for k, v in two.items()}, x_title="x", y_title="y")
    yield "heat", figures.heat(rng.normal(size=(3, 4)), rows="abc", columns="wxyz")


@pytest.mark.parametrize(("name", "figure"), every_figure())
def test_transparent_and_serialisable(name, figure):
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.to_json()


@pytest.mark.parametrize(("name", "figure"), every_figure())
def test_series_differ_in_more_than_colour(name, figure):
    def shape(trace):
        return trace.marker.pattern.shape if trace.type == "bar" else trace.line.dash

    traces = [t for t in figure.data if t.type != "heatmap"][:10]
    assert len({shape(t) for t in traces}) == len(traces)


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", [*figures.PALETTE, figures.GREY])
@pytest.mark.parametrize("background", ["#FFFFFF", "#12181D"])
def test_marks_reach_three_to_one_on_both_pages(colour, background):
    assert contrast(colour, background) >= 3.0


def test_thin_keeps_both_ends_and_never_more_than_asked():
    assert list(figures.thin(3)) == [0, 1, 2]
    kept = figures.thin(10_001, 500)
    assert len(kept) <= 500
    assert (kept[0], kept[-1]) == (0, 10_000)


def test_histogram_table_has_the_shares_of_the_figure():
    sample = {"a": np.array([0.0, 0.1, 0.9, 1.0])}
    rows = figures.histogram_rows(sample, bins=2)
    assert rows["a"].tolist() == [0.5, 0.5]
    assert figures.histogram(sample, x_title="", y_title="", bins=2).data[0].y.tolist() == [0.5, 0.5]


def test_a_still_map_draws_every_point_and_escapes_names():
    from pages.ui import stillmap

    xy = np.random.default_rng(0).normal(size=(40, 2))
    svg = stillmap.drawing(xy, np.arange(40) % 12, ["<b>&", *map(str, range(11))], "#000000")
    assert svg.count("<use") == 40 + 12, "points and legend"
    assert "&lt;b&gt;&amp;" in svg
    ElementTree.fromstring(svg)
    assert stillmap.drawing(xy, None, (), "#000000").count("<use") == 40


def test_classes_of_a_still_map_differ_in_colour_and_shape():
    from pages.ui import stillmap

    assert len(set(stillmap.COLOURS)) == len(set(stillmap.SHAPES)) == 10


def test_contact_sheet_places_pictures_line_by_line():
    image = np.stack([np.full((4, 4, 3), v, np.uint8) for v in (10, 20, 30)])
    sheet = figures.contact_sheet(image, 2, side=4, gap=1)
    assert sheet.shape == (9, 9, 4)
    assert sheet[0, 0, 0] == 10
    assert sheet[0, 5, 0] == 20
    assert sheet[5, 0, 0] == 30
    assert sheet[4, 0, 3] == 0, "the gap is transparent"
    assert sheet[5, 5, 3] == 0, "so is the missing picture"
