"""The temperature explorer in Chromium: it moves, stops, answers to keys and links, and says nothing wrong."""

import time

import numpy as np
import pytest

from simclr_core import similarity as sim
from simclr_core.presets import PRESETS

pytestmark = pytest.mark.browser
ROOT = ".nx[data-ready]"


@pytest.fixture
def explorer(visit):
    """Open the page with motion allowed and wait until the component has drawn; at the end no script may have complained."""
    complaints = []

    def open_(query: str = "", **context):
        page = visit(f"/temperature{query}", **({"reduced_motion": "no-preference"} | context))
        # Streamlit itself asks for files that are not there; that is the network's, not a script's.
        page.on(
            "console",
            lambda m: (
                complaints.append(m.text) if m.type in ("error", "warning") and "Failed to load" not in m.text else None
            ),
        )
        page.wait_for_selector(ROOT)
        return page

    yield open_
    assert complaints == []


def tau(page) -> float:
    return float(page.locator(ROOT).get_attribute("data-tau"))


def wait_tau(page, condition: str, timeout: int = 15_000) -> None:
    """Wait for a condition on t; the component lives in a shadow root, which locators pierce but scripts do not."""
    deadline = time.monotonic() + timeout / 1000
    while not eval(condition, {"t": tau(page)}):
        assert time.monotonic() < deadline, f"tau is {tau(page)}, waited for {condition}"
        page.wait_for_timeout(30)


def wait_url(page, part: str) -> None:
    page.wait_for_function("part => location.search.includes(part)", arg=part, timeout=15_000)


def bar_scale(page, k: int) -> float:
    style = page.locator(".bar .fill").nth(k - 1).get_attribute("style")
    return float(style.split("(")[1].rstrip(")"))


def test_play_moves_tau_and_bars_and_ends_at_a_tenth(explorer):
    page = explorer("?b=hard&r=1")
    before = bar_scale(page, 2)
    page.get_by_role("button", name="Play").click()
    wait_tau(page, "t < 0.45")
    moving = bar_scale(page, 2)
    assert moving > before, "lower τ gives the positive a larger share"
    wait_tau(page, "t == 0.1")
    p = sim.softmax_rows(PRESETS["hard"].similarity, 0.1)[0]
    assert bar_scale(page, 2) == pytest.approx(p[1], abs=1e-5)
    page.get_by_role("button", name="Play").wait_for()
    wait_url(page, "t=0.1")


def test_pause_stops_within_a_frame_and_play_goes_on_from_there(explorer):
    page = explorer()
    page.get_by_role("button", name="Play").click()
    wait_tau(page, "t < 0.45")
    page.get_by_role("button", name="Pause").click()
    stopped = tau(page)
    page.wait_for_timeout(400)
    assert tau(page) == stopped
    assert page.locator(".nx [aria-live]").text_content().startswith("Stopped at tau 0.")
    page.get_by_role("button", name="Play").click()
    wait_tau(page, f"t < {stopped}")
    assert tau(page) > 0.1


def test_reduced_motion_jumps_between_key_stops(explorer):
    page = explorer(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    seen = set()
    deadline = time.monotonic() + 15
    while tau(page) != 0.1 and time.monotonic() < deadline:
        seen.add(tau(page))
        page.wait_for_timeout(40)
    assert seen <= {0.5, 0.3, 0.2, 0.15}
    assert tau(page) == 0.1


def test_slider_keys_walk_the_stops_and_say_the_value(explorer):
    page = explorer("?t=0.2")
    slider = page.locator("input.tau")
    slider.focus()
    for key, expected in [("ArrowLeft", 0.15), ("ArrowLeft", 0.1), ("ArrowRight", 0.15), ("End", 10.0), ("Home", 0.01)]:
        page.keyboard.press(key)
        assert tau(page) == expected
    page.keyboard.press("End")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    assert tau(page) == 0.1
    assert slider.get_attribute("aria-valuetext") == "tau 0.1, p+ 0.9995"
    wait_url(page, "t=0.1")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()


def test_matrix_keys_light_the_twins(explorer):
    page = explorer()
    page.locator('.cell[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    # Down from (1,2) steps over the diagonal to (3,2), then (4,2); right of (4,3) it steps over to (4,5), then (4,6).
    assert (
        page.locator(".cell:focus")
        .get_attribute("aria-label")
        .startswith("Anchor 4, candidate 6, negative: similarity 0.02")
    )
    assert page.locator(".bar.lit .bar-name").inner_text() == "6"
    assert "0.02/0.5" in page.locator(".under-line .term.lit").inner_text()
    page.keyboard.press("Enter")
    wait_url(page, "r=4")


def test_a_cell_a_bar_and_a_term_are_one_thing(explorer):
    page = explorer()
    page.locator(".cell").nth(2).hover()  # row 1, candidate 4
    assert page.locator(".bar.lit .bar-name").inner_text() == "4"
    assert "0.05/0.5" in page.locator(".under-line .term.lit").inner_text()
    page.locator(".bar").nth(4).hover()
    assert "0.02/0.5" in page.locator(".under-line .term.lit").inner_text()
    page.locator(".under-line .term").nth(0).hover()
    assert page.locator(".bar.lit .bar-name").inner_text() == "2 +"
    assert page.locator(".over-line .term.lit").count() == 1, "the positive stands above the line too"
    page.mouse.move(2, 2)
    assert page.locator(".bar.lit").count() == 0
    page.locator(".cell").nth(2).click()
    page.mouse.move(2, 2)
    assert page.locator(".bar.lit .bar-name").inner_text() == "4", "a click keeps it"


def test_touch_keeps_a_cell(explorer):
    page = explorer(has_touch=True, viewport={"width": 375, "height": 800})
    page.locator(".cell").nth(11).tap()  # row 3, candidate 2
    assert "anchor 3" in page.locator(".anchor-name").inner_text()
    assert page.locator(".bar.lit .bar-name").inner_text() == "2"
    wait_url(page, "r=3")


def test_deep_link_opens_what_it_says(explorer):
    page = explorer("?run=small&t=0.2&r=4&b=run&n=5&lang=zh")
    assert tau(page) == 0.2
    assert page.locator('.preset[aria-checked="true"]').get_attribute("data-preset") == "run"
    assert page.locator(".bar").count() == 10
    assert "4" in page.locator(".anchor-name").inner_text()
    assert page.locator(ROOT).get_attribute("lang") == "zh-Hans"


def test_nonsense_in_the_link_is_clamped(explorer):
    page = explorer("?t=-3&r=77&b=%3Cscript%3E&n=x")
    assert tau(page) == 0.01
    assert page.locator('.preset[aria-checked="true"]').get_attribute("data-preset") == "sheet"
    assert "6" in page.locator(".anchor-name").inner_text()


def test_shown_numbers_are_the_cores(explorer):
    page = explorer("?t=0.1&b=hard&r=3")
    preset = PRESETS["hard"]
    rows = sim.nt_xent_rows(preset.similarity, preset.partner, 0.1)
    assert page.locator(".loss-number").inner_text() == f"{rows[2]:.4f}"
    assert page.locator(".total-number").inner_text() == f"{rows.mean():.4f}"
    assert (
        page.locator(".fact .number").nth(1).inner_text()
        == f"{sim.positive_pull(preset.similarity, preset.partner, 0.1)[2]:.3f}"
    )
    page.locator(".tables summary").click()
    shown = [
        float(x)
        for x in page.locator(".tables table").nth(1).locator("tbody tr").nth(2).locator("td").all_inner_texts()
        if x != "–"
    ]
    np.testing.assert_allclose(shown, np.delete(sim.softmax_rows(preset.similarity, 0.1)[2], 2), rtol=1e-4)
    assert page.locator(".badge.wrong").count() == 0


def test_view_survives_a_change_of_language_and_a_page_switch(explorer):
    page = explorer("?run=small")
    page.locator('.preset[data-preset="false"]').click()
    page.locator('.tick[data-tau="0.2"]').click()
    wait_url(page, "t=0.2")
    page.get_by_test_id("stSidebar").get_by_text("中文", exact=True).click()
    page.get_by_role("button", name="播放").wait_for()
    assert tau(page) == 0.2
    page.get_by_test_id("stSidebarNavLink").nth(3).click()
    page.wait_for_url("**/pairs*")
    page.get_by_test_id("stSidebarNavLink").nth(5).click()
    page.wait_for_selector(ROOT)
    assert tau(page) == 0.2
    assert page.locator('.preset[aria-checked="true"]').get_attribute("data-preset") == "false"


def test_typed_temperatures_and_batch_size(explorer):
    page = explorer("?run=small&b=run&n=4")
    field = page.locator(".tau-field")
    for text, expected in [("0,07", 0.07), ("５", 5.0), ("99", 10.0), ("none", 10.0)]:
        field.fill(text)
        field.press("Enter")
        assert tau(page) == expected
    page.locator("input.count").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator(".bar").count() == 12
    assert page.locator("input.count:focus").count() == 1
    wait_url(page, "b=run")


@pytest.mark.parametrize("width", [375, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out(explorer, width, scheme):
    page = explorer("?run=small&b=false&t=0.07", viewport={"width": width, "height": 800}, color_scheme=scheme)
    root = page.locator(ROOT)
    overflow = root.evaluate(
        """root => [...root.querySelectorAll("section, .controls, .fraction, .bar, .chip, .preset, text")]
        .filter(e => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 11).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert overflow == []
    background = root.evaluate(
        "e => getComputedStyle(e).getPropertyValue('--st-background-color').trim().toLowerCase()"
    )
    assert background == {"light": "#ffffff", "dark": "#12181d"}[scheme]
