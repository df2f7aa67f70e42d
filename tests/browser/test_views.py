"""The Views page by hand: an operation switched on, another draw, back, and the pipeline taken to the Train page."""

import numpy as np
import pytest

from simclr_core.sources import load_images
from simclr_core.viewadvice import PIPELINES
from simclr_core.viewsteps import strips
from tests.browser.conftest import FIGURE, hide, settle, stands, sticking_out, wait_until

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


# -- on the way from the picture -----------------------------------------------------------------------------------------
@pytest.fixture
def morph(moving_page):
    return lambda query="views.recipe=simclr&views.seed=3", **context: moving_page(f"/views?{query}", **context)


def distances(page) -> list[str]:
    return page.locator('[data-view="1"] .meter b').all_inner_texts()


def pixels(page, view: int) -> list[int]:
    """What the canvas of a view holds."""
    script = """c => {
      const copy = Object.assign(document.createElement("canvas"), { width: c.width, height: c.height })
      const context = copy.getContext("2d", { willReadFrequently: true })
      context.drawImage(c, 0, 0)
      return Array.from(context.getImageData(0, 0, c.width, c.height).data)
    }"""
    return page.locator(f'[data-view="{view}"] figure canvas').nth(1).evaluate(script)


def test_play_runs_to_the_view_and_stops_within_a_frame(morph):
    page = morph()
    begin = pixels(page, 1)
    assert set(distances(page)) == {"0"}
    page.get_by_role("button", name="Play").click()
    wait_until(page, "at", lambda at: at > 0.5)
    page.get_by_role("button", name="Pause").click()
    stopped = stands(page, "at")
    page.wait_for_timeout(300)
    assert stands(page, "at") == stopped
    page.locator("input.at").press("End")
    assert pixels(page, 1) != begin
    assert "0" not in distances(page)
    page.locator("input.at").press("Home")
    assert pixels(page, 1) == begin


def test_what_is_drawn_at_the_end_is_the_cores_view(morph):
    page = morph()
    page.locator("input.at").press("End")
    images = load_images("emoji", split="test")
    both = strips(images.image[[0, 0]], PIPELINES["simclr"].augment, {}, seed=3)
    for view, strip in enumerate(both, 1):
        drawn = np.reshape(pixels(page, view), (*strip.pixels.shape[1:3], 4))[..., :3]
        assert abs(drawn - strip.pixels[-1].astype(int)).max() <= 1, "rounding"
    moved = page.locator('[data-view="2"] [data-way="pixels"] b').inner_text()
    assert float(moved) == pytest.approx(both[1].moved()["pixels"][-1], abs=5e-4)


def test_nothing_moves_while_hidden_and_motion_that_is_unwelcome_is_a_step(morph):
    page = morph()
    page.get_by_role("button", name="Play").click()
    wait_until(page, "at", lambda at: at > 0.1)
    hide(page, True)
    rested = stands(page, "at")
    page.wait_for_timeout(300)
    assert stands(page, "at") == rested
    hide(page, False)
    wait_until(page, "at", lambda at: at > rested)
    still = morph(reduced_motion="reduce")
    for place in (1, 2):
        still.get_by_role("button", name="Next step").click()
        assert stands(still, "at") == place


def test_the_crop_is_dragged_and_measured_when_let_go(morph):
    page = morph("views.recipe=crop&views.seed=3")
    page.locator("input.at").press("End")
    before, shown = distances(page), pixels(page, 1)
    frame = page.locator('[data-view="1"] .frame').bounding_box()
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2 + 40, frame["y"] + frame["height"] / 2 + 30, steps=4)
    assert pixels(page, 1) != shown, "seen while the hand is down"
    assert set(distances(page)) == {"…"}, "and measured afterwards"
    page.mouse.up()
    page.wait_for_function("location.search.includes('views.hand=crop')")
    page.locator(f'{FIGURE}[data-stale="0"]').wait_for()
    assert "…" not in distances(page)
    assert distances(page) != before
    again = morph(page.evaluate("location.search.slice(1)"))
    again.locator("input.at").press("End")
    assert distances(again) == distances(page)
    page.get_by_role("button", name="As it was drawn").click()
    page.wait_for_function("!location.search.includes('views.hand')")
    page.get_by_role("button", name="As it was drawn").wait_for(state="hidden")
    assert distances(page) == before


def test_crop_and_strength_answer_to_keys(morph):
    page = morph()
    page.locator("input.at").press("End")
    crop = page.locator('[data-view="2"] .overlay')
    crop.focus()
    size = page.locator('[data-view="2"] .frame').get_attribute("width")
    page.keyboard.press("-")
    assert float(page.locator('[data-view="2"] .frame').get_attribute("width")) == float(size) - 1
    page.wait_for_function("location.search.includes('views.hand=')")
    page.locator(f'{FIGURE}[data-stale="0"]').wait_for()
    assert crop.evaluate("e => e.getRootNode().activeElement === e"), "measuring leaves the focus where it is"
    page.locator('[data-view="1"] .beat').filter(has_text="Hue").click()
    strength = page.locator('[data-view="1"] .strength input')
    shown = pixels(page, 1)
    strength.press("ArrowRight")
    assert pixels(page, 1) != shown
    page.wait_for_function("decodeURIComponent(location.search).includes('hue=')")


def test_nothing_sticks_out(morph):
    page = morph("views.recipe=simclr&lang=zh", viewport={"width": 375, "height": 800}, color_scheme="dark")
    assert page.locator(FIGURE).get_attribute("lang") == "zh-Hans"
    for width in (375, 800):
        page.set_viewport_size({"width": width, "height": 800})
        assert sticking_out(page, "section, .dial *, .beat, .meter *") == []
