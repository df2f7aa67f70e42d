"""For everybody: what has focus can be seen, a finger meets what it aims at, and no text is ever markup."""

from urllib.parse import quote

import numpy as np
import pytest

from pages.ui.components import lab, offline, temperature
from pages.ui.components.lab import Meter
from pages.ui.components.temperature.view import read_view
from pages.ui.text import catalogues
from simclr_core import similarity as sim

pytestmark = pytest.mark.browser
FIGURES = {
    "temperature": ("/temperature?run=small&m=beats&c=1.3.85&u=0.1", ".nx[data-ready]", 14),
    "lab": ("/lab?run=small&lab.start=collapsed", ".lab[data-ready]", 8),
    "map": ("/map?run=small", ".cloud[data-ready=true]", 10),
}

# What has focus inside the figure, and how its outline and shadow differ from when it has not; null once focus has left.
STOP = """root => {
  const e = root.getRootNode().activeElement
  if (!e || e === root || !root.contains(e)) return null
  const look = () => (({ outlineStyle: s, outlineWidth: w, boxShadow }) => [s === "none" ? "0px" : w, boxShadow])(getComputedStyle(e))
  const focused = look()
  e.blur()
  const plain = look()
  e.focus()
  return { name: e.tagName + "." + (e.getAttribute("class") ?? e.type), focused, plain }
}"""


def stops(page, root: str) -> list[dict]:
    """Every Tab stop of a figure, in order."""
    figure = page.locator(root)
    figure.evaluate("root => { root.tabIndex = -1; root.focus(); root.removeAttribute('tabindex') }")
    found = []
    while len(found) < 80:
        page.keyboard.press("Tab")
        stop = figure.evaluate(STOP)
        if stop is None:
            return found
        found.append(stop)
    raise AssertionError("focus does not leave the figure")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_stop_shows_that_it_has_focus(visit, name, scheme):
    path, root, least = FIGURES[name]
    page = visit(path, color_scheme=scheme)
    page.wait_for_selector(root)
    found = stops(page, root)
    assert len(found) >= least
    for stop in found:
        (outline, shadow), (_, plain_shadow) = stop["focused"], stop["plain"]
        assert stop["focused"] != stop["plain"], stop
        assert float(outline.removesuffix("px")) >= 2 or shadow not in ("none", plain_shadow), stop


def test_what_arrow_keys_reach_shows_its_focus_too(visit):
    page = visit("/temperature?run=small")
    figure = page.locator(".nx[data-ready]")
    figure.wait_for()
    for start, key in ((".cell", "ArrowRight"), (".bar", "ArrowDown"), (".under-line .term", "ArrowRight")):
        figure.locator(f'{start}[tabindex="0"]').first.focus()
        page.keyboard.press(key)
        stop = figure.evaluate(STOP)
        assert start.split(".")[-1] in stop["name"]
        assert float(stop["focused"][0].removesuffix("px")) >= 2, stop


# -- a telephone -----------------------------------------------------------------------------------------------------------
TARGETS = """root => [...root.querySelectorAll("button, input, select, textarea, summary, [tabindex], [role=button], .beats td, .row-head")]
  .filter(e => e.checkVisibility({ visibilityProperty: true }) && getComputedStyle(e).pointerEvents !== "none" && !e.disabled)
  .map(e => e.type === "checkbox" ? e.closest("label") : e)
  .map(e => [e.getBoundingClientRect(), e.tagName + "." + (e.getAttribute("class") ?? e.type)])
  .filter(([box]) => Math.min(box.width, box.height) < 43.9).map(([box, name]) => `${name} ${box.width} x ${box.height}`)"""
PHONE = {"has_touch": True, "viewport": {"width": 375, "height": 800}}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "path",
    ["/temperature?m=beats&c=1.3.85&u=0.1&b=hard", "/temperature?b=run&n=16&m=train", "/lab?lab.start=collapsed"],
)
def test_every_target_is_44_pixels_on_a_telephone(visit, path, lang):
    page = visit(f"{path}&run=small&lang={lang}", **PHONE)
    figure = page.locator(".figure[data-ready]")
    for summary in figure.locator("summary").all():
        summary.click()
    assert figure.evaluate(TARGETS) == []
    outside = "root => [...root.querySelectorAll('*')].filter(e => e.checkVisibility() && !e.closest('.table-scroll, .hidden') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))"
    assert figure.evaluate(outside) == []


def test_on_a_telephone_the_matrix_is_one_row_at_a_time(visit):
    page = visit("/temperature?run=small", **PHONE)
    figure = page.locator(".nx[data-ready]")
    figure.wait_for()
    assert not figure.locator(".matrix").is_visible()
    cells = figure.locator(".row-cell")
    assert cells.all_inner_texts()[:3] == ["1\n–", "2 +\n0.95\n60.5%", "3\n0.10\n11.1%"]
    figure.get_by_role("button", name="Previous anchor").tap()
    assert figure.locator(".row-name").inner_text() == "anchor 6, positive 5"
    page.wait_for_function("location.search.includes('r=6')")
    cells.nth(2).tap()
    assert figure.locator(".bar.lit .bar-name").inner_text() == "3"
    cells.nth(2).press("+")
    assert cells.nth(2).locator("b").inner_text() == "0.05"
    cells.nth(2).press("ArrowRight")
    assert figure.locator(".row-cell:focus").inner_text().startswith("4")
    figure.get_by_role("button", name="Whole matrix").tap()
    assert figure.locator(".matrix").is_visible()
    assert not cells.first.is_visible()


# -- text that would be markup -----------------------------------------------------------------------------------------------
HOSTILE = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script>'


def texts(prefix: str) -> dict[str, str]:
    said = catalogues()["en"].texts
    return {k.removeprefix(p): v for p in ("player.", prefix) for k, v in said.items() if k.startswith(p)}


def hostile_explorer() -> offline.Page:
    made = temperature.batch("sheet", HOSTILE, HOSTILE, np.eye(4), sim.interleaved_partner(2))
    asked = [
        {
            "text": HOSTILE,
            "why": HOSTILE,
            "preset": "sheet",
            "measure": "loss",
            "taus": [0.5, 0.1],
            "row": 0,
            "kind": "trend",
        }
    ]
    start = read_view({"sheet": 4})
    data = temperature.given([made], asked, texts("temperature.explorer."), start=start, lang="en", hide=[])
    return offline.Page(temperature.ENTRY, data, HOSTILE, HOSTILE, HOSTILE)


def hostile_lab() -> offline.Page:
    meters = [Meter(id="rankme", label=HOSTILE, help=HOSTILE, low=1, high=3, spread=3)]
    setting = lab.Setting(data="gauss", noise=0.6, tau=0.5, seed=0, start="random")
    data = lab.given(setting, meters, texts("lab.explorer."), start=lab.read_view(), lang="en", hide=[])
    lists = [{"name": "data", "label": HOSTILE, "values": [("gauss", HOSTILE), ("blobs", "b")]}]
    scene = {
        "label": HOSTILE,
        "setting": setting,
        "note": HOSTILE,
        "question": HOSTILE,
        "options": [HOSTILE],
        "reveal": HOSTILE,
    }
    return offline.Page(lab.ENTRY, data, HOSTILE, HOSTILE, HOSTILE, lists, [scene], HOSTILE, HOSTILE)


@pytest.mark.parametrize("made", [hostile_explorer, hostile_lab], ids=["temperature", "lab"])
def test_no_label_and_no_word_of_an_address_becomes_markup(browser, tmp_path, made):
    path = tmp_path / "page.html"
    path.write_bytes(offline.render(made()))
    page = browser.new_page()
    names = ("tau", "row", "preset", "own", "cells", "mode", "at", "speed", "data", "seed", "step", "nudge", HOSTILE)
    page.goto(path.as_uri() + "#" + "&".join(f"{quote(name)}={quote(HOSTILE)}" for name in names))
    figure = page.locator(".figure[data-ready]")
    figure.wait_for()
    assert page.get_by_text(HOSTILE, exact=True).count() >= 3, "it is shown as it is"
    if made is hostile_explorer:
        figure.get_by_text("Bring your own matrix").click()
        figure.locator(".own textarea").fill(f"1,{HOSTILE}\n.5,1")
        figure.get_by_role("button", name="Use this matrix").click()
        assert "“<img src=x o”" in figure.locator(".own .problem").inner_text()
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hit") is None
    page.close()


def test_a_hostile_address_of_the_app_shows_nothing_of_itself(visit):
    page = visit("/temperature?" + "&".join(f"{key}={quote(HOSTILE)}" for key in "turbncfomksv"))
    page.wait_for_selector(".nx[data-ready]")
    assert page.get_by_text("onerror").count() == 0
    assert page.evaluate("window.hit") is None


def test_nothing_is_told_by_colour_alone(visit):
    """The positive has an outline, a plus and another border; a force its side and sign; a badge its tick; curves their dashes."""
    page = visit("/temperature?run=small&b=hard&t=0.1&c=1.3.84")
    figure = page.locator(".nx[data-ready]")
    figure.wait_for()
    assert figure.locator(".cell.positive .partner").count() == figure.locator(".cell.positive .plus").count() == 6
    assert figure.locator(".cell.negative :is(.partner, .plus)").count() == 0
    assert figure.locator(".bar.positive .bar-name").inner_text() == "2 +"
    style = "e => getComputedStyle(e).borderBottomStyle"
    assert figure.locator(".over-line .term.positive").evaluate(style) == "double"
    assert figure.locator(".under-line .term.negative").first.evaluate(style) == "solid"
    tips = figure.locator(".first .tip").all_inner_texts()
    assert (tips[1], tips[2]) == ("▶", "◀")
    assert figure.locator(".under-matrix .badge").inner_text()[0] in "✓✗"
    dashes = figure.locator(".curves-box .chart").first.evaluate(
        "svg => [...svg.querySelectorAll('.line')].map(e => getComputedStyle(e).strokeDasharray)"
    )
    assert len(set(dashes)) == len(dashes) == 4
    page = visit("/lab?run=small")
    page.wait_for_selector(".lab[data-ready]")
    shapes = page.locator(".point path").evaluate_all("all => new Set(all.map(e => e.getAttribute('d'))).size")
    assert shapes == 4
