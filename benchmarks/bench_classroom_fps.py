"""Frames a second while the temperature page and the collapse lab play and train; what a drag costs.

    python -m benchmarks.bench_classroom_fps

A headless Chromium draws in software, so these are lower bounds, and other programs on the machine lower them further:
`idle_fps` is what the same page reaches at that moment while nothing moves. `draw_ms` is the page's own work in a frame.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from tests.app.conftest import build_run
from tests.browser.conftest import CHROMIUM, free_port, settle, start_server, stop_server

CASES = {
    "6x6": "/temperature?run=small",
    "32x32": "/temperature?run=small&b=run&n=16",
    "6x6 training": "/temperature?run=small&m=train&t=0.1",
    "32x32 training": "/temperature?run=small&b=run&n=16&m=train",
    "lab": "/lab?run=small",
    "lab fast": "/lab?run=small&lab.speed=fast",
}
REPEATS = 3

# Runs in the page while it plays: timestamps of frames, and how long the callbacks that other code asked for took.
PROBE = """
() => new Promise(resolve => {
  const ask = window.requestAnimationFrame.bind(window)
  const work = [], times = []
  window.requestAnimationFrame = (f) => ask((now) => {
    const start = performance.now()
    f(now)
    work.push(performance.now() - start)
  })
  const tick = (now) => { times.push(now); now - times[0] < 2400 ? ask(tick) : done() }
  const done = () => { window.requestAnimationFrame = ask; resolve({ times, work }) }
  ask(tick)
})
"""

# Drags the cell of anchor 1 and candidate 4 through a hundred places; how long each move kept the page busy.
DRAG = """
() => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)
  const cell = roots.map((root) => root.querySelectorAll(".matrix .cell")[2]).find(Boolean)
  cell.setPointerCapture = () => {}
  const send = (type, x) => cell.dispatchEvent(new PointerEvent(type, { clientX: x, pointerId: 1, pointerType: "mouse" }))
  const times = []
  send("pointerdown", 0)
  for (let k = 0; k < 100; k++) {
    const start = performance.now()
    send("pointermove", 60 * Math.sin(k / 8) - 30)
    times.push(performance.now() - start)
  }
  send("pointerup", 0)
  return times
}
"""


def gaps_of(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def measure(page: Any) -> dict[str, float]:
    """Count once at rest and once while it plays from the start."""
    still = gaps_of(page.evaluate(PROBE)["times"])
    play = page.locator(".figure .play")
    play.click()
    found = page.evaluate(PROBE)
    gaps = gaps_of(found["times"])
    goes_on = "/lab" in page.url or "m=train" in page.url  # the others end by themselves
    if goes_on and play.get_attribute("aria-pressed") == "true":
        play.click()
    page.locator(".figure .play[aria-pressed=false]").wait_for()
    return {
        "fps": round(1000 * len(gaps) / sum(gaps), 1),
        "idle_fps": round(1000 * len(still) / sum(still), 1),
        "frame_ms_p95": round(percentile(gaps, 0.95), 1),
        "draw_ms_median": round(percentile(found["work"], 0.5), 2),
        "draw_ms_p95": round(percentile(found["work"], 0.95), 2),
        "draws": len(found["work"]),
    }


def measured(page: Any) -> list[dict[str, float]]:
    """A page that has settled: its frames, several times, and its drags where it has a matrix."""
    page.wait_for_selector(".figure[data-ready]")
    page.wait_for_timeout(1000)
    rows = []
    for _ in range(REPEATS):
        if "/lab" in page.url:
            page.locator(".figure .reset").click()
        rows.append(measure(page))
    if "/lab" in page.url:
        return rows
    moves = page.evaluate(DRAG)
    return [
        *rows,
        {"drag_ms_median": round(percentile(moves, 0.5), 2), "drag_ms_p95": round(percentile(moves, 0.95), 2)},
    ]


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        runs = Path(folder) / "runs"
        build_run(runs / "small")
        port = free_port()
        server = start_server(runs, port)
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        result: dict[str, Any] = {"browser": f"Chromium {browser.version}, headless, software rendering"}
        try:
            for name, path in CASES.items():
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"http://127.0.0.1:{port}{path}")
                settle(page)
                result[name] = measured(page)
                page.close()
        finally:
            browser.close()
            stop_server(server)
    write("classroom_fps", result)


if __name__ == "__main__":
    main()
