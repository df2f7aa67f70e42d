"""Every entry of `ZOO`: valid settings, verdicts that exist, pictures that stay pictures; and the document that tells of them."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from simclr_core.__main__ import main
from simclr_core.records import ImageSet
from simclr_core.sources import load_images
from simclr_core.store import RunDir
from simclr_core.verdict import DIAGNOSES
from simclr_core.zoo import BASE, CIFAR, HEALTHY, STOPPED, ZOO, run_name, summary
from simclr_core.zoo_runs import LEARNERS
from simclr_core.zoo_tables import documented, filled

ENTRIES = ZOO | {CIFAR.pictures: CIFAR}
DOC = Path(__file__).parents[2] / "docs" / "zoo.md"


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_a_valid_run_with_verdicts_that_exist(name):
    entry = ENTRIES[name]
    config = entry.config("demo", seed=3)
    assert config.train.seed == 3
    assert len({s.partition("=")[0] for s in entry.settings}) == len(entry.settings)
    assert set(entry.accepted) <= {*DIAGNOSES, STOPPED}
    assert not (entry.control and entry.accepted)
    assert entry.learner in LEARNERS
    assert all((*entry.label, *entry.help, entry.source))


def test_there_are_failures_to_name_and_healthy_runs_beside_them():
    assert sum(bool(e.accepted) for e in ZOO.values()) >= 10
    assert sum(e.control for e in ENTRIES.values()) == 3
    assert {BASE[0].partition("=")[0], *(f"train.{n}" for n in ("threads", "device"))} <= {
        s.split("=")[0] for s in BASE
    }


@pytest.fixture(scope="module")
def parts() -> dict[tuple[str, str], ImageSet]:
    return {(s, p): load_images(s, split=p).sample(200) for s in ("demo", "emoji") for p in ("train", "test")}


@pytest.mark.parametrize("name", ZOO)
def test_a_change_gives_pictures_of_the_same_kind_and_does_the_same_again(name, parts):
    entry = ZOO[name]
    for split in ("train", "test"):
        before = parts[entry.pictures, split]
        after, again = entry.run(before), entry.run(before)
        assert after.image.dtype == np.uint8
        assert after.image.shape[1:] == before.image.shape[1:]
        assert after.digest == again.digest
        assert after.split == split
        assert {f.name for f in fields(after)} >= {"image", "label"}


def test_what_is_done_to_the_pictures_is_what_it_says(parts):
    pictures = parts["demo", "test"]
    doubled = ZOO["doubled"].run(pictures).image
    np.testing.assert_array_equal(doubled[:100], doubled[100:])
    plain = ZOO["half_grey"].run(pictures).image.reshape(200, -1)
    assert (plain.std(1) == 0).sum() == 100
    background = ZOO["tinted"].run(pictures).image[:, 0, 0]
    assert len(np.unique(background, axis=0)) > 195
    trousers = ZOO["one_class"].run(pictures)
    assert np.unique(trousers.label).tolist() == [pictures.class_names.index("Trouser")]
    assert len(ZOO["short"].run(parts["demo", "train"].sample(150))) == 150


# -- right and wrong -----------------------------------------------------------------------------------------------------
def row(name: str, seed: int, z: str, h: str) -> dict:
    verdicts = {"z": z, "h": h}
    known = {"knn_accuracy": 0.7, "knn_accuracy_untrained": None, "loss": 1.0}
    return {"zoo": name, "seed": seed, "verdicts": verdicts, "right": ENTRIES[name].right(verdicts), **known}


def test_a_failure_is_named_on_its_own_space_and_a_healthy_run_spared_on_both():
    assert ZOO["no_negatives"].right({"z": "complete", "h": HEALTHY})
    assert not ZOO["no_negatives"].right({"z": HEALTHY, "h": "complete"})
    assert ZOO["fashion"].right({"z": "undertrained", "h": HEALTHY})
    assert not ZOO["fashion"].right({"z": HEALTHY, "h": "dimensional"})
    assert ZOO["no_head"].right({"z": HEALTHY, "h": HEALTHY}) is None


def test_the_table_is_written_again_without_a_change():
    rows = [
        row("fashion", 0, HEALTHY, HEALTHY),
        row("no_negatives", 0, "complete", "dimensional"),
        row("no_negatives", 1, HEALTHY, HEALTHY),
        row("no_head", 0, HEALTHY, HEALTHY),
    ]
    result = summary(rows)
    assert {k: result[k] for k in ("failures", "named", "healthy", "spared")} == {
        "failures": 2, "named": 1, "healthy": 1, "spared": 1,
    }  # fmt: skip
    assert result["confusion"]["no_negatives"]["z"] == {"complete": 1, HEALTHY: 1}
    once = documented(DOC.read_text(), result)
    assert documented(once, result) == once
    assert (
        "| `no_negatives` | **complete** 1, healthy 1 | dimensional 1, healthy 1 | 1 of 2 | 0.70 | not measured |"
        in once
    )
    with pytest.raises(ValueError, match="--doc"):
        filled("no markers", "results", "")


def test_the_document_tells_of_the_entries_as_they_are_and_of_the_numbers_beside_it():
    result = json.loads(DOC.with_suffix(".json").read_text())
    assert documented(DOC.read_text(), result) == DOC.read_text()
    for kept in result["runs"]:
        assert kept["right"] == ENTRIES[kept["zoo"]].right(kept["verdicts"])


# -- from end to end -----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_visit_trains_once_judges_again_and_leaves_runs_that_open(tmp_path, capsys):
    doc = tmp_path / "zoo.md"
    doc.write_text(DOC.read_text())
    args = ["zoo", "--out", str(tmp_path / "runs"), "--seeds", "1", "--only", "short", "--doc", str(doc), "--json"]
    assert main(args) == 0
    first = json.loads(capsys.readouterr().out)
    run = RunDir(tmp_path / "runs" / run_name("short"))
    trained = run.latest_checkpoint.stat().st_mtime_ns
    assert run.status()["result"]["zoo"] == "short"
    assert first["confusion"]["short"]["z"] == {first["runs"][0]["verdicts"]["z"]: 1}
    assert load_images(run.config.images, split="train").digest == run.info["data_digest"]
    once = doc.read_text()
    assert main(args) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert (run.latest_checkpoint.stat().st_mtime_ns, doc.read_text()) == (trained, once)
    assert main([*args, "--only", "unknown"]) == 2


@pytest.mark.slow
def test_a_trainer_that_stops_is_told_as_such(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "simclr_core.learner.Learner._update", lambda learner, rate: learner.model.mean.fill_(np.nan).mean()
    )
    assert main(["zoo", "--out", str(tmp_path), "--seeds", "1", "--only", "short", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["verdicts"] == {"h": STOPPED, "z": STOPPED}
    assert "finite" in RunDir(tmp_path / run_name("short")).status()["message"]
