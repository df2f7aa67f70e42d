"""The work sheet's numbers to 1e-9. The golden values come from 40-digit arithmetic and autograd, not from this program."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy as entropy_of

from simclr_core import similarity as sim
from simclr_core.presets import PRESETS

GOLDEN = json.loads((Path(__file__).parent / "worksheet.json").read_text())
SHEET = np.array(GOLDEN["similarity"], dtype=float)
PARTNER = GOLDEN["partner"]
SWEEP = ["0.05", "0.07", "0.1", "0.2", "0.3", "0.5", "1", "2"]
NAMES = {
    "sheet": "sheet",
    "hard": "hard_negative",
    "false": "false_negative",
    "equal": "all_equal",
    "simplex": "simplex_optimum",
}
PRESET_CASES = [(ours, theirs, tau) for ours, theirs in NAMES.items() for tau in ("0.05", "0.1", "0.5")]


def close(actual, expected, rel=1e-9):
    np.testing.assert_allclose(np.asarray(actual), np.array(expected, dtype=float), rtol=rel, atol=0, strict=False)


@pytest.mark.parametrize("tau", SWEEP)
def test_numerator_and_denominator(tau):
    logits = np.exp(SHEET / float(tau))
    close(logits[range(6), PARTNER], GOLDEN[tau]["numerator"])
    close(np.nansum(logits, axis=1), GOLDEN[tau]["denominator"])


@pytest.mark.parametrize("tau", SWEEP)
def test_softmax_rows(tau):
    p = sim.softmax_rows(SHEET, float(tau))
    off = ~np.eye(6, dtype=bool)
    close(p[off], np.array(GOLDEN[tau]["softmax"], dtype=float)[off])
    close(p[range(6), PARTNER], GOLDEN[tau]["p_positive"])
    assert (np.diag(p) == 0).all()


@pytest.mark.parametrize("tau", SWEEP)
def test_losses(tau):
    rows = sim.nt_xent_rows(SHEET, PARTNER, float(tau))
    close(rows, GOLDEN[tau]["loss"])
    close(rows.reshape(3, 2).mean(axis=1), GOLDEN[tau]["pair"])
    close(rows[::2].mean(), GOLDEN[tau]["one_direction_mean"])
    close(sim.nt_xent_mean(SHEET, PARTNER, float(tau)), GOLDEN[tau]["total"])


@pytest.mark.parametrize("tau", SWEEP)
def test_pull_and_effective_negatives(tau):
    close(sim.positive_pull(SHEET, PARTNER, float(tau)), GOLDEN[tau]["pull"])
    close(sim.effective_negatives(SHEET, PARTNER, float(tau)), GOLDEN[tau]["effective_negatives"])


@pytest.mark.parametrize(("ours", "theirs", "tau"), PRESET_CASES)
def test_presets(ours, theirs, tau):
    preset, expected = PRESETS[ours], GOLDEN["presets"][theirs]
    off = ~np.eye(6, dtype=bool)
    close(preset.similarity[off], np.array(expected["similarity"], dtype=float)[off], rel=0)
    close(sim.nt_xent_rows(preset.similarity, preset.partner, float(tau)), expected[tau]["loss"])
    close(sim.nt_xent_mean(preset.similarity, preset.partner, float(tau)), expected[tau]["total"])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_cosines_of_real_vectors(name):
    s = PRESETS[name].similarity
    assert np.linalg.eigvalsh(s)[0] > -1e-12
    np.testing.assert_array_equal(np.diagonal(s), 1)


def test_the_sheets_least_eigenvalue():
    assert np.linalg.eigvalsh(PRESETS["sheet"].similarity)[0] == pytest.approx(0.0497, abs=5e-5)


STACKED = [
    [1, 0.3, 0.1, 0.8, 0.2, 0],
    [0.3, 1, 0.2, 0.1, 0.7, 0.3],
    [0.1, 0.2, 1, 0, 0.1, 0.9],
    [0.8, 0.1, 0, 1, 0.2, 0.1],
    [0.2, 0.7, 0.1, 0.2, 1, 0.2],
    [0, 0.3, 0.9, 0.1, 0.2, 1],
]
# temperature, mean loss, p of the positive in row 0, mean row entropy, mean exp(entropy): printed to the digits given
STACKED_VALUES = [
    (0.05, 0.0002, 0.9999, 0.0015, 1.00),
    (0.07, 0.0020, 0.9990, 0.0147, 1.02),
    (0.1, 0.0146, 0.9896, 0.0855, 1.09),
    (0.2, 0.1772, 0.8472, 0.6250, 1.92),
    (0.5, 0.7514, 0.4722, 1.4055, 4.09),
    (1.0, 1.1315, 0.3224, 1.5634, 4.78),
    (5.0, 1.5070, 0.2216, 1.6079, 4.99),
]


@pytest.mark.parametrize(("tau", "loss", "p", "entropy", "candidates"), STACKED_VALUES)
def test_stacked_matrix(tau, loss, p, entropy, candidates):
    partner = sim.stacked_partner(3)
    h = entropy_of(sim.softmax_rows(STACKED, tau), axis=1)
    assert sim.nt_xent_mean(STACKED, partner, tau) == pytest.approx(loss, abs=5.1e-5)
    assert sim.softmax_rows(STACKED, tau)[0, 3] == pytest.approx(p, abs=7e-5)
    assert h.mean() == pytest.approx(entropy, abs=5.1e-5)
    assert np.exp(h).mean() == pytest.approx(candidates, abs=0.0051)


WRONG = GOLDEN["wrong_totals"]


@pytest.mark.parametrize("tau", ["0.1", "0.5"])
def test_known_wrong_answers_differ_as_told(tau):
    rows = sim.nt_xent_rows(SHEET, PARTNER, float(tau))
    p = sim.softmax_rows(SHEET, float(tau))[range(6), PARTNER]
    close(rows.sum(), WRONG["summed_not_averaged"][tau], rel=5e-6)
    close(rows.mean() / np.log(10), WRONG["log10"][tau], rel=5e-6)
    close(-np.log(p.mean()), WRONG["minus_log_of_mean_p"][tau], rel=5e-6)
    close(rows[::2].mean(), WRONG["one_direction_rows_1_3_5"][tau], rel=5e-6)
