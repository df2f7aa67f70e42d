"""Second start of the app: seconds from opening the address to the bundled run's map on the first page."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
from screenshots import CHROMIUM, app

from benchmarks.machine import write

STARTS = 5
MAP = '[data-testid="stMain"] [role="img"]'


def first_paint(runs: str) -> float:
    """One fresh server and one fresh browser page; the browser itself is warm."""
    with app(runs) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        page.goto(url)
        page.wait_for_selector(MAP, timeout=60_000)
        seconds = time.perf_counter() - began
        browser.close()
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as runs:
        first_paint(runs)  # the first start of all reads files from disk
        seconds = [first_paint(runs) for _ in range(STARTS)]
    write("first_paint", {"seconds": seconds, "median": statistics.median(seconds), "goal": 3.0})


if __name__ == "__main__":
    main()
