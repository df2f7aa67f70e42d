"""The verbs that tell how far apart views lie: `pairs` and `invariance`."""

import json

import numpy as np
import pytest

from simclr_core.__main__ import main
from simclr_core.means import mean
from simclr_core.pairs import pair_distances
from simclr_core.tables import load_pairs
from tests.pair_runs import HELD_OUT, build_encoded_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return build_encoded_run(tmp_path_factory.mktemp("views") / "full")


@pytest.fixture
def ask(run, capsys):
    """What a verb says of the run's encoder and pictures."""

    def ask_(verb: str, *more: str) -> dict:
        assert main([verb, "--encoder", str(run.path), "--images", run.config.images, "--json", *more]) == 0
        return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    return ask_


def test_pairs_say_how_far_apart_views_lie(ask, tmp_path):
    said = ask("pairs", "--views", "4", "--out", str(tmp_path / "p.npz"))
    assert (said["n"], said["views"]) == (HELD_OUT, 4)
    assert list(said["spaces"]) == ["h", "z"]
    stored = load_pairs(tmp_path / "p.npz")
    z, found = said["spaces"]["z"], pair_distances(*stored.space("z"))
    assert {name: z[name] for name in ("auc", "overlap", "d_prime", "r_at_1", "mrr")} == pytest.approx(found.numbers)
    views = stored.all_views("z").astype(np.float64)
    unit = views / np.linalg.norm(views, axis=2, keepdims=True)
    cosine = np.einsum("npd,nqd->npq", unit, unit)[:, *np.triu_indices(4, 1)].mean(axis=1)
    assert z["between"]["value"] == pytest.approx(mean(1 - cosine).value)
    assert list(z["classes"]) == ["red", "green", "*blue*"]
    assert sum(of["between"]["n"] for of in z["classes"].values()) == HELD_OUT
    assert z["radius"]["interval"][0] < z["radius"]["value"] < z["radius"]["interval"][1]


def test_an_ablation_names_the_operations_of_the_recipe(ask, run):
    said = ask("invariance", "--most", "30")
    assert (said["ask"], said["n"], said["augment"]["jitter_strength"]) == ("ablation", 30, 0.4)
    for space in ("h", "z"):
        operations = said["spaces"][space]["operations"]
        assert next(iter(operations)) == "crop"
        assert "blur" in operations
        assert operations["crop"].keys() == {"alone", "without", "adds"}
    untrained = ask("invariance", "--most", "30", "--encoder", f"untrained:{run.path}")
    assert untrained["spaces"]["z"]["whole"] != said["spaces"]["z"]["whole"]


def test_a_sweep_begins_at_no_distance(ask):
    said = ask("invariance", "--most", "20", "--ask", "sweep", "--operation", "blur")
    assert said["operation"] == "blur"
    points = said["spaces"]["h"]
    assert [point["strength"] for point in points] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert points[0]["radius"]["value"] < 1e-9 < points[-1]["radius"]["value"]


def test_a_readout_scores_what_was_drawn(ask):
    said = ask("invariance", "--most", "30", "--ask", "readout")["spaces"]["h"]
    assert said["flipped"]["chance"] == 0.5
    assert said["flipped"]["n"] == 5
    assert said["brightness"]["measure"] == "r2"


@pytest.mark.parametrize(
    ("more", "says"), [(["--ask", "sweep", "--operation", "fog"], "operation.*crop"), (["--most", "1"], "at least 2")]
)
def test_a_bad_input_is_one_sentence(run, capsys, more, says):
    import re

    assert main(["invariance", "--encoder", str(run.path), "--images", run.config.images, *more]) == 2
    assert re.search(says, capsys.readouterr().err)
