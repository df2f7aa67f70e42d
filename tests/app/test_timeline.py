"""The strip of verdicts over the steps: what it says, its table, and the job that makes it."""

import json

from pages.ui import jobs, timeline
from simclr_core.store import write_atomic
from tests.app.conftest import build_run, metrics_row, texts


def point(step, h, z, accuracy=0.5):
    kinds = {"healthy": "ok", "complete": "fail", "dimensional": "fail"}
    found = {
        s: {"verdict": v, "severity": kinds[v], "failing": [], "warning": [], "metrics": {}}
        for s, v in (("h", h), ("z", z))
    }
    return {"step": step, "knn_accuracy": accuracy, "spaces": found}


POINTS = [
    point(10, "healthy", "healthy", 0.6),
    point(30, "healthy", "complete"),
    point(50, "dimensional", "complete", 0.25),
]


def test_verdicts_turn_into_words_and_a_table(open_page, tmp_path):
    run = build_run(tmp_path / "kept")
    run.append_metrics(metrics_row(55, 60) | {"alarms": ["complete", "z:dimensional"]})
    write_atomic(run.path / timeline.FILE, json.dumps({"points": POINTS}))
    at = open_page("collapse", run="kept", root=tmp_path, part="steps")
    assert not at.exception
    assert "h: Healthy from step 10; Dimensional collapse from step 50." in texts(at).replace("✓ ", "").replace(
        "✕ ", ""
    )
    assert "z: Healthy from step 10; Complete collapse from step 30." in texts(at).replace("✓ ", "").replace("✕ ", "")
    rows = next(d.value for d in at.dataframe if "Verdict on h" in d.value)
    assert list(rows["Step"]) == [10, 20, 30, 40, 50, 55]
    assert list(rows["Verdict on z"])[::2] == ["✓ Healthy", "✕ Complete collapse", "✕ Complete collapse"]
    assert rows["kNN accuracy, live"][1] == 0.4
    assert rows["kNN accuracy at checkpoints"][4] == 0.25
    assert "Complete collapse of z" in rows["Alarms"][5]
    assert "dimensional collapse" in rows["Alarms"][5]


def test_live_looks_alone_are_shown_and_say_what_was_not_measured(open_page):
    at = open_page("collapse", lang="zh", part="steps")
    assert not at.exception
    assert "诊断的演变" in [h.value for h in at.header]
    assert "各步的诊断：未测量" in texts(at)


def test_a_run_from_elsewhere_has_no_timeline(open_page, tmp_path):
    run = build_run(tmp_path / "alone")
    run.metrics_path.unlink()
    at = open_page("collapse", run="alone", root=tmp_path, part="steps")
    assert not at.exception
    assert "How it came about" not in [h.value for h in at.header]


def test_kept_checkpoints_are_diagnosed_by_a_job(open_page, tmp_path, monkeypatch):
    run = build_run(tmp_path / "kept")
    for step in (10, 30, 50):
        with run.new_checkpoint(step) as folder:
            (folder / "model.safetensors").touch()
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path: started.append((arguments, path)))
    at = open_page("collapse", run="kept", root=tmp_path, part="steps")
    assert at.button(key="timeline.make").label == "Diagnose the 3 kept checkpoints"
    at.button(key="timeline.make").click().run()
    assert started == [(["timeline", str(run.path), "--job", str(run.path / "timeline")], run.path / "timeline")]
    write_atomic(run.path / timeline.FILE, json.dumps({"points": POINTS}))
    at = open_page("collapse", run="kept", root=tmp_path, part="steps")
    assert not [b for b in at.button if b.key == "timeline.make"], "it is up to date"


def test_the_strip_marks_by_shape_and_names_its_lanes():
    rows = [metrics_row(10, 50), metrics_row(20, 50) | {"alarms": ["stuck"]}]
    figure = timeline.drawing(POINTS, rows)
    shapes = [tuple(trace.marker.symbol) for trace in figure.data if isinstance(trace.marker.symbol, tuple)]
    assert shapes == [("circle", "circle", "x"), ("circle", "x", "x")]
    assert len(figure.layout.yaxis2.categoryarray) == 3
    empty = timeline.drawing([], [metrics_row(10, 50)])
    assert len(empty.data) == 1
