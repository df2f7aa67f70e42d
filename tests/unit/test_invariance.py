"""What an operation costs: exact where costs add up, and the same views as the stored pairs where a network looks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from simclr_core.checkpoints import load_encoder
from simclr_core.config import AugmentConfig
from simclr_core.invariance import LENGTHS, ablate, ablation_to_json, measure_with, orbits_of, sweep, sweep_to_json
from simclr_core.operations import OPERATIONS, STRENGTHS, uses
from simclr_core.orbits import Orbits
from simclr_core.pipeline import load_for
from simclr_core.progress import Stopped
from simclr_core.tables import load_embeddings, load_pairs
from tests.pair_runs import PAIRED, build_encoded_run

FULL = AugmentConfig(blur_p=0.5)
COST = {
    "crop": 0.2,
    "flip": 0.01,
    "brightness": 0.04,
    "contrast": 0.03,
    "saturation": 0.02,
    "hue": 0.05,
    "grey": 0.1,
    "blur": 0.0,
}
NOISE = np.array([-0.01, 0.0, 0.01])


def additive(config: AugmentConfig) -> dict:
    """An encoder to which every operation adds its own distance, whatever else is done."""
    far = sum(cost for name, cost in COST.items() if uses(config, name)) + NOISE
    return {"h": Orbits(between=2 * far, radius=far, nearest=np.ones(3), other=np.array([1, 0, 0]), apart=1.0)}


def test_where_costs_add_up_alone_and_composed_are_equal():
    found = ablate(FULL, additive)
    assert list(found.alone) == list(found.without) == list(OPERATIONS)
    costs = COST | {"jitter": 0.14}
    for name, cost in costs.items():
        assert found.alone[name]["h"].radius.mean() == pytest.approx(cost)
        for length, factor in zip(LENGTHS, (2, 1), strict=True):
            added = found.adds(name, "h", length)
            assert added.value == pytest.approx(factor * cost)
            assert added.interval.high - added.interval.low < 1e-12, (
                "what pictures share is no doubt about the difference"
            )


def test_what_goes_out_as_json_is_whole():
    said = json.loads(json.dumps(ablation_to_json(ablate(FULL, additive)), allow_nan=False))["h"]
    assert said["whole"]["radius"]["value"] == pytest.approx(sum(COST.values()))
    assert list(said["operations"]) == list(OPERATIONS)
    assert said["operations"]["grey"]["adds"]["between"]["value"] == pytest.approx(0.2)
    assert said["operations"]["grey"]["without"]["radius"]["n"] == 3
    curve = json.loads(json.dumps(sweep_to_json(sweep("hue", additive)), allow_nan=False))["h"]
    assert [point["strength"] for point in curve] == list(STRENGTHS)
    assert [point["radius"]["value"] for point in curve] == pytest.approx([0.0, *[0.05] * 5])


def test_progress_is_told_and_can_stop():
    heard = []
    ablate(FULL, additive, progress=lambda share, _: heard.append(share))
    assert len(heard) == 19
    assert heard[-1] == 1
    with pytest.raises(Stopped):
        sweep("hue", additive, progress=lambda *_: True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build_encoded_run(tmp_path_factory.mktemp("invariance") / "full")


@pytest.fixture(scope="module")
def measure(run):
    return measure_with(load_encoder(run.path), load_for(run.config, "test").sample(PAIRED), views=4)


def test_a_network_is_measured_on_the_views_of_the_stored_pairs(run, measure):
    pairs, table = load_pairs(run.path / "embeddings/pairs.npz"), load_embeddings(run.path / "embeddings/encoder.npz")
    rows = np.searchsorted(table.index, pairs.index)
    stored = orbits_of(replace(table, h=table.h[rows], z=table.z[rows], label=None, index=pairs.index), pairs)
    again = measure(run.config.augment)
    for space in ("h", "z"):
        np.testing.assert_allclose(again[space].between, stored[space].between, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(again[space].ratio, stored[space].ratio, rtol=1e-2)


def test_no_strength_is_no_distance_and_distance_grows(measure):
    found = sweep("brightness", measure)
    assert found[0.0]["h"].between.max() < 1e-9
    assert found[0.0]["z"].radius.max() < 1e-9
    assert 0 < found[0.4]["h"].between.mean() < found[1.0]["h"].between.mean()
