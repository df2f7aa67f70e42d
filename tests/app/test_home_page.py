"""Home: never empty, says what is loaded, and lets in encoders and embeddings by checked names and paths only."""

import json

import numpy as np
import pytest

from pages.ui import jobs, loading, overview
from simclr_core.errors import DataError, RunError
from simclr_core.store import JobDir
from simclr_core.tables import load_embeddings
from tests.app.conftest import build_run


def shown(at) -> str:
    return "\n".join(
        e.value for kind in ("markdown", "caption", "text", "subheader", "header") for e in at.main.get(kind)
    )


def test_nothing_loaded_offers_three_ways_in(open_page):
    at = open_page("home", run=None)
    assert not at.exception
    for title in ("Open the demo", "Train on my images", "Load what I have"):
        assert title in shown(at)
    assert at.button(key="home.demo").disabled


def test_a_loaded_run_shows_its_verdict_numbers_and_map(open_page):
    at = open_page("home")
    assert not at.exception
    assert "The embeddings spread over the sphere." in shown(at)
    assert "h: 32, z: 16" in shown(at)
    assert len(at.get("image")) == 3, "the map, the pictures, the way of the data"


def test_the_verdict_speaks_chinese(open_page):
    assert "嵌入在球面上铺开。" in shown(open_page("home", lang="zh"))


def test_a_run_without_report_or_map_says_so(open_page, tmp_path):
    build_run(tmp_path / "bare", embeddings=False)
    at = open_page("home", run="bare", root=tmp_path)
    assert not at.exception
    assert "not measured" in shown(at)


def test_pictures_that_are_gone_are_a_sentence(open_page, tmp_path):
    run = build_run(tmp_path / "moved")
    config = run.info
    config["config"]["images"] = "folder:/nowhere/at/all"
    (run.path / "config.json").write_text(json.dumps(config))
    at = open_page("home", run="moved", root=tmp_path)
    assert not at.exception
    assert "cannot be shown" in shown(at)


def test_a_job_in_work_is_shown_with_a_cancel_button(open_page, tmp_path):
    job = JobDir(tmp_path / "encoder-1")
    with job.locked():
        job.write_status(state="running", progress=0.4, message="encoding")
        (job.path / jobs.LAUNCH).write_text('{"time": 0, "pid": 1}')
        at = open_page("home", run=None, root=tmp_path)
        assert not at.exception
        at.button(key="home.job.encoder-1.cancel").click().run()
        assert job.control == "stop"


@pytest.mark.parametrize(
    ("verdict", "severity", "said"),
    [("healthy", "ok", "Healthy"), ("healthy", "warn", "Healthy, with warnings"), ("complete", "fail", "ollapse")],
)
def test_the_badge_names_the_verdict(verdict, severity, said):
    assert said in overview.verdict_name({"verdict": verdict, "severity": severity})


# -- names, paths, files -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 61, "a\nb", "-rf"])
def test_names_that_are_no_plain_folder_are_refused(runs, name):
    with pytest.raises(RunError, match="`name` must be"):
        loading.new_run_path(name)


def test_a_taken_name_is_refused_and_the_next_free_one_suggested(runs):
    build_run(runs / "run-1", embeddings=False)
    with pytest.raises(RunError, match="another run or folder has it"):
        loading.new_run_path("run-1")
    assert loading.suggested_name("run") == "run-2"


def test_paths_outside_the_allowed_folders_are_refused_also_through_a_link(runs, monkeypatch, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    secret = outside / "secret.npz"
    secret.write_bytes(b"")
    link = runs / "link.npz"
    link.symlink_to(secret)
    for text in (str(secret), str(link), f"{runs}/../{outside.name}/secret.npz"):
        with pytest.raises(DataError, match="inside one of"):
            loading.allowed_path(text)
    monkeypatch.setenv("SIMCLR_ROOTS", str(outside))
    assert loading.allowed_path(str(link)) == secret.resolve()


@pytest.mark.parametrize("text", ["absent.npz", "x" * 5000, "nul\0byte"])
def test_a_missing_path_is_a_sentence(runs, text):
    with pytest.raises(DataError, match="`path` must be"):
        loading.allowed_path(f"{runs}/{text}")


def test_nobodys_home_is_a_sentence(runs):
    with pytest.raises(DataError, match="`path` must be"):
        loading.allowed_path("~nobody-of-this-name/embeddings.npz")


def test_uploaded_embeddings_become_a_run(runs, tmp_path, open_page):
    source = tmp_path / "source.npz"
    np.savez(source, h=np.random.default_rng(0).normal(size=(50, 8)), label=np.arange(50) % 5)
    run = loading.import_embeddings(source.read_bytes(), "mine")
    source.unlink()
    assert load_embeddings(run.path / "embeddings/encoder.npz").h.shape == (50, 8)
    assert run.info["imported"]["rows"] == 50
    at = open_page("home", run="mine", root=runs)
    assert not at.exception
    assert "came without pictures" in shown(at)


def test_a_bad_upload_leaves_nothing_behind(runs):
    with pytest.raises(DataError):
        loading.import_embeddings(b"PK not a zip", "bad")
    assert list(runs.iterdir()) == []


def test_a_pickle_in_an_npy_is_not_opened(runs, tmp_path):
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    data = (tmp_path / "evil.npy").read_bytes()
    (tmp_path / "evil.npy").unlink()
    with pytest.raises(DataError):
        loading.import_embeddings(data, "evil")
    assert list(runs.iterdir()) == []


def test_an_upload_over_the_limit_is_refused_again_on_the_server():
    class Upload:
        size = (loading.UPLOAD_MIB + 1) * 2**20

    with pytest.raises(DataError, match="at most 64 MiB"):
        overview._bounded(Upload())


def test_prepare_starts_a_job_with_checked_arguments(runs, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: started.append((arguments, path)))
    checkpoint = runs / "last.ckpt"
    checkpoint.write_bytes(b"x")
    overview.prepare(str(checkpoint), "digits", "enc")
    arguments = ["prepare", "--encoder", str(checkpoint.resolve()), "--images", "digits", "--out", str(runs / "enc")]
    assert started == [(arguments, runs / "enc")]
