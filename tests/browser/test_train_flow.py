"""Training from the page, on the real trainer: start, reload, kill, resume, stop with a result."""

import json
import os
import re
import signal
import time

import pytest

from tests.browser.conftest import settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE = 180_000


def click(page, key: str) -> None:
    page.locator(f".st-key-{key} button").first.click(timeout=PATIENCE)


def test_start_reload_kill_resume_stop(visit, runs_folder):
    page = visit("/train")
    page.locator(".st-key-train-source input").click(timeout=PATIENCE)
    page.get_by_role("option", name="Handwritten digits, 8×8").click()
    page.get_by_text("8×8 pixels").wait_for(timeout=PATIENCE)
    name = page.get_by_label("Name of the new run")
    name.wait_for(timeout=PATIENCE)
    name.fill("flow")
    name.press("Enter")
    settle(page)
    click(page, "train-start")
    page.get_by_text(re.compile(r"about .* left")).wait_for(timeout=PATIENCE)
    page.wait_for_function("location.search.includes('run=flow')", timeout=PATIENCE)

    page.reload()
    settle(page)
    page.get_by_text(re.compile(r"about .* left")).wait_for(timeout=PATIENCE)

    other = visit("/train?run=flow")
    other.get_by_text(re.compile(r"about .* left")).wait_for(timeout=PATIENCE)

    os.kill(json.loads((runs_folder / "flow" / "launch.json").read_text())["pid"], signal.SIGKILL)
    began = time.monotonic()
    page.locator(".st-key-train-flow-resume").wait_for(timeout=PATIENCE)
    told = time.monotonic() - began
    click(page, "train-flow-resume")
    page.get_by_text(re.compile(r"about .* left")).wait_for(timeout=PATIENCE)
    click(page, "train-flow-pause")
    page.locator(".st-key-train-flow-go_on").wait_for(timeout=PATIENCE)
    click(page, "train-flow-stop")
    page.get_by_text("Nearest-neighbour accuracy on held-out images").wait_for(timeout=PATIENCE)
    assert told < 6, f"the death was told after {told:.1f} s; 2 s on an idle machine"


def test_home_shows_the_run_that_was_trained(visit, runs_folder):
    if not (runs_folder / "flow" / "embeddings" / "encoder.npz").exists():
        pytest.skip("needs the run of the test above")
    page = visit("/?run=flow")
    page.get_by_alt_text("map of").first.wait_for(timeout=PATIENCE)
