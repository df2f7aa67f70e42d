"""HTTP routes: what they send, what they refuse, and which hosts they answer."""

import struct
from io import BytesIO

import numpy as np
import pytest

from pages.ui import routes, state
from pages.ui.routes import encode_points, encode_thumb, quantise
from simclr_core.records import Map
from tests.app.conftest import N, build_run
from tests.unit.asgi import Client

POINTS = "/api/points/small/pca-h"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("route-runs")
    build_run(root / "small")
    build_run(root / "with space 猫")
    return root


@pytest.fixture
def client(runs, monkeypatch) -> Client:
    from app import app

    monkeypatch.setenv("SIMCLR_RUNS", str(runs))
    return Client(app)


def test_a_thumb_is_a_small_picture_that_the_browser_may_keep(client):
    from PIL import Image

    answer = client.get("/api/thumb/small/3?v=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert Image.open(BytesIO(answer.content)).size == (96, 96)
    assert client.get("/api/thumb/small/3").headers["cache-control"] == "no-cache"


def test_thumb_shows_the_picture_of_that_index(client, runs, monkeypatch):
    run = state.find_run("small")
    pictures = state.pictures(run)
    assert np.array_equal(routes.picture(run, 5), pictures.image[pictures.index == 5][0])


def test_pictures_are_found_by_index_in_any_order(tiny_images, monkeypatch):
    shuffled = tiny_images.take(np.random.default_rng(0).permutation(40))
    monkeypatch.setattr(state, "pictures", lambda run: shuffled)
    for i in (0, 7, 39):
        assert np.array_equal(routes.picture(None, i), tiny_images.image[i])


@pytest.mark.parametrize(
    ("shape", "size"),
    [((8, 8, 3), (96, 96)), ((32, 64, 3), (96, 48)), ((300, 200, 3), (64, 96)), ((96, 1, 3), (1, 96))],
)
def test_a_thumb_keeps_the_aspect(shape, size):
    from PIL import Image

    assert Image.open(BytesIO(encode_thumb(np.zeros(shape, np.uint8), 96))).size == size


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/thumb/small/abc", 400, "whole number"),
        ("/api/thumb/small/-1", 400, "whole number"),
        ("/api/thumb/small/1e3", 400, "whole number"),
        ("/api/thumb/small/" + "9" * 40, 400, "whole number"),
        ("/api/thumb/small/3?size=5000", 400, "one of 48"),
        ("/api/thumb/small/999999", 404, "picture of this run"),
        ("/api/thumb/nowhere/3", 404, "nowhere"),
        ("/api/points/small/nothing", 404, "saved map"),
        ("/api/points/nowhere/pca-h", 404, "nowhere"),
        ("/api/values/small/pca-h/nonsense", 400, "one of agreement"),
        ("/api/values/small/nothing/spread", 404, "saved map"),
    ],
)
def test_bad_addresses_are_answered_with_a_sentence(client, path, status, word):
    answer = client.get(path)
    assert answer.status_code == status
    assert word in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("name", ["../small", "..%2fsmall", "%2e%2e%2f%2e%2e%2fetc", "small%00", "*"])
def test_a_name_never_becomes_a_path(client, name):
    assert client.get(f"/api/thumb/{name}/3").status_code in (400, 404)
    assert client.get(f"/api/points/small/{name}").status_code in (400, 404)


def test_points_carry_index_positions_and_labels(client):
    raw = client.get(POINTS).content
    magic, n, dims, labelled = struct.unpack("<4sIII", raw[:16])
    assert (magic, n, dims, labelled) == (b"PTS1", N, 2, 1)
    assert len(raw) == 16 + N * (4 + 2 * 2 + 2)
    assert np.array_equal(np.frombuffer(raw, "<u4", N, 16), np.arange(N))
    xy = np.frombuffer(raw, "<u2", 2 * N, 16 + 4 * N).reshape(N, 2) / 65535
    m = state.saved_maps(state.find_run("small"))["pca-h"]
    wide = np.ptp(m.xy, axis=0).max()
    assert np.allclose(np.ptp(xy, axis=0), np.ptp(m.xy, axis=0) / wide, atol=1e-4)
    assert np.array_equal(np.frombuffer(raw, "<i2", N, 16 + 8 * N), m.label)


def test_values_are_in_the_order_of_the_points(client):
    found = np.frombuffer(client.get("/api/values/small/pca-h/length").content, "<f4")
    h = state.table(state.find_run("small")).h
    assert np.allclose(found, np.linalg.norm(h, axis=1), rtol=1e-5)


def test_addresses_for_the_page_work_with_any_run_name(client):
    name = "with space 猫"
    run = state.find_run(name)
    for url in (
        routes.thumb_url(run, 4),
        routes.points_url(run, "pca-h"),
        routes.values_url(run, "pca-h", "spread"),
    ):
        answer = client.get("/" + url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_foreign_hosts_and_other_verbs_are_refused(client):
    assert client.get(POINTS, host="evil.example").status_code == 400
    assert client.get(POINTS, method="POST").status_code == 405


def test_one_point_stays_one_point():
    assert len(np.unique(quantise(np.zeros((4, 2), np.float32)), axis=0)) == 1
    assert len(np.unique(quantise(np.array([[0, 0], [1e-12, 0]])), axis=0)) == 1
    assert quantise(np.array([[0.0, 0], [2, 1]])).tolist() == [[0, 16384], [65535, 49151]]


def test_points_without_labels():
    m = Map(
        xy=np.eye(3, dtype=np.float32), index=np.arange(3), label=None, method="pca", space="h", params={}, seed=0,
        seconds=0, trustworthiness=None,
    )  # fmt: skip
    assert struct.unpack("<4sIII", encode_points(m)[:16]) == (b"PTS1", 3, 3, 0)
    assert len(encode_points(m)) == 16 + 3 * (4 + 6)
