"""The browser's arithmetic, run by node: the golden work sheet to 1e-9, random matrices against Python."""

import json
from pathlib import Path

import numpy as np

from simclr_core import similarity as sim
from tests import node

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "worksheet.json").read_text())
SWEEP = [0.05, 0.07, 0.1, 0.2, 0.3, 0.5, 1, 2]
BODY = """cases.map(({ s, partner, tau }) => {
  const p = nx.softmaxRows(s, tau)
  return {
    softmax: p,
    loss: nx.lossRows(s, partner, tau),
    total: nx.mean(nx.lossRows(s, partner, tau)),
    pull: s.map((row, i) => nx.anchorLoss(row, i, partner[i], tau)[1] / tau),
    both: nx.lossAndPull(s, partner, tau),
    gradient: p.map((row, i) => nx.gradientRow(row, partner[i], tau)),
    effective_negatives: s.map((row, i) => nx.effectiveNegatives(row, i, partner[i], tau)),
    ceiling: nx.lossCeiling(s.length / 2),
    floor: nx.lossFloor(s.length / 2, tau),
  }
})"""


def ask_node(cases):
    return node.ask_node({"nx": "shared/ntxent.js"}, BODY, cases)


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
        close(answer["both"], [expected["total"], np.mean(np.array(expected["pull"], dtype=float))])


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
