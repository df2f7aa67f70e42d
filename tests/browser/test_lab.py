"""The collapse lab in Chromium: it trains, stops, goes back, escapes from the point, and shows the core's numbers."""

import time

import numpy as np
import pytest

from pages.ui.components.lab import STEPS
from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS

pytestmark = pytest.mark.browser
ROOT = ".lab[data-ready]"


@pytest.fixture
def lab(moving_page):
    return lambda query="", **context: moving_page(f"/lab{query}", ROOT, **context)


def step(page) -> int:
    return int(page.locator(ROOT).get_attribute("data-step"))


def wait_step(page, condition: str, timeout: int = 20) -> None:
    deadline = time.monotonic() + timeout
    while not eval(condition, {"t": step(page)}):
        assert time.monotonic() < deadline, f"step is {step(page)}, waited for {condition}"
        page.wait_for_timeout(30)


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
    wait_step(page, f"t == {STEPS}", 60)
    assert number(page, "attraction", "mean_cosine") == 1
    assert number(page, "attraction", "loss") < 1e-9
    assert number(page, "negatives", "mean_cosine") < 0.05
    assert number(page, "negatives", "rankme") > 2.9
    assert page.locator(".lab [aria-live]").text_content().startswith(f"Stopped at step {STEPS}.")
    page.wait_for_function("() => location.search.includes('lab.step=600')")


def test_pause_stops_within_a_frame_and_play_goes_on(lab):
    page = lab("?lab.speed=slow")
    page.get_by_role("button", name="Play").click()
    wait_step(page, "t > 2")
    page.get_by_role("button", name="Pause").click()
    stopped = step(page)
    page.wait_for_timeout(400)
    assert step(page) == stopped
    page.get_by_role("button", name="Play").click()
    wait_step(page, f"t > {stopped}")


def test_nothing_runs_while_hidden(lab):
    page = lab("?lab.speed=slow")
    page.get_by_role("button", name="Play").click()
    wait_step(page, "t > 1")
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    hidden = step(page)
    page.wait_for_timeout(500)
    assert step(page) == hidden
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: false, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    wait_step(page, f"t > {hidden}")


def test_without_motion_play_is_a_step_of_fifty(lab):
    page = lab(reduced_motion="reduce")
    button = page.get_by_role("button", name="50 steps")
    for expected in (50, 100):
        button.click()
        wait_step(page, f"t == {expected}")
    page.wait_for_timeout(200)
    assert step(page) == 100


def test_a_nudge_escapes_only_with_negatives(lab):
    page = lab("?lab.start=collapsed&lab.step=40&lab.speed=fast")
    wait_step(page, "t == 40")
    for lane in ("attraction", "negatives"):
        assert number(page, lane, "gradient") == 0
        assert number(page, lane, "mean_cosine") == 1
    page.get_by_role("button", name="Nudge").click()
    wait_step(page, "t > 200")
    page.get_by_role("button", name="Pause").click()
    assert number(page, "attraction", "mean_cosine") == 1
    assert number(page, "negatives", "mean_cosine") < 0.1
    page.wait_for_function("() => location.search.includes('lab.nudge=40')")
    page.reload()
    page.wait_for_selector(ROOT)
    wait_step(page, "t > 200")
    assert number(page, "negatives", "mean_cosine") < 0.1, "the link holds the nudge"


def test_shown_numbers_are_the_cores_of_the_shown_places(lab):
    page = lab("?lab.step=200")
    wait_step(page, "t == 200")
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
    assert step(page) == 1
    slider = page.locator("input.at")
    slider.focus()
    for key, expected in [("ArrowRight", 2), ("End", STEPS), ("ArrowLeft", STEPS - 1), ("Home", 0)]:
        page.keyboard.press(key)
        wait_step(page, f"t == {expected}")
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
    wait_step(page, "t == 90")
    first = page.locator(".sphere .point").nth(60).get_attribute("transform")
    again = lab("?lab.step=90&lab.seed=5&lab.tau=0.2")
    wait_step(again, "t == 90")
    assert again.locator(".sphere .point").nth(60).get_attribute("transform") == first
    again.get_by_text("Onto a line", exact=True).click()
    wait_step(again, "t == 0")
    again.wait_for_function("() => location.search.includes('lab.data=blobs') && !location.search.includes('step')")


def test_a_run_survives_an_answer_and_a_change_of_language(lab):
    page = lab("?lab.step=30")
    wait_step(page, "t == 30")
    page.get_by_text("fall onto one point", exact=False).first.click()
    page.get_by_text("a low loss is not a good representation", exact=False).wait_for()
    assert step(page) == 30
    page.get_by_test_id("stSidebar").get_by_text("中文", exact=True).click()
    page.get_by_role("button", name="播放").wait_for()
    assert step(page) == 30
    assert page.locator(ROOT).get_attribute("lang") == "zh-Hans"


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (800, "dark"), (1280, "light")])
def test_nothing_sticks_out(lab, width, scheme):
    page = lab("?lab.step=50", viewport={"width": width, "height": 800}, color_scheme=scheme)
    overflow = page.locator(ROOT).evaluate(
        """root => [...root.querySelectorAll("section, .dial, .dial *, .meter *, .fact *, .tag")]
        .filter(e => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 2).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert overflow == []
