"""Causes on the collapse page, a cure started from there, and the two runs side by side."""

import json

import numpy as np
import pytest

from pages.ui import cures, jobs, reports
from pages.ui.monitor import REQUEST
from pages.ui.numbertable import short
from simclr_core.config import RunConfig, with_overrides
from simclr_core.objectives import OBJECTIVES
from simclr_core.records import EmbeddingTable
from simclr_core.store import RunDir, read_json, write_atomic
from simclr_core.tables import load_embeddings, save_embeddings
from simclr_core.verdict import diagnose
from tests.app.conftest import N, alone, build_run, texts
from tests.app.test_collapse_page import words
from tests.clouds import nine_clouds


def sick(root, settings=("train.objective=alignment",), name="sick") -> RunDir:
    """A run whose z is one point, made with a spoiled setting."""
    run = build_run(root / name)
    config = with_overrides(RunConfig(images="digits"), settings).resolved(N)
    negatives = OBJECTIVES[config.train.objective].run.negatives
    run.write_config(config, run_id="0123456789ab", images=N, copies=0.0, negatives=negatives)
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    z = nine_clouds(0, N, 16)["point"]
    save_embeddings(
        EmbeddingTable(h=table.h, z=z, label=table.label, index=table.index, spec="digits", split="all"), path
    )
    return run


@pytest.mark.parametrize(
    ("lang", "title", "name"),
    [("en", "Likely causes", "Objective without"), ("zh", "可能的原因", "目标函数没有负样本")],
)
def test_an_ill_run_shows_its_causes_under_the_verdict(open_page, tmp_path, lang, title, name):
    sick(tmp_path)
    at = open_page("collapse", run="sick", root=tmp_path, lang=lang, space="z")
    assert not at.exception
    assert title in [h.value for h in at.header]
    assert f"**1. {name}" in texts(at)
    assert "`train.objective`: alignment → **nt_xent**" in texts(at).replace("\\", "")


def test_causes_of_a_run_from_elsewhere_are_not_measured(open_page, tmp_path):
    alone(tmp_path, nine_clouds(0, 200, 16)["point"])
    at = open_page("collapse", run="alone", root=tmp_path)
    assert not at.exception
    assert "Causes are not measured" in texts(at)


def test_an_ill_run_with_ordinary_settings_says_so(open_page, tmp_path):
    run = sick(tmp_path, settings=())
    run.append_metrics({"step": 5000, "steps": 5000, "loss": 3.0, "temperature": 0.2})
    assert "Nothing in this run's settings" in texts(open_page("collapse", run="sick", root=tmp_path, space="z"))


def test_a_cure_starts_as_a_new_run_with_that_change_alone(open_page, tmp_path, monkeypatch):
    run = sick(tmp_path)
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, threads=None: started.append(arguments))
    at = open_page("collapse", run="sick", root=tmp_path, space="z")
    at.button(key="cures.start.no_negatives").click().run()
    assert not at.exception
    new = RunDir(tmp_path / "cure-sick-1")
    assert started[0][:2] == ["train", "--images"]
    request, before = read_json(new.path / REQUEST), json.loads((run.path / "config.json").read_text())["config"]
    assert request["train"] == before["train"] | {"objective": "nt_xent", "objective_params": {}}
    assert {k: v for k, v in request.items() if k != "train"} == {k: v for k, v in before.items() if k != "train"}
    about = read_json(new.path / cures.CURE_OF)
    assert (about["run"], about["run_id"], about["cause"]) == ("sick", "0123456789ab", "no_negatives")
    assert about["changes"] == {"train.objective": ["alignment", "nt_xent"]}
    assert about["before"]["z"]["verdict"] == "complete"


def test_a_name_that_is_taken_is_a_sentence(open_page, tmp_path, monkeypatch):
    sick(tmp_path)
    monkeypatch.setattr(jobs, "start", lambda *a, **k: pytest.fail("started"))
    at = open_page("collapse", run="sick", root=tmp_path, space="z")
    at.text_input(key="cures.name.no_negatives").set_value("sick").run()
    at.button(key="cures.start.no_negatives").click().run()
    assert any("a new name" in e.value for e in at.error)


def test_a_finished_cure_stands_beside_the_run_it_came_from(open_page, tmp_path):
    run = build_run(tmp_path / "mended", result={"knn_accuracy": 0.625})
    x = nine_clouds(0, N, 32)["point"]
    before = diagnose(EmbeddingTable(h=x, z=None, index=np.arange(N))).spaces["h"]
    about = {
        "run": "gone <b>", "run_id": "1", "cause": "rate_high", "changes": {"train.lr": [5.0, None]}, "knn_accuracy": None,
        "before": {"h": {"verdict": before.verdict, "severity": before.severity, "n": N, "metrics": dict(before.metrics)}},
    }  # fmt: skip
    write_atomic(run.path / cures.CURE_OF, json.dumps(about))
    at = open_page("collapse", run="mended", root=tmp_path)
    assert not at.exception
    assert at.header[0].value == "Likely causes"
    assert "Before and after the cure" in [h.value for h in at.subheader]
    now = diagnose(load_embeddings(run.path / "embeddings/encoder.npz")).spaces["h"]
    line = words(at).split("Before: gone")[1].split("Spread of unit rows")[1][:900]
    assert short(before.metrics["std_ratio"]) in line
    assert short(now.metrics["std_ratio"]) in line
    assert "62.5%" in words(at)
    assert "✕ Complete collapse" in words(at)
    assert "`train.lr`: 5 → **automatic**" in texts(at)
    assert "learning rate too high" in texts(at)
    assert not [b for b in at.button if b.key == "cures.open"], "the run it came from is gone"
    assert "Before and after" not in texts(open_page("collapse", run="mended", root=tmp_path, space="z"))


def test_the_report_can_be_kept_from_the_page(open_page, small_runs):
    at = open_page("collapse", lang="zh")
    assert not at.exception
    assert [b.proto.label for b in at.get("download_button")] == ["报告（HTML）", "数值（JSON）"]
    run = RunDir(small_runs / "small")
    found = diagnose(load_embeddings(run.path / "embeddings/encoder.npz"))
    assert "坍缩诊断报告" in reports.as_file(run, found, "html", "zh").decode()
    assert "Collapse report" in reports.as_file(run, found, "html", "eo").decode()
    assert json.loads(reports.as_file(run, found, "json", "en"))["verdict"] == found.verdict
