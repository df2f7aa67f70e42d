"""The browser's arithmetic, run by node: the golden work sheet to 1e-9, random matrices against Python."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from simclr_core import similarity as sim

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "pages" / "ui" / "components" / "shared" / "ntxent.js"
GOLDEN = json.loads((ROOT / "tests" / "golden" / "worksheet.json").read_text())
SWEEP = [0.05, 0.07, 0.1, 0.2, 0.3, 0.5, 1, 2]
NODE = shutil.which("node")

SCRIPT = """
import * as nx from "%s"
let text = ""
for await (const chunk of process.stdin) text += chunk
const answers = JSON.parse(text).map(({ s, partner, tau }) => {
  const p = nx.softmaxRows(s, tau)
  return {
    softmax: p,
    loss: nx.lossRows(s, partner, tau),
    total: nx.lossMean(s, partner, tau),
    pull: nx.pullRows(s, partner, tau),
    gradient: p.map((row, i) => nx.gradientRow(row, partner[i], tau)),
    effective_negatives: s.map((row, i) => nx.effectiveNegatives(row, i, partner[i], tau)),
    ceiling: nx.lossCeiling(s.length / 2),
    floor: nx.lossFloor(s.length / 2, tau),
  }
})
console.log(JSON.stringify(answers))
"""


def ask_node(cases):
    if NODE is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("node is missing: the browser's arithmetic cannot be checked")
        pytest.skip("node is missing: the browser's arithmetic is not checked here")
    # `--input-type=module` and an absolute file URL: the module is the very file that the page inlines.
    command = [NODE, "--input-type=module", "--eval", SCRIPT % MODULE.as_uri()]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def close(actual, expected, rel=1e-9, abs=0.0):
    actual = np.array(actual, dtype=float)
    np.testing.assert_allclose(actual, np.array(expected, dtype=float), rtol=rel, atol=abs)


def test_work_sheet():
    s, partner = GOLDEN["similarity"], GOLDEN["partner"]
    answers = ask_node([{"s": s, "partner": partner, "tau": tau} for tau in SWEEP])
    off = ~np.eye(6, dtype=bool)
    for tau, answer in zip(SWEEP, answers, strict=True):
        expected = GOLDEN[f"{tau:g}"]
        close(np.array(answer["softmax"])[off], np.array(expected["softmax"], dtype=float)[off])
        for name in ("loss", "total", "pull", "effective_negatives"):
            close(answer[name], expected[name])


def test_presets():
    names, taus = GOLDEN["presets"], ("0.05", "0.1", "0.5")
    cases = [(name, tau) for name in names for tau in taus]
    s = {name: GOLDEN["presets"][name]["similarity"] for name in names}
    answers = ask_node([{"s": s[n], "partner": GOLDEN["partner"], "tau": float(tau)} for n, tau in cases])
    for (name, tau), answer in zip(cases, answers, strict=True):
        close(answer["loss"], GOLDEN["presets"][name][tau]["loss"])
        close(answer["total"], GOLDEN["presets"][name][tau]["total"])


def test_agrees_with_python_on_random_batches(rng):
    cases, batches = [], []
    for n, tau in [(1, 0.1), (2, 0.01), (3, 0.001), (4, 0.07), (8, 0.5), (16, 0.1), (16, 10.0)]:
        s, partner = sim.cosine_matrix(rng.standard_normal((2 * n, 5))), sim.interleaved_partner(n)
        batches.append((s, partner, tau))
        cases.append({"s": s.tolist(), "partner": partner.tolist(), "tau": tau})
    for (s, partner, tau), answer in zip(batches, ask_node(cases), strict=True):
        close(answer["softmax"], sim.softmax_rows(s, tau), abs=1e-300)
        close(answer["loss"], sim.nt_xent_rows(s, partner, tau), abs=1e-300)
        close(answer["gradient"], sim.similarity_gradient(s, partner, tau), abs=1e-300)
        close(answer["pull"], sim.positive_pull(s, partner, tau), abs=1e-300)
        close(answer["effective_negatives"], sim.effective_negatives(s, partner, tau))
        close(answer["ceiling"], sim.loss_ceiling(len(s) // 2))
        close(answer["floor"], sim.loss_floor(len(s) // 2, tau), abs=1e-300)


def test_nothing_overflows_at_a_thousandth():
    s = [[None, -1, 1, 0], [-1, None, 0, 1], [1, 0, None, -1], [0, 1, -1, None]]
    (answer,) = ask_node([{"s": s, "partner": [1, 0, 3, 2], "tau": 0.001}])
    close(answer["loss"], sim.nt_xent_rows(s, [1, 0, 3, 2], 0.001))
    assert all(np.isfinite(np.array(answer[name], dtype=float)).all() for name in ("softmax", "gradient", "pull"))
