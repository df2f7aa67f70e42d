"""The work sheet in Chromium: by keyboard alone, over a reload, on paper, and nothing sticks out."""

import pytest

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser


def test_by_keyboard_alone_and_over_a_reload(visit):
    page = visit("/worksheet")
    first = page.get_by_label("Numerator").first
    first.focus()
    page.keyboard.type("13359,7")
    page.keyboard.press("Enter")
    page.get_by_text("Right. Rounded to six digits: 13359.7.").wait_for()
    page.wait_for_function("location.search.includes('a=')")
    one = page.evaluate("location.search")
    page.keyboard.press("Tab")
    page.keyboard.type("35392.8")
    page.keyboard.press("Enter")
    page.get_by_text("leave it out").wait_for()
    page.wait_for_function("one => location.search !== one", arg=one)
    page.reload()
    settle(page)
    page.get_by_text("leave it out").wait_for()
    page.wait_for_function("[...document.querySelectorAll('input')].some(e => e.value === '13359,7')")


def test_the_sheet_is_downloaded_and_needs_nothing_else(visit, tmp_path):
    page = visit("/worksheet?sheet=7&lang=zh")
    page.get_by_text("附答案").click()
    settle(page)
    page.wait_for_timeout(300)
    with page.expect_download() as found:
        page.get_by_role("button", name="下载题单").click()
    path = tmp_path / found.value.suggested_filename
    found.value.save_as(path)
    assert path.name == "worksheet-7-3-0.1-key-zh.html"
    asked = []
    paper = page.context.new_page()
    paper.on("request", lambda r: asked.append(r.url))
    paper.goto(path.as_uri())
    assert paper.locator("table.matrix tr").count() == 7
    assert asked == [path.as_uri()]
    paper.close()


def test_an_experiment_opens_with_this_sheets_matrix(visit):
    page = visit("/worksheet?sheet=7&sheet_n=4&exercise=1")
    page.get_by_test_id("stMain").get_by_role("link", name="Temperature").click()
    page.wait_for_url("**/temperature*")
    page.wait_for_selector(".nx[data-ready]")
    assert page.locator(".bar").count() == 8


@pytest.mark.parametrize(("width", "scheme"), [(800, "light"), (1280, "dark")])
def test_nothing_sticks_out(visit, width, scheme):
    page = visit("/worksheet?sheet=7&sheet_n=5", viewport={"width": width, "height": 800}, color_scheme=scheme)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    assert page.locator(".sheet").evaluate("e => e.scrollWidth <= e.clientWidth + 1")
