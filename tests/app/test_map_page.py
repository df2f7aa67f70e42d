"""The map page: what it shows, what a choice in the map brings, and how a new map is asked for."""

import base64
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pages.ui import jobs
from pages.ui.components.pointcloud import read_chosen, unpack_bits
from pages.ui.mapview import map_id
from simclr_core.exports import EXPORTS
from simclr_core.rowvalues import ROW_VALUES
from simclr_core.store import JobDir
from tests.app.conftest import N, build_run, html, texts

CLOUD = "map.cloud"
MAP = "small/pca-h"


def bits(rows, n: int = N) -> str:
    mask = np.zeros(n, np.uint8)
    mask[list(rows)] = 1
    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def cloud(at):
    return json.loads(at.get("bidi_component")[0].proto.json)


@pytest.fixture
def chosen(open_page):
    """The page with a selection or a picked point coming from the browser."""

    def chosen_(**state):
        at = open_page("map")
        at.session_state[CLOUD] = state
        return at.run()

    return chosen_


def test_a_saved_map_is_shown_at_once(open_page):
    at = open_page("map")
    assert not at.exception
    assert at.selectbox(key="map").value == "pca-h"
    assert "Trustworthiness 0.900" in texts(at)
    sent = cloud(at)
    assert (sent["map"], sent["dims"], sent["names"]) == (MAP, 2, list("0123456789"))
    assert sent["points"].startswith("api/points/small/pca-h?v=")
    assert "300 points" in sent["finding"]
    assert "have a point's own class" in sent["finding"]


def test_chinese(open_page):
    at = open_page("map", lang="zh")
    assert at.title[0].value == "嵌入空间地图"
    assert "可信度" in cloud(at)["finding"]


def test_a_lasso_brings_a_gallery(chosen):
    at = chosen(selection={"map": MAP, "bits": bits([3, 5, 250])})
    assert not at.exception
    assert "3 of 300 chosen" in texts(at)
    assert html(at).count("<figure>") == 3
    assert "api/thumb/small/250?" in html(at)


def test_a_large_selection_is_paged(chosen):
    at = chosen(selection={"map": MAP, "bits": bits(range(100))})
    assert "100 of 300 chosen" in texts(at)
    assert html(at).count("<figure>") == 48


def test_a_picked_point_shows_its_true_neighbours(chosen):
    from pages.ui import state
    from simclr_core.neighbours import nearest

    at = chosen(picked={"map": MAP, "row": 7})
    assert "Nearest to image 7" in texts(at)
    near = nearest(state.table(state.find_run("small")).h, 10)
    shown = html(at)
    for j, d in zip(near.index[7], near.distance[7], strict=True):
        assert f"api/thumb/small/{j}?" in shown
        assert f"{d:.4f}" in shown
    assert cloud(at)["links"] == {"from": 7, "to": near.index[7].tolist()}


def test_a_choice_in_another_map_does_not_count(chosen):
    at = chosen(selection={"map": "small/other", "bits": bits([1])}, picked={"map": "small/other", "row": 2})
    assert "of 300 chosen" not in texts(at)
    assert cloud(at)["start"] == {"bits": "", "picked": -1}


@pytest.mark.parametrize("row", [-1, N, 10**9, "7", None])
def test_a_nonsense_pick_is_no_pick(row):
    assert read_chosen({"picked": {"map": "m", "row": row}}, "m", N).picked is None


@pytest.mark.parametrize("text", ["", "!!", bits([1], 8), bits([1], 5000)])
def test_bits_that_do_not_fit_choose_nothing(text):
    assert len(unpack_bits(text, N)) == 0


def test_bits_go_round():
    assert unpack_bits(bits([0, 8, 299]), N).tolist() == [0, 8, 299]


def test_the_choice_survives_a_look_at_another_page(chosen):
    at = chosen(selection={"map": MAP, "bits": bits([4, 9])})
    at.switch_page("pairs.py").run()
    at.switch_page("map.py").run()
    assert "2 of 300 chosen" in texts(at)


@pytest.mark.parametrize("name", ROW_VALUES)
def test_colour_by_every_value(open_page, name):
    at = open_page("map")
    at.selectbox(key="map.colour").select(name).run()
    assert not at.exception
    sent = cloud(at)
    assert sent["values"].startswith(f"api/values/small/pca-h/{name}?v=")
    assert sent["valueName"] == ROW_VALUES[name].label.en


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_export_has_a_button(open_page, kind):
    at = open_page("map")
    assert any(b.proto.id.endswith(f"map.export.{kind}") for b in at.get("download_button"))


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_draw_starts_a_job_with_what_was_chosen(open_page, tmp_path, monkeypatch, method):
    build_run(tmp_path / "mine")
    asked = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: asked.append((arguments, path)) or JobDir(path))
    at = open_page("map", run="mine", root=tmp_path)
    at.selectbox(key="map.method").select(method).run()
    at.get("button_group")
    at.number_input(key="map.seed").set_value(5).run()
    at.button(key="map.draw").click().run()
    assert not at.exception
    [(arguments, path)] = asked
    text = " ".join(arguments)
    assert text.startswith(f"map {tmp_path}/mine/embeddings/encoder.npz --method {method} --space h --dims 2 --seed 5")
    assert f"--out {path}/map.parquet --job {path}" in text
    wanted = {"pca": "normalise=true", "tsne": "perplexity=null", "umap": "n_neighbors=null"}[method]
    assert wanted in arguments


def test_a_map_that_is_there_opens_without_a_job(open_page, tmp_path, monkeypatch):
    run = build_run(tmp_path / "mine")
    params = {"normalise": True}
    (run.path / "maps/pca-h").rename(run.path / "maps" / map_id("pca", "h", 2, 0, params))
    monkeypatch.setattr(jobs, "start", lambda *a, **k: pytest.fail("computed again"))
    from simclr_core.tables import load_map, save_map

    path = run.path / "maps" / map_id("pca", "h", 2, 0, params) / "map.parquet"
    save_map(replace(load_map(path), params=params), path)
    at = open_page("map", run="mine", root=tmp_path)
    at.selectbox(key="map.method").select("pca").run()
    at.button(key="map.draw").click().run()
    assert not at.exception
    assert at.selectbox(key="map").value == path.parent.name


@pytest.mark.parametrize("value", [None, True, 3, 0.25, "cosine", (0.2, 1.0), "a=b c"])
def test_a_job_reads_each_setting_as_it_was_chosen(open_page, tmp_path, monkeypatch, value):
    from pages.ui import widgets
    from simclr_core.config import parse_value

    build_run(tmp_path / "mine")
    asked = []
    monkeypatch.setattr(jobs, "start", lambda arguments, path, **_: asked.append(arguments) or JobDir(path))

    @dataclass
    class Params:
        setting: object

    monkeypatch.setattr(widgets, "record", lambda *_, **__: Params(value))
    at = open_page("map", run="mine", root=tmp_path)
    at.button(key="map.draw").click().run()
    assert not at.exception
    name, _, told = asked[0][-1].partition("=")
    assert (name, parse_value(told)) == ("setting", list(value) if isinstance(value, tuple) else value)


def test_a_pair_in_a_maps_parameters_is_known_again(tmp_path):
    from pages.ui.mapview import up_to_date
    from simclr_core.tables import load_map, save_map

    run = build_run(tmp_path / "mine")
    path = run.path / "maps/pca-h/map.parquet"
    save_map(replace(load_map(path), params={"range": (0.2, 1.0), "auto": 7}), path)
    assert up_to_date(run, "pca-h", {"range": (0.2, 1.0), "auto": None})
    assert not up_to_date(run, "pca-h", {"range": (0.2, 0.9), "auto": None})


def test_a_saved_map_of_a_method_that_is_no_more_is_shown(open_page, tmp_path):
    from simclr_core.tables import load_map, save_map

    path = build_run(tmp_path / "mine").path / "maps/pca-h/map.parquet"
    save_map(replace(load_map(path), method="isomap"), path)
    at = open_page("map", run="mine", root=tmp_path)
    assert not at.exception
    assert "isomap" in texts(at)
    assert "isomap" in cloud(at)["finding"]


def test_the_map_says_which_language_it_speaks(open_page):
    assert cloud(open_page("map"))["lang"] == "en"
    assert cloud(open_page("map", lang="zh"))["lang"] == "zh-Hans"


def test_a_run_without_maps_offers_to_draw_one(open_page, tmp_path):
    import shutil

    shutil.rmtree(build_run(tmp_path / "mine").path / "maps")
    at = open_page("map", run="mine", root=tmp_path)
    assert not at.exception
    assert "no map" in at.info[0].value
    assert at.button(key="map.draw")


def test_embeddings_made_anew_with_other_images_say_so(open_page, tmp_path):
    from simclr_core.tables import load_embeddings, save_embeddings

    run = build_run(tmp_path / "mine")
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    save_embeddings(replace(table, index=table.index + 1000), path)
    at = open_page("map", run="mine", root=tmp_path)
    assert not at.exception
    assert "draw the map again" in at.error[0].value


def test_pictures_that_cannot_be_read_are_told_and_the_map_stays(open_page, tmp_path):
    run = build_run(tmp_path / "mine")
    run.write_config(replace(run.config, images=f"folder:{tmp_path}/gone"))
    at = open_page("map", run="mine", root=tmp_path)
    assert not at.exception
    assert cloud(at)["thumbs"] is None
    assert "gone" in texts(at)


def test_names_from_files_are_escaped(open_page, tmp_path):
    from simclr_core.tables import load_embeddings, save_embeddings

    run = build_run(tmp_path / "mine")
    path = run.path / "embeddings/encoder.npz"
    save_embeddings(replace(load_embeddings(path), class_names=("<img src=x onerror=alert(1)>",) * 10), path)
    at = open_page("map", run="mine", root=tmp_path)
    at.session_state[CLOUD] = {"selection": {"map": "mine/pca-h", "bits": bits([1])}}
    at.run()
    assert "<img src=x" not in html(at)
    assert "&lt;img src=x" in html(at)


def test_a_collapsed_encoder_is_told_before_its_pretty_map(open_page, tmp_path):
    from simclr_core.tables import load_embeddings, save_embeddings

    run = build_run(tmp_path / "mine")
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    save_embeddings(replace(table, h=np.ones_like(table.h)), path)
    at = open_page("map", run="mine", root=tmp_path)
    assert not at.exception
    assert "collapsed completely" in at.warning[0].value


def test_a_folder_that_cannot_be_written_is_told(open_page, tmp_path, monkeypatch):
    build_run(tmp_path / "mine")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(jobs, "start", refuse)
    at = open_page("map", run="mine", root=tmp_path)
    at.button(key="map.draw").click().run()
    assert not at.exception
    assert "Permission denied" in at.error[0].value


def test_a_refused_parameter_is_told_when_the_job_has_ended(open_page, tmp_path):
    """The real command in its own process: perplexity 200 does not fit 300 rows."""
    import time

    build_run(tmp_path / "mine")
    at = open_page("map", run="mine", root=tmp_path)
    at.selectbox(key="map.method").select("tsne").run()
    at.checkbox(key="map.tsne.perplexity.auto").uncheck().run()
    at.number_input(key="map.tsne.perplexity").set_value(200.0).run()
    at.button(key="map.draw").click().run()
    deadline = time.monotonic() + 90
    while not at.error and time.monotonic() < deadline:
        time.sleep(1)
        at.run()
    assert not at.exception
    assert "perplexity" in at.error[0].value
    assert "300 rows" in at.error[0].value
