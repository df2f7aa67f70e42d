"""Take the README's pictures: `python docs/screenshots.py [FOLDER]` starts the app on the bundled run and photographs every page.

With `--all` it takes every page in light and dark, at 1280 and 800 pixels, in both languages: for looking at, not for the README.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PAGES = sorted({p.stem for p in (ROOT / "pages").glob("*.py")} - {"__init__", "shell"})
README = {  # page → theme and height in pixels
    "map": ("light", 1130),
    "collapse": ("light", 900),
    "pairs": ("light", 900),
    "temperature": ("dark", 900),
    "train": ("light", 900),
    "views": ("light", 1560),
}


@contextmanager
def app(runs: str) -> Iterator[str]:
    """The app on a free port, with an empty folder of runs beside the bundled one."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    server = subprocess.Popen(command, env=os.environ | {"SIMCLR_RUNS": runs}, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def photograph(browser: Browser, url: str, out: Path, *, theme: str, width: int, height: int | None = None) -> None:
    """One page, settled, as a PNG; all of it where no height is given."""
    page = browser.new_page(viewport={"width": width, "height": height or 900}, color_scheme=theme)
    page.goto(url)
    page.wait_for_selector(SETTLED, timeout=120_000)
    page.wait_for_timeout(6000)  # components fetch their points and pictures after the script has ended
    if height is None:
        whole = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": width, "height": min(int(whole) + 20, 6000)})
        page.wait_for_timeout(2500)
    page.screenshot(path=out)
    page.close()


def main() -> None:
    """Take the README's pictures, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--pages", nargs="+", default=PAGES)
    parser.add_argument("--runs", help="folder of runs to show; the bundled run alone by default")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty, app(args.runs or empty) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
        for name in args.pages:
            address = f"{url}/{'' if name == 'home' else name}"
            if not args.all:
                if name in README:
                    theme, height = README[name]
                    photograph(browser, address, args.folder / f"{name}.png", theme=theme, width=1280, height=height)
                continue
            for theme, width, language in (
                ("light", 1280, "en"),
                ("dark", 800, "en"),
                ("dark", 1280, "zh"),
                ("light", 800, "zh"),
            ):
                out = args.folder / f"{name}-{theme}-{width}-{language}.png"
                photograph(browser, f"{address}?lang={language}", out, theme=theme, width=width)
        browser.close()


if __name__ == "__main__":
    main()
