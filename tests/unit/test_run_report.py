"""The report on a run: its numbers are the diagnosis', nothing outside is requested, nothing unescaped, and it makes the run again."""

import base64
import json
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from simclr_core.__main__ import build_parser, main
from simclr_core.config import RunConfig, run_id, with_overrides
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.pairs import pair_distances
from simclr_core.records import EmbeddingTable
from simclr_core.report_html import number, render
from simclr_core.run_report import command_line, data_uri, diagnose_run, report_on
from simclr_core.store import RunDir, write_atomic
from simclr_core.tables import load_embeddings, load_pairs, save_embeddings
from simclr_core.verdict import report_to_json
from tests.app.conftest import N, build_run
from tests.pair_runs import build_encoded_run


class Page(HTMLParser):
    """Every tag with its attributes, and the text of each cell by the row's id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.rows, self.text, self._open = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append({"id": None, "cells": []})
        if tag in ("td", "th") and self.rows:
            self.rows[-1]["cells"].append("")
            self._open = True
        if tag == "b" and dict(attrs).get("id"):
            self.rows[-1]["id"] = dict(attrs)["id"]

    def handle_data(self, data):
        self.text.append(data)
        if self._open:
            self.rows[-1]["cells"][-1] += data

    def handle_endtag(self, tag):
        self._open = self._open and tag not in ("td", "th")

    def row(self, id):
        return next(row["cells"] for row in self.rows if row["id"] == id)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDir:
    return build_run(tmp_path_factory.mktemp("report") / "small")


@pytest.fixture(scope="module")
def report(run):
    return report_on(run)


@pytest.fixture(scope="module", params=["en", "zh"])
def page(report, request) -> Page:
    return Page(render(report, request.param))


def test_the_json_is_the_diagnosis_and_what_was_added(run, report):
    plain = json.loads(json.dumps(report.data, allow_nan=False))
    again = json.loads(json.dumps(report_to_json(diagnose_run(run))))
    assert {k: plain[k] for k in again} == again
    assert plain["causes_of"].keys() == plain["spaces"].keys() == plain["evidence"].keys()


def test_every_number_of_the_page_is_the_diagnosis(page, report):
    for space, data in report.data["spaces"].items():
        for name in DIAGNOSTICS:
            _, own, _, untrained, _, sphere = page.row(f"{space}-{name}")
            if data["metrics"][name] is not None:
                assert own == number(data["metrics"][name])
            assert untrained == number(data["beside"].get("untrained", {}).get(name))
            assert sphere == number(data["beside"]["sphere"].get(name))
        assert ("b", {"class": "verdict", "data-verdict": data["verdict"]}) in page.tags


def test_nothing_outside_is_requested(page):
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form", "a"}
    sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
    assert sources
    assert all(src.startswith("data:image/png;base64,") for src in sources)
    style = "".join(page.text)
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme:dark" in style
    assert "@media print" in style
    assert any("default-src 'none'" in attrs.get("content", "") for tag, attrs in page.tags if tag == "meta")


def test_the_evidence_is_the_embeddings_own(run, report):
    table, pairs = load_embeddings(run.path / "embeddings/encoder.npz"), load_pairs(run.path / "embeddings/pairs.npz")
    h = table.h / np.linalg.norm(table.h, axis=1, keepdims=True)
    for group in report.evidence["h"].nearest:
        i, j = (int(np.flatnonzero(table.index == tile.image)[0]) for tile in group.tiles)
        assert group.value == pytest.approx(float(h[i] @ h[j]), abs=1e-6)
    worst = pair_distances(*pairs.space("z"))
    assert [g.value for g in report.evidence["z"].worst] == pytest.approx(np.sort(worst.positive)[:6])
    numbers = report.data["evidence"]["h"]
    assert sum(numbers["occurrence"]) == N
    assert sum(k * n for k, n in enumerate(numbers["occurrence"])) == 10 * N
    assert [sum(v) for v in numbers["cosines"].values()] == pytest.approx([1, 1])
    assert numbers["spectrum"]["encoder"][0] == 1
    assert set(numbers["spectrum"]) == {"encoder", "untrained"}


def test_the_nearest_different_pair_is_explained(report, tmp_path):
    """Copies come first among the nearest pairs and are passed over; an encoder, where there is one, is asked."""
    assert [text.en.split()[0] for text in report.evidence["h"].why.sentences] == ["They", "Both"]  # this run has none
    for language in ("en", "zh"):
        assert report.evidence["h"].why.sentences[0]._asdict()[language] in Page(render(report, language)).text
    run = build_encoded_run(tmp_path / "encoded")
    path = tmp_path / "encoded.npz"
    with np.load(path) as kept:
        arrays = dict(kept)
    arrays["test_x"][1] = arrays["test_x"][0]
    np.savez(path, **arrays)
    table_path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(table_path)
    h = table.h.copy()
    h[1] = h[0]
    save_embeddings(replace(table, h=h), table_path)
    found = report_on(run)
    near, why = found.evidence["h"].nearest, found.evidence["h"].why
    assert near[0].value == pytest.approx(1)
    assert why.pair == near[1]
    assert len(why.sentences) == 5
    assert found.data["evidence"]["h"]["why"]["images"] == [tile.image for tile in near[1].tiles]


def test_a_picture_survives_its_data_uri(rng):
    image = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    raw = base64.b64decode(data_uri(image).partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(BytesIO(raw))), image)
    large = Image.open(BytesIO(base64.b64decode(data_uri(np.zeros((400, 200, 3), np.uint8)).partition(",")[2])))
    assert large.size == (48, 96)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["train.lr=0.5", "augment.crop_scale=[0.1,0.9]"],
        ['train.objective_params={"tile":64}', 'views=[{},{"blur_p":0.5}]', "image_size=24"],
    ],
)
def test_the_command_line_makes_the_same_run(settings):
    config = with_overrides(RunConfig(images="folder:/a b/c"), settings).resolved(500)
    words = shlex.split(command_line(config, "again", threads=3))
    assert words[:3] == ["python", "-m", "simclr_core"]
    args = build_parser().parse_args(words[3:])
    again = with_overrides(RunConfig(images=args.images), args.set)
    assert run_id(again.resolved(500), "x") == run_id(config, "x")
    assert again.train.threads == 3


def test_names_and_reasons_are_never_html(tmp_path):
    run = build_run(tmp_path / "x")
    named = RunDir(run.path, name="<img src=http://a.b/c onerror=alert(1)>")
    info = json.loads((run.path / "config.json").read_text())
    info["config"]["images"] = "folder:/nowhere/<script>"
    write_atomic(run.path / "config.json", json.dumps(info))
    report = report_on(named)
    assert report.missing
    page = Page(render(report))
    assert not any(tag in ("img", "script") for tag, _ in page.tags)
    assert "onerror=alert(1)" in "".join(page.text)


def test_embeddings_alone_have_a_report_that_says_what_is_missing(tmp_path, rng):
    run = RunDir(tmp_path / "alone")
    x = rng.normal(size=(40, 6)).astype(np.float32)
    save_embeddings(EmbeddingTable(h=x, z=None, index=np.arange(40)), run.path / "embeddings/encoder.npz")
    write_atomic(run.path / "config.json", json.dumps({"imported": {"images": None, "rows": 40}}))
    report = report_on(run)
    text = "".join(Page(render(report)).text)
    assert "came without pictures" in text
    assert "not measured" in text
    assert report.data["causes"] == []
    assert report.data["provenance"]["command"] is None
    assert report.evidence["h"].worst == ()


def test_the_verb_writes_the_page_with_its_numbers_beside(run, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["report", str(run.path), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "r.json").read_text()) == {k: v for k, v in said.items() if k != "out"}
    assert out.read_text().startswith("<!doctype html>")
    assert main(["report", str(run.path), "--out", str(tmp_path / "only.json")]) == 0
    assert not (tmp_path / "only.html").exists()
    assert main(["report", str(run.path), "--out", str(tmp_path / "r.pdf")]) == 2
    assert main(["report", str(tmp_path / "absent"), "--out", str(out)]) == 2
