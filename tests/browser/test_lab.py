"""The collapse lab in Chromium: it trains, stops, goes back, escapes from the point, and shows the core's numbers."""

import numpy as np
import pytest

from pages.ui.components.lab import STEPS
from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS
from tests.browser.conftest import FIGURE, hide, stands, sticking_out, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def lab(moving_page):
    return lambda query="", **context: moving_page(f"/lab{query}", **context)


def number(page, lane: str, name: str) -> float:
    box = page.locator(f'[data-lane="{lane}"]')
    text = (
        box.locator({"loss": ".chart-value", "gradient": ".gradient"}[name])
        if name in ("loss", "gradient")
        else box.locator(f'[data-meter="{name}"] b')
    ).inner_text()
    mantissa, _, power = text.replace("−", "-").partition("×10")
    return float(mantissa) * 10 ** int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


def test_play_trains_to_the_end_and_says_so(lab):
    page = lab("?lab.speed=fast")
    assert number(page, "attraction", "loss") > 0.1
    page.get_by_role("button", name="Play").click()
    wait_until(page, "step", STEPS, 60)
    assert number(page, "attraction", "mean_cosine") == 1
    assert number(page, "attraction", "loss") < 1e-9
    assert number(page, "negatives", "mean_cosine") < 0.05
    assert number(page, "negatives", "rankme") > 2.9
    assert page.locator(".lab [aria-live]").text_content().startswith(f"Stopped at step {STEPS}.")
    page.wait_for_function("() => location.search.includes('lab.step=600')")


def test_pause_stops_within_a_frame_and_play_goes_on(lab):
    page = lab("?lab.speed=slow")
    page.get_by_role("button", name="Play").click()
    wait_until(page, "step", lambda t: t > 2)
    page.get_by_role("button", name="Pause").click()
    stopped = stands(page, "step")
    page.wait_for_timeout(400)
    assert stands(page, "step") == stopped
    page.get_by_role("button", name="Play").click()
    wait_until(page, "step", lambda t: t > stopped)


def test_nothing_runs_while_hidden(lab):
    page = lab("?lab.speed=slow")
    page.get_by_role("button", name="Play").click()
    wait_until(page, "step", lambda t: t > 1)
    hide(page, True)
    hidden = stands(page, "step")
    page.wait_for_timeout(500)
    assert stands(page, "step") == hidden
    hide(page, False)
    wait_until(page, "step", lambda t: t > hidden)


def test_without_motion_play_is_a_step_of_fifty(lab):
    page = lab(reduced_motion="reduce")
    button = page.get_by_role("button", name="50 steps")
    for expected in (50, 100):
        button.click()
        wait_until(page, "step", expected)
    page.wait_for_timeout(200)
    assert stands(page, "step") == 100


def test_a_nudge_escapes_only_with_negatives(lab):
    page = lab("?lab.start=collapsed&lab.step=40&lab.speed=fast")
    wait_until(page, "step", 40)
    for lane in ("attraction", "negatives"):
        assert number(page, lane, "gradient") == 0
        assert number(page, lane, "mean_cosine") == 1
    page.get_by_role("button", name="Nudge").click()
    wait_until(page, "step", lambda t: t > 200)
    page.get_by_role("button", name="Pause").click()
    assert number(page, "attraction", "mean_cosine") == 1
    assert number(page, "negatives", "mean_cosine") < 0.1
    page.wait_for_function("() => location.search.includes('lab.nudge=40')")
    page.reload()
    page.wait_for_selector(FIGURE)
    wait_until(page, "step", lambda t: t > 200)
    assert number(page, "negatives", "mean_cosine") < 0.1, "the link holds the nudge"


def test_shown_numbers_are_the_cores_of_the_shown_places(lab):
    page = lab("?lab.step=200")
    wait_until(page, "step", 200)
    page.locator(".tables summary").click()
    rows = page.locator(".tables table").nth(1).locator("tbody tr").all()
    for lane, column in (("attraction", 0), ("negatives", 1)):
        u = np.array([[float(x) for x in row.locator("td").nth(column).inner_text().split()] for row in rows])
        cloud = Cloud(x=u, views=(u[0::2], u[1::2]))
        for name in ("mean_cosine", "rankme", "uniformity", "alignment"):
            assert number(page, lane, name) == pytest.approx(DIAGNOSTICS[name].run(cloud), abs=0.01)


def test_keys_step_go_back_play_and_turn(lab):
    page = lab()
    page.get_by_role("button", name="Step", exact=True).press("Enter")
    assert stands(page, "step") == 1
    slider = page.locator("input.at")
    slider.focus()
    for key, expected in [("ArrowRight", 2), ("End", STEPS), ("ArrowLeft", STEPS - 1), ("Home", 0)]:
        page.keyboard.press(key)
        wait_until(page, "step", expected)
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Space")
    spheres = [page.locator(".sphere .point").nth(at) for at in (0, 48)]
    before = [point.get_attribute("transform") for point in spheres]
    page.locator(".sphere").first.focus()
    page.keyboard.press("ArrowRight")
    assert all(a != b.get_attribute("transform") for a, b in zip(before, spheres, strict=True)), "both turn"


def test_the_same_link_shows_the_same_run_and_another_setting_begins_anew(lab):
    page = lab("?lab.step=90&lab.seed=5&lab.tau=0.2")
    wait_until(page, "step", 90)
    first = page.locator(".sphere .point").nth(60).get_attribute("transform")
    again = lab("?lab.step=90&lab.seed=5&lab.tau=0.2")
    wait_until(again, "step", 90)
    assert again.locator(".sphere .point").nth(60).get_attribute("transform") == first
    again.get_by_text("Onto a line", exact=True).click()
    wait_until(again, "step", 0)
    again.wait_for_function("() => location.search.includes('lab.data=blobs') && !location.search.includes('step')")


def test_a_run_survives_an_answer_and_a_change_of_language(lab):
    page = lab("?lab.step=30")
    wait_until(page, "step", 30)
    page.get_by_text("fall onto one point", exact=False).first.click()
    page.get_by_text("a low loss is not a good representation", exact=False).wait_for()
    assert stands(page, "step") == 30
    page.get_by_test_id("stSidebar").get_by_text("中文", exact=True).click()
    page.get_by_role("button", name="播放").wait_for()
    assert stands(page, "step") == 30
    assert page.locator(FIGURE).get_attribute("lang") == "zh-Hans"


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (800, "dark"), (1280, "light")])
def test_nothing_sticks_out(lab, width, scheme):
    page = lab("?lab.step=50", viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert sticking_out(page, "section, .dial, .dial *, .meter *, .fact *, .tag") == []
