"""The Views page by hand: an operation switched on, another draw, back, and the pipeline taken to the Train page."""

import pytest

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser


def test_a_pipeline_is_changed_shared_and_taken_along(visit):
    page = visit("/views?views.recipe=weak")
    page.get_by_text("To mend").wait_for()
    page.get_by_role("button", name="Blur", exact=True).click()
    page.wait_for_function("decodeURIComponent(location.search).includes('blur_p=0.5')")
    page.get_by_role("button", name="Draw again").click()
    page.wait_for_function("location.search.includes('views.seed=1')")
    settle(page)
    again = visit("/views" + page.evaluate("location.search"))
    assert again.get_by_test_id("stCode").inner_text() == page.get_by_test_id("stCode").inner_text()
    page.get_by_role("button", name="Open it on the Train page").click()
    page.wait_for_url("**/train*")
    page.locator(".st-key-train-augment-blur_p input[aria-valuetext='0.5']").wait_for(state="attached")
