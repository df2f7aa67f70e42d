"""The temperature explorer in Chromium: it moves, stops, answers to keys and links, and says nothing wrong."""

import numpy as np
import pytest

from simclr_core import similarity as sim
from simclr_core.presets import PRESETS
from tests.browser.conftest import FIGURE, hide, stands, sticking_out, wait_until
from tests.geometry import nearest_realisable

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer(moving_page):
    return lambda query="", **context: moving_page(f"/temperature{query}", **context)


def wait_url(page, part: str) -> None:
    page.wait_for_function("part => location.search.includes(part)", arg=part, timeout=15_000)


def total(page) -> float:
    return float(page.locator(".total-number").inner_text())


def cell(page, i: int, k: int):
    """The cell of anchor i and candidate k, counted from 1."""
    row = page.locator('.matrix [role="row"]').nth(i - 1)
    return row.locator('[role="gridcell"]').nth(k - 1)


def drag(page, target, dx: int, dy: int = 0, *, drop: bool = True) -> None:
    box = target.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for part in (0.3, 0.7, 1):
        page.mouse.move(x + part * dx, y + part * dy)
    if drop:
        page.mouse.up()


def count_messages(page) -> None:
    """From now on the page counts what it sends to the server."""
    page.evaluate("""() => {
      const send = WebSocket.prototype.send
      window.sentToServer = 0
      WebSocket.prototype.send = function (...given) { window.sentToServer += 1; return send.apply(this, given) }
    }""")


def sent_count(page) -> int:
    return page.evaluate("window.sentToServer")


def bar_scale(page, k: int) -> float:
    style = page.locator(".bar .first .fill").nth(k - 1).get_attribute("style")
    return float(style.split("(")[1].rstrip(")"))


def test_play_moves_tau_and_bars_and_ends_at_a_tenth(explorer):
    page = explorer("?b=hard&r=1")
    before = bar_scale(page, 2)
    page.get_by_role("button", name="Play").click()
    wait_until(page, "tau", lambda t: t < 0.45)
    moving = bar_scale(page, 2)
    assert moving > before, "lower τ gives the positive a larger share"
    wait_until(page, "tau", 0.1)
    p = sim.softmax_rows(PRESETS["hard"].similarity, 0.1)[0]
    assert bar_scale(page, 2) == pytest.approx(p[1], abs=1e-5)
    page.get_by_role("button", name="Play").wait_for()
    wait_url(page, "t=0.1")


def test_pause_stops_within_a_frame_and_play_goes_on_from_there(explorer):
    page = explorer()
    page.get_by_role("button", name="Play").click()
    wait_until(page, "tau", lambda t: t < 0.45)
    page.get_by_role("button", name="Pause").click()
    stopped = stands(page, "tau")
    page.wait_for_timeout(400)
    assert stands(page, "tau") == stopped
    assert page.locator(".nx [aria-live]").text_content().startswith("Stopped at tau 0.")
    page.locator(FIGURE).evaluate("""root => {
      window.taus = []
      new MutationObserver(() => window.taus.push(Number(root.dataset.tau))).observe(root, { attributeFilter: ["data-tau"] })
    }""")
    page.get_by_role("button", name="Play").click()
    wait_until(page, "tau", lambda t: t < stopped)
    assert max(page.evaluate("window.taus")) <= stopped + 1e-9, (
        "it did not begin again"
    )  # τ is the exponential of its logarithm


def test_with_reduced_motion_play_is_one_step(explorer):
    page = explorer(reduced_motion="reduce")
    play = page.locator(".play")
    assert "Step" in play.inner_text()
    for expected in (0.3, 0.2, 0.15, 0.1, 0.5):
        play.click()
        assert stands(page, "tau") == expected
    page.get_by_role("radio", name="Train from here").click()
    play.click()
    page.wait_for_timeout(200)
    assert stands(page, "at") == 1, "one step of training, and no other follows"


def test_slider_keys_walk_the_stops_and_say_the_value(explorer):
    page = explorer("?t=0.2")
    slider = page.locator(".for-tau input.tau")
    slider.focus()
    for key, expected in [("ArrowLeft", 0.15), ("ArrowLeft", 0.1), ("ArrowRight", 0.15), ("End", 10.0), ("Home", 0.01)]:
        page.keyboard.press(key)
        assert stands(page, "tau") == expected
    page.keyboard.press("End")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    assert stands(page, "tau") == 0.1
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


def test_the_arrow_of_a_force_is_one_with_cell_term_and_bar(explorer):
    page = explorer("?b=hard&t=0.1")
    bar = page.locator(".bar").nth(2)
    thin, thick = arrow_height(bar), 1.2 * arrow_height(bar)
    bar.locator(".force-track.first").hover()
    assert arrow_height(bar) > thick
    assert page.locator(".lit-frame").get_attribute("visibility") == "visible"
    assert "0.85/0.1" in page.locator(".under-line .term.lit").inner_text()
    for twin in (cell(page, 1, 3), page.locator(".under-line .term").nth(1)):
        page.mouse.move(2, 2)
        assert arrow_height(bar) == thin
        twin.hover()
        assert arrow_height(bar) > thick
    page.mouse.move(2, 2)
    page.locator('.cell[tabindex="0"]').focus()
    assert arrow_height(bar) == thin
    page.keyboard.press("ArrowRight")
    assert arrow_height(bar) > thick, "focus on the cell"
    page.locator('.bar[tabindex="0"]').focus()
    page.keyboard.press("ArrowDown")
    assert arrow_height(bar) > thick, "focus on the bar itself"
    assert "0.85/0.1" in page.locator(".under-line .term.lit").inner_text()


def test_a_finger_on_an_arrow_lights_the_others_and_back(explorer):
    page = explorer("?b=hard&t=0.1", has_touch=True)
    bar = page.locator(".bar").nth(2)
    thin = arrow_height(bar)
    bar.locator(".force-track.first").tap()
    assert arrow_height(bar) > 1.2 * thin
    assert page.locator(".lit-frame").get_attribute("visibility") == "visible"
    cell(page, 1, 4).tap()
    assert arrow_height(bar) == thin
    page.locator(".under-line .term").nth(1).tap()
    assert arrow_height(bar) > 1.2 * thin


def arrow_height(bar) -> float:
    return round(bar.locator(".first .force").bounding_box()["height"], 2)


def test_touch_keeps_a_cell(explorer):
    page = explorer(has_touch=True, viewport={"width": 375, "height": 800})
    page.get_by_role("button", name="Next anchor").tap()
    page.get_by_role("button", name="Next anchor").tap()
    page.locator(".row-cell").nth(1).tap()
    assert "anchor 3" in page.locator(".anchor-name").inner_text()
    assert page.locator(".bar.lit .bar-name").inner_text() == "2"
    wait_url(page, "r=3")


# -- dragging ------------------------------------------------------------------------------------------------------------
def test_a_dragged_cell_takes_its_mirror_along_and_is_reported_once(explorer):
    page = explorer()
    count_messages(page)
    before = page.locator('.matrix [role="gridcell"]').nth(2).locator(".cell-s").text_content()
    assert before == "0.10"
    drag(page, cell(page, 1, 3), 60, -60, drop=False)
    assert cell(page, 1, 3).locator(".cell-s").text_content() == "0.85"
    assert cell(page, 3, 1).locator(".cell-s").text_content() == "0.85"
    assert "0.85/0.5" in page.locator(".under-line .term.lit").inner_text()
    page.wait_for_timeout(400)
    assert sent_count(page) == 0, "nothing is sent while the hand is down"
    page.mouse.up()
    wait_url(page, "c=1.3.85")
    assert sent_count(page) == 1
    s = PRESETS["sheet"].similarity.copy()
    s[0, 2] = s[2, 0] = 0.85
    assert total(page) == pytest.approx(sim.nt_xent_mean(s, PRESETS["sheet"].partner, 0.5), abs=5e-5)


def test_keys_change_a_cell_and_stop_at_one(explorer):
    page = explorer()
    page.locator('.cell[tabindex="0"]').focus()
    for key in ("+", "+", "+", "-"):
        page.keyboard.press(key)
    assert cell(page, 1, 2).locator(".cell-s").text_content() == "0.97"
    page.keyboard.press("PageUp")
    assert cell(page, 2, 1).locator(".cell-s").text_content() == "1.00"
    page.keyboard.press("PageDown")
    wait_url(page, "c=1.2.90")
    page.get_by_role("button", name="Undo changes").click()
    assert cell(page, 1, 2).locator(".cell-s").text_content() == "0.95"


def test_a_finger_drags_sideways(explorer):
    page = explorer(has_touch=True, viewport={"width": 375, "height": 800})
    target = page.locator(".row-cell").nth(3)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    x, y = box["x"] + 5, box["y"] + 5
    client = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [(x, y)]),
        ("touchMove", [(x + 40, y)]),
        ("touchMove", [(x + 80, y)]),
        ("touchEnd", []),
    ):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})
    assert target.locator("b").inner_text() == "0.55"


def test_an_impossible_matrix_says_so_and_is_not_trained(explorer):
    page = explorer("?c=1.3.85&m=train")
    assert "−0.387" in page.locator(".under-matrix .badge").inner_text()
    assert page.locator(".play").is_disabled()
    assert page.locator(".problem:visible").count() == 1
    page.get_by_role("button", name="Nearest possible matrix").click()
    s = PRESETS["sheet"].similarity.copy()
    s[0, 2] = s[2, 0] = 0.85
    near = nearest_realisable(s)
    assert total(page) == pytest.approx(sim.nt_xent_mean(near, PRESETS["sheet"].partner, 0.5), abs=5e-5)
    assert "14 cells moved: (1,3) 0.85→0.65" in page.locator(".under-matrix").inner_text()
    assert page.locator(".matrix rect.moved").count() == 28
    wait_url(page, "f=1")
    page.locator(".play").click()
    wait_until(page, "at", lambda k: k >= 3)


# -- playing ---------------------------------------------------------------------------------------------------------------
def test_six_beats_play_step_and_scrub(explorer):
    page = explorer("?m=beats&t=0.1")
    assert stands(page, "at") == 1
    assert page.locator(".beats .later").count() == 5
    page.get_by_role("button", name="One step on").click()
    assert page.locator(".beats .now th").inner_text().endswith("s/τ")
    page.locator(".seek").focus()
    page.keyboard.press("End")
    assert stands(page, "at") == 6
    assert (
        page.locator(".beats .now td").inner_text()
        == f"{sim.nt_xent_rows(PRESETS['sheet'].similarity, PRESETS['sheet'].partner, 0.1)[0]:.7f}"[:9]
    )
    page.locator(".beats td").nth(2).hover()
    assert page.locator(".bar.lit .bar-name").inner_text() == "3"
    page.get_by_role("button", name="Play").click()
    assert stands(page, "at") == 1
    wait_until(page, "at", lambda k: k >= 2)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function("/k=[2-6]/.test(location.search)")


@pytest.mark.parametrize(("speed", "beat", "tau_"), [("slow", 1, 0.39), ("normal", 3, 0.18), ("fast", 6, 0.1)])
def test_each_way_to_play_has_three_speeds(explorer, speed, beat, tau_):
    """On a clock of the test's own: after 2.6 seconds of it."""
    page = explorer(f"?m=beats&s={speed}")
    page.clock.install()
    play, slow = page.locator(".play"), page.get_by_role("combobox", name="Speed")
    play.evaluate("e => e.click()")
    page.clock.run_for(2600)
    assert stands(page, "at") == beat
    assert slow.input_value() == speed
    page.get_by_role("radio", name="Sweep τ").evaluate("e => e.click()")
    play.evaluate("e => e.click()")
    page.clock.run_for(2600)
    assert stands(page, "tau") == pytest.approx(tau_, rel=0.05)


def test_another_speed_holds_at_once_and_in_the_link(explorer):
    page = explorer("?m=train")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("combobox", name="Speed").select_option("fast")
    wait_url(page, "s=fast")
    wait_until(page, "at", lambda k: k >= 10)
    page.get_by_role("button", name="Pause").wait_for()


def test_training_descends_to_the_floor_and_a_link_brings_the_step_back(explorer):
    page = explorer("?m=train&k=50")
    assert total(page) == pytest.approx(0.1816, abs=1e-4)
    assert page.locator(".train-box").is_visible()
    page.locator(".seek").focus()
    page.keyboard.press("Home")
    assert total(page) == pytest.approx(0.5277, abs=1e-4)
    page.wait_for_function("!location.search.includes('k=')")
    count_messages(page)
    page.get_by_role("button", name="Play").click()
    wait_until(page, "at", lambda k: k >= 8)
    playing = sent_count(page)
    page.get_by_role("button", name="Pause").click()
    stopped = stands(page, "at")
    assert total(page) < 0.3
    page.wait_for_timeout(400)
    assert stands(page, "at") == stopped
    wait_url(page, f"k={stopped:.0f}")
    assert (playing, sent_count(page)) == (0, 1), "one message, after the hand was lifted"


def test_nothing_runs_while_the_page_is_hidden(explorer):
    page = explorer()
    page.get_by_role("button", name="Play").click()
    wait_until(page, "tau", lambda t: t < 0.45)
    hide(page, True)
    stopped = stands(page, "tau")
    page.wait_for_timeout(400)
    assert stands(page, "tau") == stopped
    hide(page, False)
    wait_until(page, "tau", lambda t: t < stopped)


def test_two_temperatures_side_by_side(explorer):
    page = explorer("?b=hard&t=0.5")
    assert page.locator(".fraction:visible").count() == 1
    page.get_by_role("button", name="Compare two τ").click()
    wait_url(page, "u=0.1")
    rows = [sim.nt_xent_rows(PRESETS["hard"].similarity, PRESETS["hard"].partner, tau) for tau in (0.5, 0.1)]
    assert page.locator(".loss-number").all_inner_texts() == [f"{r[0]:.4f}" for r in rows]
    assert page.locator(".total-number").inner_text() == "  |  ".join(f"{r.mean():.4f}" for r in rows).replace(
        "  ", " "
    )
    p = sim.softmax_rows(PRESETS["hard"].similarity, 0.1)[0]
    style = page.locator(".bar .second .fill").nth(2).get_attribute("style")
    assert float(style.split("(")[1].rstrip(")")) == pytest.approx(p[2], abs=1e-5)
    page.locator('.for-tau2 .tick[data-tau="1"]').click()
    wait_url(page, "u=1")


# -- questions and own matrices ----------------------------------------------------------------------------------------------
def test_a_prediction_is_told_right_or_wrong_with_the_numbers(explorer):
    page = explorer("?b=hard", reduced_motion="reduce")
    quiz = page.locator(".quiz")
    quiz.get_by_role("button", name="It grows").click()
    said = quiz.get_by_role("status").inner_text()
    assert said.startswith("✗ Not so. τ 0.5: 0.8196 · τ 0.1: 0.006917.")
    assert quiz.locator(".right").inner_text() == "It shrinks"
    assert page.locator('.presets [aria-checked="true"]').get_attribute("data-name") == "sheet"
    quiz.get_by_role("button", name="Next question").click()
    quiz.get_by_role("button", name="It grows").click()
    assert quiz.get_by_role("status").inner_text().startswith("✓ Yes. τ 0.5: 1.237 · τ 0.1: 2.848.")
    wait_url(page, "b=hard")


def test_an_own_matrix_is_checked_used_and_kept(explorer):
    page = explorer()
    page.get_by_text("Bring your own matrix").click()
    field = page.locator(".own textarea")
    field.fill("1 .5\n.4 1")
    page.get_by_role("button", name="Use this matrix").click()
    assert "symmetric" in page.locator(".own .problem").inner_text()
    field.fill("1;0,5;0,1;0,2\n0,5;1;0;0\n0,1;0;1;0,75\n0,2;0;0,75;1")
    page.get_by_role("button", name="Use this matrix").click()
    wait_url(page, "o=5000.1000.2000.0.0.7500")
    assert page.locator(".bar").count() == 4
    page.reload()
    page.wait_for_selector(FIGURE)
    assert cell(page, 3, 4).locator(".cell-s").text_content() == "0.75"
    page.get_by_text("Bring your own matrix").click()
    page.locator(".own input[type=file]").set_input_files(
        {"name": "s.csv", "mimeType": "text/csv", "buffer": b"1,.25\n.25,1\n"}
    )
    wait_url(page, "o=2500")
    assert page.locator(".loss-number").first.inner_text() == "0", "one image has no negatives and so no loss"


def test_deep_link_opens_what_it_says(explorer):
    page = explorer("?run=small&t=0.2&r=4&b=run&n=5&lang=zh")
    assert stands(page, "tau") == 0.2
    assert page.locator('.presets [aria-checked="true"]').get_attribute("data-name") == "run"
    assert page.locator(".bar").count() == 10
    assert "4" in page.locator(".anchor-name").inner_text()
    assert page.locator(FIGURE).get_attribute("lang") == "zh-Hans"


def test_nonsense_in_the_link_is_clamped(explorer):
    page = explorer("?t=-3&r=77&b=%3Cscript%3E&n=x")
    assert stands(page, "tau") == 0.01
    assert page.locator('.presets [aria-checked="true"]').get_attribute("data-name") == "sheet"
    assert "6" in page.locator(".anchor-name").inner_text()


def test_shown_numbers_are_the_cores(explorer):
    page = explorer("?t=0.1&b=hard&r=3")
    preset = PRESETS["hard"]
    rows = sim.nt_xent_rows(preset.similarity, preset.partner, 0.1)
    assert page.locator(".loss-number").first.inner_text() == f"{rows[2]:.4f}"
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
    page.locator('.presets [data-name="false"]').click()
    page.locator('.for-tau .tick[data-tau="0.2"]').click()
    wait_url(page, "t=0.2")
    page.get_by_test_id("stSidebar").get_by_text("中文", exact=True).click()
    page.get_by_role("button", name="播放").wait_for()
    assert stands(page, "tau") == 0.2
    page.get_by_test_id("stSidebarNavLink").nth(3).click()
    page.wait_for_url("**/pairs*")
    page.get_by_test_id("stSidebarNavLink").nth(5).click()
    page.wait_for_selector(FIGURE)
    assert stands(page, "tau") == 0.2
    assert page.locator('.presets [aria-checked="true"]').get_attribute("data-name") == "false"


def test_typed_temperatures_and_batch_size(explorer):
    page = explorer("?run=small&b=run&n=4")
    field = page.locator(".for-tau .tau-field")
    for text, expected in [("0,07", 0.07), ("５", 5.0), ("99", 10.0), ("none", 10.0)]:
        field.fill(text)
        field.press("Enter")
        assert stands(page, "tau") == expected
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
    parts = "section, .controls, .fraction, .bar, .chip, .radio, .plain, .quiz, text"
    assert sticking_out(page, parts, 11) == []
    background = page.locator(FIGURE).evaluate(
        "e => getComputedStyle(e).getPropertyValue('--st-background-color').trim().toLowerCase()"
    )
    assert background == {"light": "#ffffff", "dark": "#12181d"}[scheme]
