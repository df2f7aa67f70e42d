"""The collapse page in a real browser: a deep link, the pictures of its galleries, and going on from a neighbour."""

import pytest

pytestmark = pytest.mark.browser
LOADED = "(i) => { const all = [...document.querySelectorAll('.gallery img')]; return all.length > i && all.slice(0, i).every((img) => img.complete && img.naturalWidth > 0); }"


def test_a_deep_link_opens_the_space_with_its_pictures(visit):
    page = visit("/collapse?run=small&space=z")
    page.get_by_text("300 pictures, each 16 numbers in z").wait_for()
    page.get_by_text("Different pictures, nearly the same").wait_for()
    page.locator(".gallery").first.scroll_into_view_if_needed()
    page.wait_for_function(LOADED, arg=5)
    assert page.locator(".js-plotly-plot").count() == 3  # how it came about, spectrum, hubs
    assert "space=z" in page.url


def test_going_on_from_a_neighbour_changes_the_picture_and_the_address(visit):
    page = visit("/collapse?run=small&image=3")
    page.get_by_text("image 3 ·").first.wait_for()
    first = page.locator(".st-key-collapse-go-0 button:visible").first
    first.scroll_into_view_if_needed()
    index = first.inner_text().split()[-1]
    first.click()
    page.wait_for_url(f"**image={index}*")
    page.locator("strong", has_text=f"image {index} ·").first.wait_for()
