"""The map in a browser with many points: time to show, pan rate, lasso to page, bytes up, hover. Writes results/map.json.

    python benchmarks/bench_map.py [--points 100000] [--dims 2]

The server is the real app on a made-up run (points in ten clusters, no pictures on disk needed: digits). Rates come from
headless Chromium with software WebGL: a real graphics card is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from simclr_core.config import RunConfig  # noqa: E402
from simclr_core.records import EmbeddingTable, Map  # noqa: E402
from simclr_core.store import RunDir  # noqa: E402
from simclr_core.tables import save_embeddings, save_map  # noqa: E402

PORT = 8791
PAN = """async (root) => { const cloud = root.cloud; let frames = 0; const began = performance.now();
while (performance.now() - began < 2000) { cloud.scene.panBy(Math.sin(frames) * 6, 1); cloud.draw();
  await new Promise((done) => requestAnimationFrame(done)); frames++; }
return frames / ((performance.now() - began) / 1000); }"""
HOVER = """async (root) => { const cloud = root.cloud, times = [];
for (let k = 0; k < 60; k++) { const i = (k * 37) % 1797, s = cloud.scene.project(); const began = performance.now();
  cloud.scene.pick(s[3 * i], s[3 * i + 1]); cloud.hover(i); await cloud.card.querySelector("img").decode();
  times.push(performance.now() - began); }
return times.sort((a, b) => a - b)[30]; }"""


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), ""
    )
    return {
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
    }


def make_run(root: Path, n: int, dims: int) -> None:
    """A run with n rows whose pictures are the digits, over and over."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 10, n)
    xy = rng.normal(size=(10, dims))[label] * 6 + rng.normal(size=(n, dims))
    run, index = RunDir(root / "many"), np.arange(n) % 1797
    run.write_config(RunConfig(images="digits").resolved(n))
    names = tuple("0123456789")
    table = EmbeddingTable(
        h=xy.astype(np.float32), z=None, label=label, index=index, class_names=names, spec="digits", split="all"
    )
    save_embeddings(table, run.path / "embeddings/encoder.npz")
    m = Map(
        xy=xy.astype(np.float32), index=index, label=label, method="pca", space="h", params={}, seed=0, seconds=0.0,
        trustworthiness=None,
    )  # fmt: skip
    save_map(m, run.path / "maps/many/map.parquet")


def serve(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(PORT)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | {"SIMCLR_RUNS": str(root)}, stdout=quiet, stderr=quiet)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/_stcore/health", timeout=1)
            return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise SystemExit("the server did not start")


def lasso(page: Any, root: Any) -> float:
    """Seconds from letting go of a large lasso until the page shows how many are chosen."""
    box = page.locator(".over").bounding_box()
    page.click('[data-mode="lasso"]')
    ring = [(0.5 + 0.42 * np.cos(a), 0.5 + 0.42 * np.sin(a)) for a in np.linspace(0, 6.2, 40)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ring]
    page.mouse.move(*points[0])
    page.mouse.down()
    for p in points[1:]:
        page.mouse.move(*p)
    began = time.perf_counter()
    page.mouse.up()
    page.get_by_text("chosen", exact=False).filter(has_text=" of ").first.wait_for()
    return time.perf_counter() - began


def measure(n: int, dims: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        sent: list[int] = []
        page.on("websocket", lambda ws: ws.on("framesent", lambda frame: sent.append(len(frame))))
        shown = []
        for _ in range(3):
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{PORT}/map?run=many")
            page.wait_for_selector('.cloud[data-ready="true"]', timeout=120_000)
            shown.append(time.perf_counter() - began)
        page.wait_for_timeout(1500)
        root = page.locator(".cloud")
        found = {"show_first_s": shown[0], "show_again_s": min(shown[1:]), "pan_with_pictures_fps": root.evaluate(PAN)}
        page.click('[data-do="pictures"]')
        found |= {"pan_fps": root.evaluate(PAN), "hover_to_picture_ms": root.evaluate(HOVER)}
        page.click('[data-do="home"]')
        sent.clear()
        found["lasso_to_page_s"] = lasso(page, root)
        found["bytes_up"] = sum(sent)
        found["chosen"] = root.evaluate("(root) => root.cloud.scene.count")
        browser.close()
    return {"points": n, "dims": dims} | {k: round(v, 3) for k, v in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 3])
    args = parser.parse_args()
    rows = []
    for n in args.points:
        for dims in args.dims:
            with tempfile.TemporaryDirectory() as folder:
                make_run(Path(folder), n, dims)
                server = serve(Path(folder))
                try:
                    rows.append(measure(n, dims))
                finally:
                    server.terminate()
                    server.wait()
            print(rows[-1])
    out = ROOT / "benchmarks" / "results" / "map.json"
    out.write_text(
        json.dumps({"machine": machine(), "browser": "headless Chromium, software WebGL", "rows": rows}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()
