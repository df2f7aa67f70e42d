"""The page on queue, bank and big batch in Chromium: steps by button and key, its link, nothing sticks out."""

import pytest

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser
TILES = '[data-testid="stImage"] img'


def test_steps_by_button_and_by_key_and_keeps_them_in_the_link(visit):
    page = visit("/queue")
    before = page.locator(TILES).nth(1).get_attribute("src")
    page.get_by_role("button", name="Step", exact=False).first.click()
    page.wait_for_function("() => location.search.includes('queue.step=1')")
    page.wait_for_function(
        "([tiles, before]) => document.querySelectorAll(tiles)[1].src !== before", arg=[TILES, before]
    )
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('queue.step=2')")
    settle(page)
    assert "oldest 2 steps old" in page.locator(TILES).nth(1).get_attribute("alt").replace("the ", "")


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (800, "light"), (1280, "dark")])
def test_nothing_sticks_out(visit, width, scheme):
    page = visit("/queue?queue.step=7", viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.locator(TILES).nth(2).wait_for()
    # A wide table scrolls inside its own box; nothing else may be wider than the page.
    overflow = page.evaluate(
        """() => { const main = document.querySelector('[data-testid="stMainBlockContainer"]').getBoundingClientRect().right
        return [...document.querySelectorAll('[data-testid="stMain"] img, [data-testid="stMain"] .numbers, [data-testid="stMain"] button')]
        .filter(e => e.getBoundingClientRect().right > main + 1).map(e => e.outerHTML.slice(0, 90)) }"""
    )
    assert overflow == []
