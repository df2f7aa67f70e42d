"""A teacher's link in Chromium: controls are gone, keys step the figure, text is large enough for a room."""

import pytest

from tests.app.test_teacher import CLASSROOM

pytestmark = pytest.mark.browser
WIDGETS = "button, input, select, textarea, [role=slider]"
# The smallest text seen on the page outside charts and formulas.
SMALLEST = """() => {
  const walk = document.createTreeWalker(document.querySelector('[data-testid="stMain"]'), NodeFilter.SHOW_TEXT)
  let least = 99, which = ""
  while (walk.nextNode()) {
    const [text, parent] = [walk.currentNode.data.trim(), walk.currentNode.parentElement]
    if (!text || !parent.checkVisibility() || parent.closest("svg, .katex, style")) continue
    const size = parseFloat(getComputedStyle(parent).fontSize)
    if (size < least) [least, which] = [size, text + " in " + parent.className]
  }
  return [least, which]
}"""


def seen_widgets(page) -> list[str]:
    found = page.locator(f'[data-testid="stMain"] :is({WIDGETS})').all()
    return [w.evaluate("e => e.outerHTML.slice(0, 120)") for w in found if w.is_visible()]


@pytest.mark.parametrize("name", CLASSROOM)
def test_without_controls_no_widget_is_left(visit, name):
    page = visit(f"/{name}?run=small&hide=controls,menu")
    if name in ("temperature", "lab", "views"):
        page.locator(".nx[data-ready], .lab[data-ready], .views[data-ready]").wait_for(timeout=60_000)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    left = [w for w in seen_widgets(page) if "elementToolbar" not in w and 'class="chip' not in w]  # a chip is a number
    assert left == []


def test_the_explorer_is_stepped_by_keys(visit):
    page = visit("/temperature?hide=controls,menu&m=beats&k=2")
    figure = page.locator(".nx[data-ready]")
    figure.focus()
    for key, place in (("ArrowRight", "3"), ("ArrowRight", "4"), ("ArrowLeft", "3"), ("Home", "1"), ("Space", "2")):
        page.keyboard.press(key)
        assert figure.get_attribute("data-at") == place
    page.wait_for_function("location.search.includes('k=2') && location.search.includes('hide=controls')")


def test_the_lab_is_stepped_by_keys_and_plays(visit):
    page = visit("/lab?hide=controls,menu", reduced_motion="no-preference")
    figure = page.locator(".lab[data-ready]")
    figure.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert figure.get_attribute("data-step") == "2"
    page.keyboard.press("Space")
    page.wait_for_function("() => location.pathname", timeout=1000)
    page.locator('.lab:not([data-step="2"])').wait_for()
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    assert figure.get_attribute("data-step") == "0"


def test_the_queue_is_stepped_by_keys(visit):
    page = visit("/queue?hide=controls,menu")
    page.locator(".st-key-queue-reset button").wait_for(state="attached")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('queue.step=1')")
    page.locator(".st-key-queue-reset button:not([disabled])").wait_for(state="attached")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("!location.search.includes('queue.step')")


def test_views_are_stepped_by_keys(visit):
    figure = visit("/views?run=small&hide=controls,menu&views.seed=3").locator(".views[data-ready]")
    figure.focus(timeout=60_000)
    for key, place in (("ArrowRight", "1.000"), ("Space", "2.000"), ("ArrowLeft", "1.000"), ("Home", "0.000")):
        figure.page.keyboard.press(key)
        assert figure.get_attribute("data-at") == place


@pytest.mark.parametrize("name", CLASSROOM)
def test_text_for_a_room_is_18_px_or_more(visit, name):
    page = visit(f"/{name}?run=small&size=projector&hide=menu")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    figure = page.locator(".nx[data-ready], .lab[data-ready]")
    if name in ("temperature", "lab"):  # their smallest labels are smaller, like those of a chart
        assert figure.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 18
    least, which = page.evaluate(SMALLEST)
    assert least >= 18, which


def test_the_menu_hides_and_reveals(visit):
    page = visit("/queue?run=small")
    page.locator(".st-key-teach-menu button").first.click()
    page.get_by_text("Show answers and reveals").click()
    page.wait_for_function("location.search.includes('hide=answers')")
    page.get_by_text("hide=answers,menu").wait_for()
    page.get_by_text("Show answers and reveals").click()
    page.wait_for_function("!location.search.includes('hide')")
