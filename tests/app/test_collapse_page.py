"""The collapse page: the verdict in words, its numbers beside their references, hubs, neighbours and near copies."""

import json
import re

import numpy as np
import pytest

from pages.ui import lookalikes, state
from pages.ui.collapsefigures import occurrence_bars, spectrum_rows
from pages.ui.numbertable import short
from pages.ui.shown import Shown
from pages.ui.text import texts_under
from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.records import EmbeddingTable, ImageSet
from simclr_core.registry import Label
from simclr_core.store import RunDir
from simclr_core.tables import load_embeddings, load_pairs, save_embeddings
from simclr_core.verdict import DIAGNOSES, diagnose, measure
from tests.app.conftest import N, alone, build_run, html, texts, walk
from tests.clouds import nine_clouds


def words(at) -> str:
    """The HTML without its tags."""
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", html(at), flags=re.DOTALL)


@pytest.fixture
def report(small_runs):
    """What the page should say: the run's table, pairs and references judged together."""
    folder = small_runs / "small/embeddings"
    untrained, pixels = (load_embeddings(folder / f"{name}.npz") for name in ("untrained", "pixels"))
    before = load_pairs(folder / "pairs_untrained.npz")
    references = {f"untrained_{s}": measure(untrained.space(s), untrained.label, before.space(s)) for s in ("h", "z")}
    references["pixels"] = measure(pixels.h, pixels.label)
    return diagnose(
        load_embeddings(folder / "encoder.npz"),
        pairs=load_pairs(folder / "pairs.npz"),
        run=RunDir(small_runs / "small"),
        references=references,
    )


# -- every state -----------------------------------------------------------------------------------------------------
def test_the_verdict_comes_first_in_words(open_page, report):
    at = open_page("collapse")
    assert not at.exception
    assert at.title[0].value == "Has it collapsed?"
    name = "healthy" if report.verdict == "healthy" else DIAGNOSES[report.verdict].label.en
    assert name.lower() in words(at).lower()
    assert f"{N} pictures, each 32 numbers in h" in texts(at)
    assert any(word in texts(at) for word in ("No problem found", "Worth a look", "Problem found"))


def test_every_part_is_one_press_away_and_in_the_url(open_page):
    at = open_page("collapse")
    parts = texts_under("collapse.part.")
    assert len(at.segmented_control(key="collapse.part").options) == len(parts)
    for part in parts:
        at.segmented_control(key="collapse.part").set_value(part).run()
        assert not at.exception
        assert len(at.header) == 1
        assert at.query_params.get("collapse.part") == (None if part == parts[0] else part)
        assert at.header[0].value == open_page("collapse", part=part).header[0].value


@pytest.mark.parametrize("part", ["causes", "steps", "worst", ""])
def test_a_part_that_this_run_has_not_is_the_first(open_page, tmp_path, part):
    alone(tmp_path, nine_clouds(0, 200, 16)["isotropic"])
    at = open_page("collapse", run="alone", root=tmp_path, part=part)
    assert not at.exception
    assert "collapse.part" not in at.query_params
    assert at.header[0].value == "All checks, their limits and sources"


def test_every_number_is_told_with_its_references(open_page, small_runs, report):
    at = open_page("collapse", part="numbers")
    shown = words(at)
    for name, choice in DIAGNOSTICS.items():
        assert choice.label.en in shown.replace("&#x27;", "'")
        if report.metrics[name] is not None:
            assert short(report.metrics[name]) in shown
    untrained = load_embeddings(small_runs / "small/embeddings/untrained.npz")
    pixels = load_embeddings(small_runs / "small/embeddings/pixels.npz")
    for x in (untrained.h, pixels.h):
        cloud = Cloud(x=x)
        assert short(DIAGNOSTICS["rankme"].run(cloud)) in shown
    assert "not measured" not in shown.replace(DIAGNOSTICS["lidar"].label.en, "") or report.metrics["lidar"] is None


def test_numbers_that_a_run_stored_are_used_as_they_are(open_page, tmp_path):
    run = build_run(tmp_path / "stored")
    path = run.path / "embeddings/report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"references": {"untrained_h": {"rankme": 7.654}}}))
    assert "7.65" in words(open_page("collapse", run="stored", root=tmp_path, part="numbers"))


@pytest.mark.parametrize("part", ["hubs", "near", "pairs", "directions"])
def test_the_pictures_are_linked(open_page, part):
    at = open_page("collapse", part=part)
    assert html(at).count("api/thumb/small/") > 10
    assert ("pixels differ" in texts(at)) == (part == "pairs")


def test_nothing_loaded_says_how_to_begin(open_page):
    at = open_page("collapse", run=None)
    assert not at.exception
    assert "Nothing is loaded yet" in texts(at)


def test_embeddings_alone_say_what_was_not_measured(open_page, tmp_path):
    alone(tmp_path, nine_clouds(0, 200, 16)["isotropic"])
    at = open_page("collapse", run="alone", root=tmp_path)
    assert not at.exception
    assert "6 of 10 could be made" in texts(at)
    said = ""
    for part in walk(at, "collapse"):
        assert "<figure>" not in html(part)
        said += words(part) + texts(part)
    for sentence in (
        "not measured, because no pairs of views in this space were given", "not measured, because these rows have no labels",
        "came without pictures", "came without one", "Raw pixels were not measured", "There are no labels",
    ):  # fmt: skip
        assert sentence in said


def test_labels_missing_leave_the_pictures(open_page, tmp_path):
    run = build_run(tmp_path / "unlabelled")
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    save_embeddings(EmbeddingTable(h=table.h, z=table.z, index=table.index, spec="digits", split="all"), path)
    at = open_page("collapse", run="unlabelled", root=tmp_path, part="near")
    assert not at.exception
    assert "whether classes agree is not measured" in texts(at)
    assert "api/thumb/unlabelled/" in html(at)
    assert "✓ image" not in words(at)


@pytest.mark.parametrize(("cloud", "verdict"), [("rank 8", "dimensional"), ("point", "complete"), ("cone", "cone")])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_illness_is_named_with_its_reason_and_remedy(open_page, tmp_path, cloud, verdict, lang):
    alone(tmp_path, nine_clouds(0, 400, 32)[cloud], space="z")
    at = open_page("collapse", run="alone", root=tmp_path, lang=lang)
    assert not at.exception
    entry = DIAGNOSES[verdict]
    shown = Label._fields.index(lang)
    assert entry.label[shown].lower() in words(at).lower()
    assert entry.help[shown] in texts(at)
    assert {"en": "failed", "zh": "不合格"}[lang] in texts(at)


def test_a_warning_alone_leaves_the_verdict_healthy_and_says_what_to_try(open_page, tmp_path, rng):
    alone(tmp_path, 1.6 * np.eye(1, 32) + rng.standard_normal((400, 32)) / np.sqrt(32), space="z")
    at = open_page("collapse", run="alone", root=tmp_path)
    assert not at.exception
    assert "Healthy, with warnings" in words(at)
    assert "Worth a look" in texts(at)
    assert DIAGNOSES["cone"].help.en in texts(at)


def test_all_rows_equal_is_told_instead_of_drawn(open_page, tmp_path):
    alone(tmp_path, np.ones((50, 8)))
    at = open_page("collapse", run="alone", root=tmp_path)
    assert not at.exception
    assert "Complete collapse" in words(at)
    told = [
        part.header[0].value for part in walk(at, "collapse") if "who is near whom says nothing here" in texts(part)
    ]
    assert {"Hubs: who is everyone's neighbour", "Nearest neighbours of a picture", "Fallen into one place"} <= set(
        told
    )


def test_few_rows_have_no_hubs(open_page, tmp_path, rng):
    alone(tmp_path, rng.standard_normal((8, 5)))
    at = open_page("collapse", run="alone", root=tmp_path, part="hubs")
    assert not at.exception
    assert "hubs need more than 10 pictures" in texts(at)


def test_too_few_rows_is_a_sentence(open_page, tmp_path, rng):
    alone(tmp_path, rng.standard_normal((2, 5)))
    at = open_page("collapse", run="alone", root=tmp_path)
    assert not at.exception
    assert "3 or more rows" in at.error[0].value


def test_chinese(open_page):
    at = open_page("collapse", lang="zh")
    assert not at.exception
    assert at.title[0].value == "坍缩了吗？"
    assert "平均余弦" in words(open_page("collapse", lang="zh", part="numbers"))
    assert "前 10 个近邻中有" in texts(open_page("collapse", lang="zh", part="near"))


def test_a_sample_is_called_a_sample(open_page, tmp_path):
    run = build_run(tmp_path / "sampled")
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    save_embeddings(EmbeddingTable(h=table.h, z=None, index=table.index, spec="digits", split="all"), path)
    assert "Sampled, n = 300 of 1,797 pictures" in texts(open_page("collapse", run="sampled", root=tmp_path))


# -- every control ---------------------------------------------------------------------------------------------------
def test_the_space_is_in_the_url(open_page):
    at = open_page("collapse", space="z")
    assert f"{N} pictures, each 16 numbers in z" in texts(at)
    assert "The other space, h:" in texts(at)
    at.session_state["space"] = "h"
    at.run()
    assert not at.exception
    assert "space" not in at.query_params
    assert f"{N} pictures, each 32 numbers in h" in texts(at)


def test_a_picture_is_chosen_by_number_at_random_and_by_going_on(open_page, report):
    at = open_page("collapse", part="near", image="17")
    assert at.selectbox(key="image").value == "17"
    at.selectbox(key="image").set_value("42").run()
    assert at.query_params["image"] in ("42", ["42"])
    nearest = report.neighbours.index[42]
    assert [b.label for b in at.button if b.key.startswith("collapse.go.")] == [f"→ {i}" for i in nearest[:10]]
    at.button(key="collapse.go.0").click().run()
    assert at.selectbox(key="image").value == str(nearest[0])
    at.button(key="collapse.random").click().run()
    assert at.selectbox(key="image").value == str(int(np.random.default_rng(1).integers(N)))
    assert not at.exception


def test_more_neighbours_and_how_many_agree(open_page, report, small_runs):
    at = open_page("collapse", part="near")
    at.slider(key="collapse.k.20").set_value(20).run()
    label = load_embeddings(small_runs / "small/embeddings/encoder.npz").label
    same = int((label[report.neighbours.index[0]] == label[0]).sum())
    assert f"{same} of the 20 nearest have its class" in texts(at)


# -- near copies -----------------------------------------------------------------------------------------------------
def test_copies_are_counted_and_told_from_pictures_that_only_look_alike(open_page, tmp_path):
    run = build_run(tmp_path / "copies")
    path = run.path / "embeddings/encoder.npz"
    table = load_embeddings(path)
    h = table.h.copy()
    h[10:20] = h[:10]
    save_embeddings(EmbeddingTable(h=h, z=None, label=table.label, index=table.index, spec="digits", split="all"), path)
    at = open_page("collapse", run="copies", root=tmp_path, part="pairs")
    assert not at.exception
    found = lookalikes.near_pairs(diagnose(load_embeddings(path)).neighbours)
    assert f"cosine of 0.999 or more: {int((found.distance <= 0.001).sum())}." in texts(at)
    assert "cosine 1" in texts(at)
    assert "pixels differ" in texts(at)
    first = html(at)
    pages = -(-int((found.distance <= 0.001).sum()) // lookalikes.PAIRS)
    assert pages > 1
    at.session_state[f"collapse.page.h.{pages}"] = pages
    at.run()
    assert not at.exception
    assert html(at) != first


def test_pixels_are_compared_exactly(rng):
    image = rng.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    image[2] = image[0]
    pictures = ImageSet(image=image, label=None, index=np.array([5, 6, 7]), spec="", split="test")
    table = EmbeddingTable(h=np.eye(3, 4, dtype=np.float32), z=None, index=np.array([7, 5, 6]))
    shown = Shown(run=RunDir("none"), found=None)
    shown.__dict__.update(table=table, _pictures=(pictures, ""))
    assert lookalikes.pixel_difference(shown, 0, 1) == 0
    expected = np.abs(image[0].astype(float) - image[1]).mean()
    assert lookalikes.pixel_difference(shown, 1, 2) == pytest.approx(expected)


def test_a_report_is_made_once_and_again_when_the_embeddings_change(open_page, tmp_path, monkeypatch):
    from pages.ui import diagnosis

    made = []
    real = diagnosis.diagnose
    monkeypatch.setattr(diagnosis, "diagnose", lambda *a, **k: made.append(1) or real(*a, **k))
    run = build_run(tmp_path / "again")
    at = open_page("collapse", run="again", root=tmp_path)
    at.run()
    assert len(made) == 1
    table = state.table(run)
    save_embeddings(
        EmbeddingTable(h=table.h[:200], z=None, label=table.label[:200], index=table.index[:200], spec="digits"),
        run.path / "embeddings/encoder.npz",
    )
    at.run()
    assert len(made) == 2
    assert "200 pictures, each 32 numbers in h" in texts(at)


# -- small parts -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (-3.938, "−3.94"), (0.59084, "0.591"), (0.0015, "0.0015"), (2e-5, "2e-05"), (45.06, "45.1"),
     (384.55, "385"), (12345.6, "12,346"), (1.0, "1.00")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert short(value) == text


def test_bars_hold_every_picture_once():
    count = np.array([0, 0, 3, 119, 120, 121])
    first, held = occurrence_bars(count)
    assert held.sum() == len(count)
    assert held[0] == 2
    assert first[-1] <= 121


def test_the_table_of_a_spectrum_has_one_length():
    own = np.array([4.0, 2.0, 1.0])
    rows = spectrum_rows(("rank", "value", "share"), own, {"a": own / 4, "b": np.array([1.0, 0.5])})
    assert {len(v) for v in rows.values()} == {3}
    assert rows["share"].sum() == pytest.approx(1)


def test_the_page_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, pages.ui.diagnosis, pages.ui.directions, pages.ui.lookalikes, pages.ui.places; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=state.ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "umap", "sklearn"} & set(done.stdout.split())
