"""Train: every state of a run, the form, the start, and keeping runs in order."""

import json

import pytest

from pages.ui import jobs, monitor, state, training
from simclr_core.config import ModelConfig, RunConfig, TrainConfig, to_dict
from simclr_core.errors import ConfigError, RunError
from simclr_core.store import RunDir
from tests.app.conftest import build_run, metrics_row


def text(at) -> str:
    return "\n".join(e.value for kind in ("markdown", "caption", "subheader") for e in at.main.get(kind))


def charts(at) -> list[dict]:
    return [json.loads(c.proto.spec) for c in at.get("plotly_chart")]


def training_run(path, *, state="running", embeddings=False, **status) -> RunDir:
    run = build_run(path, embeddings=embeddings, state=state, **({"step": 50, "steps": 100} | status))
    (run.path / monitor.REQUEST).write_text(json.dumps(to_dict(run.config)))
    return run


def test_with_no_run_the_form_is_open_and_the_page_says_what_will_be_listed(open_page):
    at = open_page("train", run=None)
    assert not at.exception
    assert at.button(key="train.start")
    assert "training images" in text(at)


def test_a_running_run_shows_progress_charts_and_obeys(open_page, tmp_path):
    run = training_run(tmp_path / "live")
    with run.locked():
        at = open_page("train", run="live", root=tmp_path)
        assert not at.exception
        assert "Step 50 of 100" in at.get("progress")[0].proto.text
        assert len(charts(at)) == 8
        at.button(key="train.live.pause").click().run()
        assert run.control == "pause"
        run.write_status(state="paused")
        at.run()
        at.button(key="train.live.go_on").click().run()
        assert run.control == "run"
        at.button(key="train.live.stop").click().run()
        assert run.control == "stop"


def test_an_alarm_is_shown_with_its_step_and_a_remedy_and_old_runs_without_the_newer_numbers_still_open(
    open_page, tmp_path
):
    run = training_run(tmp_path / "alarmed")
    run.write_status(alarms={"dimensional": 20, "h:hubs": 40})
    row = {k: v for k, v in metrics_row(60, 100).items() if not k.startswith("effective")}
    run.append_metrics(row)
    with run.locked():
        at = open_page("train", run="alarmed", root=tmp_path)
    assert not at.exception
    said = " ".join(w.value for w in at.warning)
    assert "Dimensional collapse of z" in said
    assert "since step 20" in said
    assert "Held-out images, h" in said
    assert "not measured" in " ".join(m.value for m in at.metric)


def test_the_loss_stands_between_its_reference_lines(open_page, tmp_path):
    run = training_run(tmp_path / "lines", state="done")
    at = open_page("train", run="lines", root=tmp_path)
    loss = charts(at)[0]
    levels = sorted(shape["y0"] for shape in loss["layout"]["shapes"])
    row = metrics_row(50, 50)
    assert levels[0] == pytest.approx(row["loss_floor"])
    assert levels[-1] == pytest.approx(row["loss_ceiling"])
    assert len(levels) == 3
    assert [line["id"] for line in run.info["reference_lines"]] == ["ceiling", "uniform", "floor"]


def test_a_killed_run_is_told_dead_and_can_be_resumed(open_page, tmp_path, monkeypatch):
    run = training_run(tmp_path / "killed")
    at = open_page("train", run="killed", root=tmp_path)
    assert not at.exception
    assert "ended" in at.error[0].value
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: started.append(arguments))
    at.button(key="train.killed.resume").click().run()
    assert started[0][:4] == ["train", "--out", str(run.path), "--resume"]


def test_a_run_that_died_before_its_configuration_begins_again_from_the_request(runs, monkeypatch):
    run = RunDir(runs / "early")
    run.path.mkdir()
    (run.path / monitor.REQUEST).write_text(json.dumps(to_dict(RunConfig(images="digits"))))
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: started.append(arguments))
    monitor.resume(run)
    assert "--resume" not in started[0]
    assert started[0][started[0].index("--images") + 1] == "digits"


def test_a_failed_run_says_why(open_page, tmp_path):
    training_run(tmp_path / "bad", state="failed", message="`loss` must be finite, got nan")
    at = open_page("train", run="bad", root=tmp_path)
    assert at.error[0].value == "`loss` must be finite, got nan"


def test_a_finished_run_shows_its_accuracy_beside_the_untrained(open_page, tmp_path):
    result = {"knn_accuracy": 0.9, "knn_accuracy_untrained": 0.5}
    training_run(tmp_path / "good", state="done", step=100, result=result)
    at = open_page("train", run="good", root=tmp_path)
    assert "**90.0%**" in text(at)
    assert "50.0%" in text(at)
    assert not [b for b in at.button if b.key == "train.good.resume"]


def test_a_run_in_work_is_found_without_a_link(open_page, tmp_path):
    run = training_run(tmp_path / "someone")
    (run.path / jobs.LAUNCH).write_text('{"time": 0, "pid": 1}')
    with run.locked():
        at = open_page("train", run=None, root=tmp_path)
        assert "someone" in [s.value for s in at.subheader]


def test_start_writes_the_request_and_starts_the_trainer(open_page, runs, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: started.append((arguments, path)))
    at = open_page("train", run=None, root=runs)
    at.selectbox(key="train.source").select("digits").run()
    at.number_input(key="train.train.temperature").set_value(0.5)
    at.selectbox(key="train.train.batch_size").select(64)
    at.text_input(key="train.name").set_value("mine")
    at.button(key="train.start").click().run()
    arguments, path = started[0]
    assert path == runs / "mine"
    assert arguments[:5] == ["train", "--images", "digits", "--out", str(path)]
    request = json.loads((path / monitor.REQUEST).read_text())
    assert request["train"]["temperature"] == 0.5
    assert request["train"]["batch_size"] == 64


def test_the_views_are_drawn_by_the_settings(tiny_images):
    from simclr_core.config import AugmentConfig

    still = AugmentConfig(crop_scale=(1.0, 1.0), flip_p=0.0, jitter_p=0.0, grayscale_p=0.0)
    same = training.view_sheet(tiny_images.image[:2], still, 0, None)
    other = training.view_sheet(tiny_images.image[:2], AugmentConfig(), 0, None)
    edge = same.shape[1] // (training.STRIP_VIEWS + 1)
    assert abs(same[:80, :80].astype(int) - same[:80, edge + 1 : edge + 81]).mean() < 3, "a view that changes nothing"
    assert (same != other).any()


def test_what_would_stop_a_run_is_named_before_it_starts(tiny_images, runs, monkeypatch):
    with pytest.raises(ConfigError, match="no negatives"):
        training.check(RunConfig(train=TrainConfig(batch_size=1)), tiny_images)
    with pytest.raises(ConfigError, match="number of training images"):
        training.check(RunConfig(train=TrainConfig(batch_size=64)), tiny_images)
    monkeypatch.setattr(training, "bytes_needed", lambda model: 10**18)
    with pytest.raises(RunError, match="MiB free"):
        training.check(RunConfig(train=TrainConfig(batch_size=8)), tiny_images)


def test_disk_need_counts_the_weights():
    small = training.bytes_needed(ModelConfig())
    assert small > 2 * training.EMBEDDED_ROWS * 4 * 64
    assert training.bytes_needed(ModelConfig(hidden_dim=4096)) > small


# -- keeping order -------------------------------------------------------------------------------------------------------
def test_rename_and_delete(runs):
    build_run(runs / "a", embeddings=False)
    training.rename("a", "b")
    (runs / "pictures" / "kept").mkdir(parents=True)
    with pytest.raises(RunError, match="another run or folder has it"):
        training.rename("b", "pictures")
    assert set(state.available_runs()) - {state.DEMO} == {"b"}
    training.delete("b")
    assert not (runs / "b").exists()


def test_a_run_in_work_and_the_demo_are_left_alone(runs):
    run = training_run(runs / "busy")
    with run.locked(), pytest.raises(RunError, match="stop it first"):
        training.delete("busy")
    with pytest.raises(RunError):
        training.delete("../busy")
    if state.DEMO in state.available_runs():
        with pytest.raises(RunError, match="the demo stays"):
            training.delete(state.DEMO)


def test_delete_asks_first_and_the_page_lets_go(open_page, tmp_path):
    run = build_run(tmp_path / "old", embeddings=False)
    at = open_page("train", run="old", root=tmp_path)
    assert "cannot be undone" in text(at)
    at.button(key="train.delete").click().run()
    assert not at.exception
    assert not run.path.exists()
    assert at.session_state["run"] is None


def test_a_bad_new_name_is_a_sentence(open_page, tmp_path):
    build_run(tmp_path / "old", embeddings=False)
    at = open_page("train", run="old", root=tmp_path)
    at.text_input(key="train.new_name").set_value("../x").run()
    at.button(key="train.rename").click().run()
    assert "`name` must be" in at.error[0].value


def test_the_objective_brings_its_own_parameters_and_only_changed_ones_are_kept(open_page, monkeypatch):
    kept = []
    monkeypatch.setattr(training, "check", lambda config, pictures: kept.append(config.train.objective_params))
    at = open_page("train", run=None)
    at.checkbox(key="train.objective.nt_xent.tile.auto").uncheck().run()
    assert not at.exception
    assert kept[0] == {}
    assert list(kept[-1]) == ["tile"]
    at.selectbox(key="train.objective").select("dcl").run()
    assert not [box for box in at.checkbox if str(box.key).startswith("train.objective.")]
    assert kept[-1] == {}


def test_a_recipe_fills_the_form(open_page):
    at = open_page("train", run=None)
    at.selectbox(key="train.recipe").select("small-batch-dcl").run()
    at.button(key="train.use_recipe").click().run()
    assert not at.exception
    assert at.selectbox(key="train.objective").value == "dcl"
    assert at.selectbox(key="train.backbone").value == "resnet18"
    assert at.selectbox(key="train.train.batch_size").value == 32
    assert at.number_input(key="train.train.epochs").value == 100
    assert "Reported by others" in text(at)
