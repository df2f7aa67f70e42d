"""Colours that can be told from the page, light and dark, and text that can be read on them (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
import tomllib
from pathlib import Path

import pytest

from pages.ui.figures import GREY, PALETTE
from tests.node import ask_node

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "pages/ui/components"
THEME = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"]
SCHEMES = ("light", "dark")
MARK, TEXT = 3.0, 4.5


def variables(css: str) -> dict[str, str]:
    """The colours that a component's style names itself."""
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", (COMPONENTS / css).read_text()))


DATA, PICTURES = variables("shared/shared.css"), variables("lab/lab.css")
MARKS = set(PALETTE) | {GREY} | set(DATA.values()) | set(PICTURES.values())


def rgb(colour: str) -> list[float]:
    """Red, green and blue from 0 to 255 of "#rrggbb" or "rgb(r,g,b)"."""
    if colour.startswith("#"):
        return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return [float(x) for x in re.findall(r"[\d.]+", colour)]


def luminance(colour: list[float]) -> float:
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(one: str, other: str, share: float) -> list[float]:
    """What `color-mix(in srgb, one share, other)` is."""
    return [share * a + (1 - share) * b for a, b in zip(rgb(one), rgb(other), strict=True)]


def test_contrast_is_known_at_its_ends():
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    assert contrast(rgb("#0072b2"), rgb("#ffffff")) == pytest.approx(5.19, abs=0.01)
    assert len(DATA) == 4
    assert len(PICTURES) == 4


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("colour", sorted(MARKS))
def test_every_mark_stands_out_from_the_page(colour, scheme):
    assert contrast(rgb(colour), rgb(THEME[scheme]["backgroundColor"])) >= MARK


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read(scheme):
    theme = THEME[scheme]
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        quiet = mixed(theme["textColor"], theme["backgroundColor"], 0.72)  # --quiet of shared.css
        assert contrast(rgb(theme["textColor"]), rgb(theme[ground])) >= TEXT
        assert contrast(quiet, rgb(theme[ground])) >= TEXT
    assert (
        "--quiet: color-mix(in srgb, var(--st-text-color) 72%, var(--st-background-color))"
        in (COMPONENTS / "shared/shared.css").read_text()
    )
    play = mixed(theme["primaryColor"], "#000000", 0.9)
    assert contrast(rgb("#ffffff"), play) >= TEXT, "white on the button that plays"
    assert contrast(rgb(theme["primaryColor"]), rgb(theme["backgroundColor"])) >= MARK, "the ring around what has focus"


@pytest.mark.parametrize("colour", PICTURES.values())
def test_digits_on_a_picture_can_be_read(colour):
    assert contrast(rgb("#ffffff"), rgb(colour)) >= TEXT


def test_ink_on_every_colour_of_the_ramp_can_be_read():
    body = "cases.map((k) => format.colour(k / 1000))"
    for paint in ask_node({"format": "shared/format.js"}, body, list(range(1001))):
        ink = {"#000": "#000000", "#fff": "#ffffff"}[paint["ink"]]
        assert contrast(rgb(ink), rgb(paint["fill"])) >= 4.58


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_point_of_the_map_or_its_rim_stands_out(scheme):
    """Pale hues stand out by their rim: darker on a light page, as the painters draw it, lighter on a dark one."""
    palette = re.search(r"PALETTE = \[(.*?)\]", (COMPONENTS / "pointcloud/scene.js").read_text())
    for colour in re.findall(r"#\w{6}", palette[1]):
        rim = mixed("#ffffff", colour, 0.35) if scheme == "dark" else [0.55 * v for v in rgb(colour)]
        assert max(contrast(c, rgb(THEME[scheme]["backgroundColor"])) for c in (rgb(colour), rim)) >= MARK
