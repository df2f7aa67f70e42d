"""The real server and a real browser. Without Chromium the tests are skipped by name, or fail with REQUIRE_BROWSER=1."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.conftest import build_run

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
FIGURE = ".figure[data-ready]"  # what a component of the classroom draws, once it is drawn


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of the server under test: one finished, "small"."""
    root = tmp_path_factory.mktemp("browser-runs")
    build_run(root / "small")
    return root


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(runs: Path, port: int, cwd: Path = ROOT, app: Path = ROOT / "app.py") -> subprocess.Popen:
    """`streamlit run app.py`, healthy when this returns."""
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    log = (runs.parent / f"{runs.name}-server-{port}.log").open("ab")
    environment = os.environ | {"SIMCLR_RUNS": str(runs), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise RuntimeError(f"the server did not start; see {log.name}")


def stop_server(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def server(runs_folder: Path) -> Iterator[str]:
    """Base URL of the running app."""
    port = free_port()
    process = start_server(runs_folder, port)
    yield f"http://127.0.0.1:{port}"
    stop_server(process)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("Chromium is not on the PATH and REQUIRE_BROWSER=1")
        pytest.skip("Chromium is not on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
        yield found
        found.close()


@pytest.fixture
def visit(server: str, browser) -> Iterator[Callable]:
    """Open a path of the app in a fresh context and wait until it has settled: `page = visit("/map?run=small")`.

    At the end the test fails if a page raised an exception or the browser saw a script error.
    """
    contexts, errors = [], []

    def visit_(path: str = "/", **context):
        options = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto(server + path)
        settle(page)
        return page

    yield visit_
    for context in contexts:
        for page in context.pages:
            shown = page.locator('[data-testid="stException"]').all_inner_texts()
            errors.extend(shown)
        context.close()
    assert errors == []


def settle(page, timeout: float = 60_000) -> None:
    """Wait until the first script run is over and something is on the page."""
    page.wait_for_selector('[data-testid="stMain"] [data-testid="stElementContainer"]', timeout=timeout)
    page.wait_for_selector(SETTLED, timeout=timeout)


@pytest.fixture
def moving_page(visit):
    """Open a component's page with motion allowed, drawn when this returns; at the end no script may have complained."""
    complaints = []

    def open_(path: str, **context):
        page = visit(path, **({"reduced_motion": "no-preference"} | context))
        # Streamlit itself asks for files that are not there; that is the network's, not a script's.
        page.on(
            "console",
            lambda m: (
                complaints.append(m.text) if m.type in ("error", "warning") and "Failed to load" not in m.text else None
            ),
        )
        page.wait_for_selector(FIGURE, timeout=60_000)
        return page

    yield open_
    assert complaints == []


def stands(page, name: str) -> float:
    """Where the figure of a page says that it stands: its "tau", "at" or "step"."""
    return float(page.locator(FIGURE).get_attribute(f"data-{name}"))


def wait_until(page, name: str, wanted: float | Callable[[float], bool], seconds: float = 30) -> None:
    """Wait for where the figure stands; it lives in a shadow root, which locators pierce but scripts do not."""
    there = wanted if callable(wanted) else lambda value: value == wanted
    deadline = time.monotonic() + seconds
    while not there(stands(page, name)):
        assert time.monotonic() < deadline, f"{name} is {stands(page, name)}"
        page.wait_for_timeout(30)


def hide(page, hidden: bool) -> None:
    """Put the page behind another tab, or in front again."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true })
          document.dispatchEvent(new Event("visibilitychange"))
        }""",
        hidden,
    )


def sticking_out(page, parts: str, slack: int = 2) -> list[str]:
    """Which parts of the figure reach further right than the figure itself, by more than `slack` pixels."""
    script = """(root, [parts, slack]) => [...root.querySelectorAll(parts)]
      .filter(e => e.getBoundingClientRect().right > root.getBoundingClientRect().right + slack).map(e => e.outerHTML.slice(0, 90))"""
    return page.locator(FIGURE).evaluate(script, [parts, slack])
