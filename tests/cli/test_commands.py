"""The command line from outside: one JSON object on stdout, logs on stderr, exit codes, and a run that survives being killed."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from simclr_core.__main__ import build_parser, main
from simclr_core.exports import EXPORTS
from simclr_core.maps import MAPS
from simclr_core.probes import PROBES
from simclr_core.sources import SOURCES
from simclr_core.store import RunDir, read_metrics

ROOT = Path(__file__).parents[2]
FAST = ["train.batch_size=32", "train.epochs=2", "train.threads=1", "model.hidden_dim=32", "model.proj_dim=16"]
TRAIN_KEYS = {"run", "steps", "seconds", "images_per_second", "loss", "loss_ceiling", "loss_floor", "knn_accuracy"}
METRICS = {
    "std_ratio", "mean_cosine", "alignment", "uniformity", "w2_uniformity", "rankme", "effective_rank", "participation_ratio",
    "nesum", "alpha", "hubness_skew", "antihub_share", "near_duplicate_share", "intrinsic_dim", "knn_purity", "pair_auc",
    "twin_r_at_1",
}  # fmt: skip


def call(*args: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "simclr_core", *args], cwd=ROOT, capture_output=True, text=True)


def answer(*args: str) -> dict:
    """The JSON of a verb, run in this process: starting another takes longer than most verbs."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*args, "--json"]) == 0
    return json.loads(out.getvalue())


# Steps after which a run of 60 is killed; `make reliability` asks for more of them.
KILLS = np.linspace(1, 57, int(os.environ.get("RELIABILITY_KILLS", "3"))).round().astype(int).tolist()
LONG = [*FAST, "train.epochs=20", "train.checkpoint_every=7"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> str:
    """160 pictures in 4 classes, as an npz with both parts."""
    rng = np.random.default_rng(0)
    label = np.arange(160) % 4
    image = rng.integers(0, 80, (160, 16, 16, 3), dtype=np.uint8)
    image[np.arange(160), :, :, label % 3] += (60 + 40 * (label // 3))[:, None, None].astype(np.uint8)
    path = tmp_path_factory.mktemp("pictures") / "set.npz"
    np.savez(path, train_x=image[:120], train_y=label[:120], test_x=image[120:], test_y=label[120:])
    return f"npz:{path}"


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    done = call("train", "--images", pictures, "--out", str(out), "--json", "--set", *FAST)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result.keys() >= TRAIN_KEYS
    assert result["steps"] == 6
    assert result["loss_ceiling"] == pytest.approx(np.log(63))
    assert [line["id"] for line in RunDir(out).info["reference_lines"]] == ["ceiling", "uniform", "floor"]
    assert 0 <= result["knn_accuracy"] <= 1
    return out


def test_a_finished_run_holds_what_the_pages_read(run):
    files = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    assert files >= {
        "config.json",
        "status.json",
        "metrics.jsonl",
        "checkpoints/latest",
        "embeddings/encoder.npz",
        "embeddings/untrained.npz",
        "embeddings/pairs.npz",
        "embeddings/pairs_untrained.npz",
        "embeddings/report.json",
        "maps/pca-h-2d/map.parquet",
    }
    assert RunDir(run).status()["state"] == "done"


def test_encode_pairs_diagnose_map_probe_inspect(run, pictures, tmp_path):
    emb, pair, drawn = (str(tmp_path / n) for n in ("e.npz", "p.npz", "m.parquet"))
    assert answer("encode", "--encoder", str(run), "--images", pictures, "--split", "test", "--out", emb)["n"] == 40
    assert set(np.load(emb).files) >= {"h", "z", "index", "label"}
    assert answer("pairs", "--encoder", str(run), "--images", pictures, "--views", "4", "--out", pair)["views"] == 4
    assert main(["pairs", "--encoder", str(run), "--images", pictures, "--views", "1", "--out", pair]) == 2
    report = answer("diagnose", emb, "--pairs", pair, "--run", str(run), "--space", "z")
    assert report["causes"] == report["causes_of"]["z"]
    assert bool(report["causes"]) == (report["verdict"] != "healthy")
    assert all({"id", "score", "sentence", "cure"} <= set(cause) for cause in report["causes"])
    assert report.keys() >= {"n", "dim", "verdict", "severity", "findings", "metrics", "spaces"}
    assert report["metrics"].keys() >= METRICS
    assert report["intervals"]["lidar"][0] <= report["metrics"]["lidar"] <= report["intervals"]["lidar"][1]
    assert answer("diagnose", emb, "--no-intervals")["intervals"] == {}
    assert report["dim"] == 16
    assert {"id", "severity", "value", "reference", "sentence"} <= report["findings"][0].keys()
    m = answer("map", emb, "--method", "pca", "--dims", "3", "--out", drawn)
    assert m.keys() >= {"method", "seed", "seconds", "trustworthiness"}
    assert pq.read_table(drawn).column_names == ["index", "x", "y", "z", "label"]
    for kind in EXPORTS:
        answer("map", emb, "--method", "pca", "--out", str(tmp_path / f"out.{kind}"))
        assert (tmp_path / f"out.{kind}").stat().st_size > 0
    for method in ("knn", "linear"):
        probe = answer("probe", "--encoder", str(run), "--images", pictures, "--method", method, "--labels", "0.5")
        assert probe.keys() >= {"accuracy", "method", "labels", "n_train", "n_test", "seed"}
        assert probe["n_train"] == 60
    for method in ("finetune", "supervised"):
        few = ("--method", method, "--labels", "0.5", "--set", "steps=2")
        probe = answer("probe", "--encoder", str(run), "--images", pictures, *few)
        assert (probe["method"], probe["n_train"], probe["n_test"]) == (method, 60, 40)
    pixels = answer("probe", "--encoder", "pixels", "--images", pictures, "--method", "knn")
    untrained = answer("probe", "--encoder", f"untrained:{run}", "--images", pictures, "--method", "knn")
    assert pixels["n_test"] == untrained["n_test"] == 40
    found = answer("inspect", str(run))
    assert found["matched"] == found["total"] > 0
    assert found.keys() >= {"format", "architecture", "stem", "feature_dim", "head", "normalisation", "warnings"}
    assert answer("inspect", str(run), "--images", pictures)["normalisation_fit"].keys() >= {"file", "imagenet"}


def test_the_same_numbers_as_the_pages_read(run, pictures, tmp_path):
    emb = str(tmp_path / "e.npz")
    answer("encode", "--encoder", str(run), "--images", pictures, "--split", "test", "--out", emb)
    ours = answer("diagnose", emb, "--pairs", str(run / "embeddings/pairs.npz"), "--run", str(run))
    stored = json.loads((run / "embeddings/report.json").read_text())
    for name, value in stored["metrics"].items():
        assert ours["metrics"][name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", "--images", "npz:/nowhere.npz", "--out", "OUT"], "nowhere"),
        (["train", "--images", "digits", "--out", "OUT", "--set", "train.temperature=0"], "temperature"),
        (["train", "--images", "digits", "--out", "OUT", "--set", "train.batch_size=1"], "no negatives"),
        (["train", "--images", "digits", "--out", "OUT", "--set", "train.objective=none"], "objective.*nt_xent"),
        (["train", "--images", "digits", "--out", "OUT", "--resume"], "run directory to resume"),
        (["train", "--images", "digits", "--out", "OUT", "--config", "/nowhere.json"], "--config"),
        (["encode", "--encoder", "/nowhere", "--images", "digits", "--out", "OUT"], "encoder"),
        (["diagnose", "/nowhere.npz"], "existing"),
        (["map", "/nowhere.npz", "--out", "OUT.csv"], "existing"),
        (["map", "/nowhere.npz", "--out", "OUT.bmp"], "parquet"),
        (["inspect", "/nowhere"], "encoder"),
        (["probe", "--encoder", "pixels", "--images", "digits", "--method", "magic"], "knn.*supervised"),
        (["probe", "--encoder", "pixels", "--images", "digits", "--set", "k"], "name=value"),
        (["probe", "--encoder", "pixels", "--images", "digits", "--labels", "0"], "label"),
        (["sheet", "--out", "/dev/null/sheet.html"], "path"),
        (["diagnose", 5000 * "a"], "path"),
        (["diagnose", "EMB", "--pairs", "UNEVEN"], "of one width"),
    ],
)
def test_a_bad_input_is_one_sentence_and_exit_2(args, says, tmp_path, capsys):
    z = np.random.default_rng(0).standard_normal((60, 8))
    np.savez(tmp_path / "emb.npz", z=z), np.savez(tmp_path / "uneven.npz", z_a=z, z_b=z[:, :5])
    places = {"OUT": "out", "EMB": "emb.npz", "UNEVEN": "uneven.npz"}
    code = main([re.sub("OUT|EMB|UNEVEN", lambda m: str(tmp_path / places[m[0]]), a) for a in args])
    err = capsys.readouterr().err
    assert code == 2
    assert re.search(says, err)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "option", [["--out", ""], ["--out", "x.npz", "--most", "-3"], ["--out", "x.npz", "--seed", "-1"]]
)
def test_an_option_that_means_nothing_is_refused_before_any_work(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["pairs", "--encoder", "e", "--images", "digits", *option])
    assert ended.value.code == 2
    assert "must be" in capsys.readouterr().err


def test_a_refusal_leaves_a_finished_run_as_it_is(run, pictures):
    for verb in (["train", "--images", pictures], ["prepare", "--encoder", str(run), "--images", pictures]):
        assert main([*verb, "--out", str(run)]) == 2
        assert RunDir(run).status()["state"] == "done"
    assert main(["train", "--out", str(run), "--resume", "--set", "train.epochs=9"]) == 2
    assert RunDir(run).status()["state"] == "done"


def test_a_job_that_is_stopped_still_prints_one_object(tmp_path, monkeypatch, capsys):
    from simclr_core import work

    np.savez(tmp_path / "e.npz", h=np.random.default_rng(0).standard_normal((60, 4)))
    monkeypatch.setattr(work.JobDir, "control", "stop")
    args = ["map", str(tmp_path / "e.npz"), "--method", "pca", "--out", str(tmp_path / "m.parquet"), "--json"]
    assert main([*args, "--job", str(tmp_path / "job")]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": True}


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path, monkeypatch):
    from simclr_core import pipeline

    monkeypatch.setattr(pipeline, "load_for", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["train", "--images", "digits", "--out", str(tmp_path / "r")])
    assert "ZeroDivisionError" in (tmp_path / "r" / "log.txt").read_text()
    assert RunDir(tmp_path / "r").status()["state"] == "failed"


def test_every_verb_explains_itself():
    parser = build_parser()
    verbs = parser._subparsers._group_actions[0].choices
    assert set(verbs) >= {"train", "encode", "pairs", "diagnose", "map", "probe", "inspect", "prepare"}
    assert all(sub.description for sub in verbs.values())
    assert all(name in verbs["map"].format_help() for name in MAPS)
    assert all(name in verbs["probe"].format_help() for name in PROBES)
    assert all(name in verbs["train"].format_help() for name in SOURCES)


def test_help_loads_no_heavy_library():
    heavy = ("torch", "sklearn", "umap", "openTSNE", "pyarrow", "scipy")
    code = f"import sys, simclr_core.__main__; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def test_prepare_makes_a_run_from_an_encoder_file(run, pictures, tmp_path):
    weights = next(run.glob("checkpoints/*/model.safetensors"))
    out = tmp_path / "opened"
    assert answer("prepare", "--encoder", str(weights), "--images", pictures, "--out", str(out))["n"] == 40
    assert (out / "embeddings" / "report.json").exists()
    assert main(["train", "--out", str(out), "--resume"]) == 2  # there is no state to go on from
    assert RunDir(out).status()["state"] == "done"


def test_a_prepared_run_shows_the_pictures_it_was_prepared_with(run, pictures, tmp_path):
    from simclr_core.tables import load_embeddings

    assert RunDir(run).config.images == pictures
    out = tmp_path / "elsewhere"
    answer("prepare", "--encoder", str(run), "--images", "digits", "--out", str(out))
    assert RunDir(out).config.images == "digits"
    assert load_embeddings(out / "embeddings" / "encoder.npz").spec == "digits"


@pytest.fixture(scope="module")
def undisturbed(pictures, tmp_path_factory) -> dict[str, np.ndarray]:
    """Weights at the end of a run that nobody killed."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    answer("train", "--images", pictures, "--out", str(out), "--set", *LONG)
    return load_file(RunDir(out).latest_checkpoint / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("step", KILLS)
def test_killed_at_any_moment_and_resumed_ends_in_the_same_weights(pictures, tmp_path, undisturbed, step):
    broken = tmp_path / "broken"
    args = ["train", "--images", pictures, "--out", str(broken), "--set", *LONG]
    victim = subprocess.Popen([sys.executable, "-m", "simclr_core", *args], cwd=ROOT, stderr=subprocess.DEVNULL)
    metrics = broken / "metrics.jsonl"
    while len(read_metrics(metrics)) < step:
        assert victim.poll() is None
        time.sleep(0.005)
    time.sleep(step % 7 * 0.005)  # not always at the same place within a step
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert RunDir(broken).status()["state"] == "died"
    answer("train", "--out", str(broken), "--resume")
    resumed = load_file(RunDir(broken).latest_checkpoint / "model.safetensors")
    assert all(np.array_equal(undisturbed[k], resumed[k]) for k in undisturbed)
    assert [r["step"] for r in read_metrics(metrics)] == list(range(1, 61))


@pytest.mark.slow
def test_pause_waits_resume_goes_on_and_stop_leaves_a_result(pictures, tmp_path):
    run = RunDir(tmp_path / "run")
    args = ["train", "--images", pictures, "--out", str(run.path), "--json", "--set", *FAST, "train.epochs=3000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "simclr_core", *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def wait_for(state: str) -> None:
        deadline = time.monotonic() + 60
        while run.status().get("state") != state:
            assert time.monotonic() < deadline, run.status()
            time.sleep(0.02)

    wait_for("running")
    while not read_metrics(run.metrics_path):
        time.sleep(0.02)
    assert main(["train", "--out", str(run.path), "--resume"]) == 2  # one trainer a run
    run.ask("pause")
    wait_for("paused")
    step = run.status()["step"]
    time.sleep(0.5)
    assert run.status()["step"] == step
    run.ask("run")
    wait_for("running")
    run.ask("stop")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["steps"] >= step
    assert run.status()["state"] == "stopped"
    assert (run.path / "embeddings" / "report.json").exists()


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint(pictures, tmp_path):
    run = RunDir(tmp_path / "run")
    args = ["train", "--images", pictures, "--out", str(run.path), "--set", *FAST, "train.epochs=3000"]
    process = subprocess.Popen([sys.executable, "-m", "simclr_core", *args], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not read_metrics(run.metrics_path):
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert run.status()["state"] == "stopped"
    assert int(run.latest_checkpoint.name) == run.status()["step"]


def test_sheet_prints_a_page_and_refuses_what_is_none(tmp_path):
    out = tmp_path / "sheet.html"
    result = answer("sheet", "--seed", "7", "--images", "4", "--key", "--lang", "zh", "--out", str(out))
    assert (result["seed"], result["images"], result["key"]) == (7, 4, True)
    assert f"{result['total']:.6g}" in out.read_text()
    assert answer("sheet", "--out", str(out))["total"] == pytest.approx(0.000691956109729442, rel=1e-9)
    done = call("sheet", "--seed", "3", "--temperature", "0.3", "--out", str(out))
    assert done.returncode == 2
    assert "must be one of" in done.stderr
