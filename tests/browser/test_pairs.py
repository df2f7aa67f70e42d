"""The pairs page in a real browser: a link brings the same views, and they can be seen."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.pair_runs import build_encoded_run

pytestmark = pytest.mark.browser
SEEN = "() => [...document.querySelectorAll('.gallery img')].filter((i) => i.complete && i.naturalWidth > 0).length"


@pytest.fixture(scope="module", autouse=True)
def full(runs_folder):
    return build_encoded_run(runs_folder / "pairs-full")


def seen(page, n: int) -> None:
    """Wait until n pictures have arrived; they load as they come into sight."""
    settle(page)
    page.set_viewport_size({"width": 1280, "height": 7000})
    page.wait_for_function(f"({SEEN})() === {n}", timeout=60_000)


def test_a_link_brings_picture_views_and_matrices(visit):
    page = visit("/pairs?run=pairs-full&pairs.part=one&image=31&views=4&space=z")
    seen(page, 5)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=30_000)
    assert "image=31" in page.url
    first = page.locator(".st-key-image input")
    assert first.input_value().startswith("31") or page.get_by_text("31 · ").count()
    cells = page.locator(".js-plotly-plot").nth(0).locator(".heatmap-label").all_inner_texts()
    assert len(cells) == 25, "every cell has its number"


def test_another_picture_reruns_its_part_and_goes_into_the_url(visit):
    page = visit("/pairs?run=pairs-full&pairs.part=one&views=2")
    seen(page, 3)
    before = page.locator(".gallery").first.locator("img").first.get_attribute("src")
    page.locator(".st-key-pairs-another button").click()
    page.wait_for_function("location.search.includes('image=')")
    page.wait_for_function(
        "(before) => document.querySelector('.gallery img').getAttribute('src') !== before", arg=before
    )
    seen(page, 3)


def test_a_question_is_answered_in_its_own_process_and_kept(visit):
    page = visit("/pairs?run=pairs-full&pairs.part=operations&pictures=64")
    page.locator(".st-key-ask").get_by_text("What the head throws away").click()
    page.wait_for_function("location.search.includes('ask=readout')")
    page.locator(".st-key-operations-measure button").click()
    page.reload()  # the job goes on without the page
    page.get_by_text("How much was drawn?").wait_for(timeout=90_000)


def test_worst_pairs_are_looked_at_in_another_part(visit):
    page = visit("/pairs?run=pairs-full&pairs.part=worst")
    seen(page, 6 * 3)
    page.locator('[class*="st-key-pairs-look"] button').first.click()
    page.get_by_role("heading", name="One picture under the glass").wait_for()
    seen(page, 7)
