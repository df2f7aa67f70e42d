"""The work-sheet page: every exercise opens, answers are graded, kept in session, URL and file; nothing in a URL breaks it."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pages.ui.components.temperature.view import read_view
from pages.ui.sheetparts import EXPERIMENTS
from simclr_core.presets import PRESETS
from simclr_core.worksheet import workbook
from simclr_core.worksheet.exercises import EXERCISES
from simclr_core.worksheet.mistakes import MISTAKES
from simclr_core.worksheet.problems import Sheet

ROOT = Path(__file__).resolve().parents[2]
IN_URL = {"t": "tau", "u": "tau2", "b": "preset", "o": "own"}  # of the temperature page


@pytest.fixture
def open_sheet(open_page):
    """Open the page; a page switch empties the URL, so parameters are put there afterwards."""

    def open_(lang="en", **query):
        at = open_page("worksheet", run=None, lang=lang)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception
        return at

    return open_


def field(at, key: str, sheet: str = "0"):
    return at.text_input(key=f"worksheet.{sheet}.{key}")


def shown(at) -> str:
    return "\n".join(e.value for e in at.markdown)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("number", EXERCISES)
def test_every_exercise_opens_and_links_to_pages_that_are_there(open_sheet, number, lang):
    at = open_sheet(lang, exercise=number)
    title = getattr(EXERCISES[number].title, lang)
    assert f"{number} · {title}" in [e.value for e in at.header]
    assert len([r for r in at.radio if ".true." in r.key]) == len(EXERCISES[number].statements)
    links = [e.proto.page for e in at.get("page_link")]
    there = [page for page, _ in EXPERIMENTS[number].values() if (ROOT / f"pages/{page}.py").exists()]
    assert links == there != [], "every exercise can be seen somewhere"


@pytest.mark.parametrize("number", ["1", "2", "3"])
@pytest.mark.parametrize("sheet", [{}, {"sheet": "7", "sheet_n": "5", "sheet_tau": "0.2"}])
def test_the_temperature_page_takes_what_its_links_say(open_sheet, number, sheet):
    at = open_sheet(exercise=number, **sheet)
    links = [e.proto for e in at.get("page_link") if e.proto.page == "temperature"]
    for link in links:
        asked = {IN_URL[key]: text for key, text in parse_qsl(link.query_string)}
        view = read_view(dict.fromkeys(PRESETS, 6), **asked)
        assert {name: str(view[name]) for name in asked} == asked
    assert any("o=" in link.query_string for link in links)


def test_stages_are_graded_as_they_are_typed(open_sheet):
    at = open_sheet()
    for key, text, sentence in (
        ("1.numerator.1", "１３３５９，７", "Right. Rounded to six digits: 13359.7."),
        ("1.denominator.1", "35392.8", MISTAKES["self_term"].help.en),
        ("1.p.1", "99.9507 %", "Right. Rounded to six digits: 0.999507."),
        ("1.loss.1", "-0.000493", MISTAKES["dropped_minus"].help.en),
        ("1.mean.1", "7,50495e-4", "Accepted: this averages L(1,2)"),
    ):
        field(at, key).input(text)
        at.run()
        assert sentence in shown(at), key
    assert at.query_params["a"]


def test_hints_come_in_steps_and_end_with_the_answer(open_sheet):
    at = open_sheet()
    name = "worksheet.0.1.mean.1.hint"
    seen = []
    while name in [b.key for b in at.button]:
        at.button(key=name).click().run()
        seen = [c.value for c in at.caption if "lightbulb" in c.value]
    assert len(seen) == 4
    assert seen[-1].endswith("0.000691956")


def test_statements_tell_why(open_sheet):
    at = open_sheet(exercise="4")
    at.radio(key="worksheet.0.4.true.3").set_value("false").run()
    assert ":green[:material/check_circle:] A mirrored 2 is no 2." in shown(at)
    at.radio(key="worksheet.0.4.true.3").set_value("true").run()
    assert ":red[:material/cancel:] A mirrored 2 is no 2." in shown(at)


def test_answers_survive_another_exercise_another_page_and_a_reload(open_sheet):
    at = open_sheet()
    field(at, "1.p.1").input("0.999507")
    at.run()
    packed = at.query_params["a"]
    packed = packed[0] if isinstance(packed, list) else packed
    at.segmented_control(key="exercise").set_value("3").run()
    at.segmented_control(key="exercise").set_value("1").run()
    assert field(at, "1.p.1").value == "0.999507"
    at.switch_page("temperature.py").run()
    at.switch_page("worksheet.py").run()
    assert field(at, "1.p.1").value == "0.999507"
    again = open_sheet(a=packed)
    assert field(again, "1.p.1").value == "0.999507"


def test_another_sheet_has_its_own_matrix_and_answers(open_sheet):
    at = open_sheet(sheet="7", sheet_n="4", sheet_tau="0.2")
    sheet = Sheet(seed=7, images=4, temperature=0.2)
    right = sheet.problems()["1"].right
    field(at, "1.mean.1", sheet.id).input(f"{right.mean:.6g}")
    at.run()
    assert "Right. Rounded to six digits" in shown(at)
    at.number_input(key="sheet").set_value(8).run()
    assert field(at, "1.mean.1", "8-4-0.2").value == ""
    at.number_input(key="sheet").set_value(0).run()
    assert field(at, "1.mean.1").value == ""
    assert "sheet" not in at.query_params


def test_a_saved_file_comes_back(open_sheet):
    sheet = Sheet(seed=9, images=2, temperature=0.5)
    data = workbook.to_json(sheet, {"1.p.1": "0.5", "5.true.1": "true"}).encode()
    at = open_sheet()
    at.file_uploader(key="worksheet.file").upload("mine.json", data, "application/json").run()
    assert not at.exception
    assert field(at, "1.p.1", sheet.id).value == "0.5"
    assert at.number_input(key="sheet").value == 9


@pytest.mark.parametrize("data", [b"{}", b"not json", b" " * 40_000])
def test_a_bad_file_is_a_sentence(open_sheet, data):
    at = open_sheet()
    at.file_uploader(key="worksheet.file").upload("bad.json", data, "application/json").run()
    assert not at.exception
    assert "must be" in at.error[0].value


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["sheet", "sheet_n", "sheet_tau", "exercise", "a"]),
        st.text(max_size=12)
        | st.integers().map(str)
        | st.sampled_from(["7", "5", "0.2", "6", "-1", "1e9", "٧", "<script>", "eJyrVjLUMzQwUrJSMjIwMlaqBQA", "nan"]),
        min_size=1,
    )
)
def test_no_url_breaks_the_page(open_sheet, query):
    at = open_sheet(**query)
    assert len(at.header) == 2
    assert not at.error


def test_the_measured_comparison_is_shown_with_its_run(open_sheet):
    at = open_sheet(exercise="6")
    assert not at.get("plotly_chart"), "a guess first"
    at = at.radio(key="worksheet.labels.guess.answer").set_value("a").run()
    assert "SimCLR encoder 0." in at.info[0].value
    assert len(at.get("plotly_chart")) == 1
    assert any("91eae31a0e0f" in e.label for e in at.expander)
    assert any("With 80 labelled pictures" in c.value for c in at.caption)


def test_without_a_measurement_the_page_says_so(open_sheet, monkeypatch, tmp_path):
    from simclr_core.demo import labels

    monkeypatch.setattr(labels, "RESULT", tmp_path / "absent.json")
    at = open_sheet(exercise="6")
    assert at.info[0].value == "not measured"
