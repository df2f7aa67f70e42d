"""The collapse page in a real browser: a deep link, the pictures of its galleries, and going on from a neighbour."""

import pytest
from playwright.sync_api import expect

from tests.pair_runs import build_encoded_run

pytestmark = pytest.mark.browser
LOADED = "(i) => { const all = [...document.querySelectorAll('.gallery img')]; return all.length > i && all.slice(0, i).every((img) => img.complete && img.naturalWidth > 0); }"


def test_a_deep_link_opens_the_space_with_its_pictures(visit):
    page = visit("/collapse?run=small&space=z&collapse.part=pairs")
    page.get_by_text("300 pictures, each 16 numbers in z").wait_for()
    page.get_by_text("Different pictures, nearly the same").wait_for()
    page.locator(".gallery").first.scroll_into_view_if_needed()
    page.wait_for_function(LOADED, arg=5)
    assert "space=z" in page.url


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_on_a_narrow_window_the_checks_fit_beside_all_their_references(visit, lang):
    page = visit(f"/collapse?lang={lang}", viewport={"width": 800, "height": 900})
    table = page.locator(".numbers").first
    expect(table.locator("thead th")).to_have_count(7)
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_a_part_is_reached_by_pointer_and_keyboard_and_survives_a_reload(visit):
    page = visit("/collapse?run=small")
    page.locator(".st-key-collapse-part").get_by_text("Hubs", exact=True).click()
    page.get_by_role("heading", name="Hubs: who is everyone's neighbour").wait_for()
    expect(page.locator(".js-plotly-plot")).to_have_count(1, timeout=30_000)
    page.wait_for_function("location.search.includes('collapse.part=hubs')")
    chosen = page.locator(".st-key-collapse-part button", has_text="Spectrum")
    chosen.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Spectrum: how many directions").wait_for()
    page.wait_for_function("location.search.includes('collapse.part=spectrum')")
    page.reload()
    page.get_by_role("heading", name="Spectrum: how many directions").wait_for()


def test_going_on_from_a_neighbour_changes_the_picture_and_the_address(visit):
    page = visit("/collapse?run=small&collapse.part=near&image=3")
    page.get_by_text("image 3 ·").first.wait_for()
    first = page.locator(".st-key-collapse-go-0 button:visible").first
    first.scroll_into_view_if_needed()
    index = first.inner_text().split()[-1]
    first.click()
    page.wait_for_url(f"**image={index}*")
    page.locator("strong", has_text=f"image {index} ·").first.wait_for()


def test_a_pair_is_chosen_and_its_why_is_shown_until_it_is_closed(visit, runs_folder):
    build_encoded_run(runs_folder / "encoded")
    page = visit("/collapse?run=encoded&collapse.part=pairs")
    ask = page.locator('[class*="st-key-collapse-why-pair"] button:visible').first
    ask.scroll_into_view_if_needed()
    ask.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("How well augmented views tell the two apart").wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('.why img')].every((img) => img.naturalWidth === 224)")
    assert dialog.locator(".why img").count() == 2
    assert "random pairs" in dialog.locator("li").first.inner_text()
    one, other = (page.evaluate(f"new URLSearchParams(location.search).get('{key}')") for key in ("one", "other"))
    shown = dialog.locator(".why figcaption").all_inner_texts()
    assert [text.split()[1] for text in shown] == [one, other]
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.wait_for_function("() => !location.search.includes('one=')")
