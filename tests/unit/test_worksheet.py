"""The work sheet: golden numbers, every mistake recognised, no wrong answer accepted, matrices that real vectors have."""

import json
import math
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from simclr_core import means
from simclr_core import similarity as sim
from simclr_core.demo import labels
from simclr_core.errors import ConfigError, SimclrError
from simclr_core.worksheet import workbook
from simclr_core.worksheet.answers import HINTS, LONGEST, SENTENCES, TOLERANCE, digits, facts, grade, hints, read
from simclr_core.worksheet.exercises import EXERCISES, values
from simclr_core.worksheet.handout import TAGS, WORDS, handout
from simclr_core.worksheet.mistakes import MISTAKES
from simclr_core.worksheet.problems import STAGES, TEMPERATURES, Problem, Sheet, drawn_matrix, half_share_images

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/worksheet.json").read_text())
PRINTED = Sheet()
GOLDEN_NAMES = {
    "rounded_p_to_4_decimals": "rounded_4",
    "summed_not_averaged": "summed",
    "summed_pair_means": "summed_pairs",
    "kept_self_term": "self_term",
    "positive_left_out_of_denominator": "positive_left_out",
    "log10": "log10",
    "log2": "log2",
    "forgot_temperature": "forgot_temperature",
    "multiplied_by_temperature": "multiplied_temperature",
    "minus_log_of_mean_p": "log_of_mean",
    "one_direction_rows_1_3_5": "one_direction",
    "one_direction_rows_2_4_6": "reverse_direction",
    "cross_view_negatives_only": "cross_view",
    "dropped_minus": "dropped_minus",
}
sheets = st.builds(
    Sheet,
    seed=st.integers(1, 999_999),
    images=st.integers(2, 5),
    temperature=st.sampled_from(TEMPERATURES),
)
anywhere = st.one_of(st.just(PRINTED), sheets)


# -- the numbers -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", ["1", "2"])
def test_the_printed_sheet_has_the_golden_numbers(number):
    q = PRINTED.problems()[number]
    golden = GOLDEN[f"{q.temperature:g}"]
    for ours, theirs in (
        ("numerator",) * 2,
        ("denominator",) * 2,
        ("p", "p_positive"),
        ("loss", "loss"),
        ("pull",) * 2,
    ):
        np.testing.assert_allclose(getattr(q.right, ours), np.array(golden[theirs], float), rtol=1e-9)
    assert q.right.mean == pytest.approx(float(golden["total"]), rel=1e-9)
    assert MISTAKES["one_direction"].run(q).mean == pytest.approx(float(golden["one_direction_mean"]), rel=1e-9)


@pytest.mark.parametrize("name", GOLDEN["wrong_totals"])
@pytest.mark.parametrize("number", ["1", "2"])
def test_mistakes_give_the_golden_wrong_totals(number, name):
    q = PRINTED.problems()[number]
    wrong = GOLDEN["wrong_totals"][name]
    assert MISTAKES[GOLDEN_NAMES[name]].run(q).mean == pytest.approx(float(wrong[f"{q.temperature:g}"]), rel=5e-6)
    got = grade(q, "mean", 0, str(wrong[f"{q.temperature:g}"]))
    assert got.kind in (GOLDEN_NAMES[name], "right" if name == "rounded_p_to_4_decimals" else "")
    assert got.accepted == ("accept" in wrong.get("verdict", ""))


def test_one_image_is_an_explained_zero():
    q = PRINTED.problems()["3"]
    r = q.right
    assert r.denominator[0] == r.numerator[0] == pytest.approx(math.exp(9.5))
    assert (r.p[0], r.loss[0], r.pull[0], r.mean) == (1, 0, 0, 0)
    for stage, text in (("denominator", "e^(9.5)"), ("p", "100 %"), ("loss", "0"), ("pull", "0,0")):
        assert grade(q, stage, 0, text).kind == "right", stage
    assert grade(q, "denominator", 0, "0").kind == "positive_left_out"
    assert not grade(q, "loss", 0, "0.1").accepted


@given(st.integers(1, 999_999), st.integers(2, 5))
def test_drawn_matrices_are_cosines_of_real_vectors(seed, images):
    s = drawn_matrix(seed, images)
    assert np.linalg.eigvalsh(s)[0] > 0.004
    assert (s == s.T).all()
    np.testing.assert_array_equal(s, np.round(s, 2))
    assert np.abs(s[~np.eye(2 * images, dtype=bool)]).max() < 1
    np.testing.assert_array_equal(s, drawn_matrix(seed, images))


@pytest.mark.parametrize(
    "bad", [{"seed": -1}, {"seed": 10**6}, {"images": 1, "seed": 3}, {"seed": 3, "temperature": 0.3}, {"images": 4}]
)
def test_sheets_that_are_none_are_refused(bad):
    with pytest.raises(ConfigError, match="must be"):
        Sheet(**bad)


def test_random_negatives_take_half_the_softmax_where_told():
    draw = np.random.default_rng(0).normal(size=(4000, 128))
    cos = (
        draw[:2000] @ draw[2000:].T / np.linalg.norm(draw[:2000], axis=1)[:, None] / np.linalg.norm(draw[2000:], axis=1)
    )
    for tau in (0.5, 0.2, 0.1):
        weight = (2 * half_share_images(tau) - 2) * np.exp(cos / tau).mean()
        assert weight / (weight + np.exp(0.9 / tau)) == pytest.approx(0.5, abs=0.02)


# -- reading -----------------------------------------------------------------------------------------------------------
def forms(x: float) -> dict[str, str]:
    """A number, eight digits of it, as people in many places write it."""
    plain = np.format_float_positional(float(f"{x:.8g}"), trim="-")
    mantissa, _, power = f"{x:.7e}".partition("e")
    grouped = f"{float(f'{x:.8g}'):,}" if abs(x) >= 1000 else plain
    swapped = grouped.translate(str.maketrans(",.", ".,"))
    raised = str(int(power)).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    percent = np.format_float_positional(float(f"{100 * x:.8g}"), trim="-")
    return {
        "plain": plain,
        "comma": plain.replace(".", ","),
        "grouped": grouped,
        "grouped with points": swapped if "," in swapped else plain,
        "thin spaces": grouped.replace(",", "\u202f"),
        "full width": plain.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.-"}),
        "minus": plain.replace("-", "−"),
        "spaces": f"  {plain} ",
        "e": f"{x:.7e}",
        "E, comma": f"{x:.7E}".replace(".", ","),
        "power": f"{mantissa}×10^{int(power)}",
        "raised": f"{mantissa} · 10{raised}",
        "percent": f"{percent} %",
        "percent, full width": f"{percent}％".replace(".", "，"),
    }


@given(st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6))
@example(13359.726829661873)
@example(1000.0)
def test_every_form_is_read_as_its_number(x):
    for name, text in forms(x).items():
        assert any(r.value == pytest.approx(x, rel=1e-7) for r in read(text)), (name, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "0,1,2",
        "1.2.3",
        "--5",
        "1e999",
        "nan",
        "inf",
        "%",
        "e^(1/0)",
        "e^(900)",
        "0.95 0.10",
        "9" * 99,
        "<b>1</b>",
    ],
)
def test_what_is_no_number_is_none(text):
    assert read(text) == []


def test_thousands_and_decimals_are_told_apart_where_they_can_be():
    assert [r.value for r in read("13,360")] == [13360, 13.36]
    assert [r.value for r in read("13.360")] == [13.36]
    assert [r.value for r in read("0,360")] == [0.36]
    assert [r.value for r in read("1.234.567,8")] == [1234567.8]
    assert [r.digits for r in read("0.000690")] == [3]
    assert [r.digits for r in read("13000")] == [2]


@given(st.text(max_size=LONGEST + 5))
def test_reading_and_grading_survive_anything(text):
    assert all(math.isfinite(r.value) for r in read(text))
    for number, q in PRINTED.problems().items():
        for stage, anchor in q.items:
            assert workbook.grade_item({number: q}, number, stage, anchor, {f"{number}.{stage}.{anchor + 1}": text})


# -- grading -----------------------------------------------------------------------------------------------------------
@given(anywhere, st.data())
def test_the_right_answer_is_accepted_in_any_form(sheet, data):
    q = sheet.problems()[data.draw(st.sampled_from("123"))]
    stage, anchor = data.draw(st.sampled_from(q.items))
    x = q.right.at(stage, anchor)
    assume(x == 0 or x > 1e-6)
    for text in forms(x).values() if x else ("0", "0,00", "０"):
        got = grade(q, stage, anchor, text)
        assert got.accepted, (text, got.kind)


def by_hand_accepted(q: Problem, stage: str, anchor: int, a: float) -> bool:
    """What may count as solved at all: near the right value, near one of the conventions, or p in a few digits."""
    x = q.right.at(stage, anchor)
    near = [x] + [m.run(q).at(stage, anchor) for m in MISTAKES.values() if m.accepted_within]
    return any(abs(a - v) <= 1.001 * TOLERANCE * abs(v) + 1e-9 for v in near)


@given(anywhere, st.data())
def test_no_wrong_answer_is_accepted(sheet, data):
    q = sheet.problems()[data.draw(st.sampled_from("123"))]
    stage, anchor = data.draw(st.sampled_from(q.items))
    x = q.right.at(stage, anchor)
    wrong = [v for m in MISTAKES.values() if math.isfinite(v := m.run(q).at(stage, anchor))]
    factor = st.floats(0.2, 5) | st.sampled_from([-1, 0.1, 10, 100, 0.994, 1.006])
    a = data.draw(st.one_of(factor.map(lambda f: x * f), st.sampled_from(wrong), st.floats(-100, 100)))
    text = data.draw(st.sampled_from(["{:.3g}", "{:.6g}", "{:.9g}"])).format(a)
    if grade(q, stage, anchor, text).accepted:
        assert by_hand_accepted(q, stage, anchor, read(text)[0].value)


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("sheet", [PRINTED, Sheet(seed=7, images=4, temperature=0.2), Sheet(seed=8, images=2)])
def test_each_mistake_is_recognised_wherever_it_shows(sheet, name):
    seen = 0
    for q in sheet.problems().values():
        for stage, anchor in q.items:
            x, wrong = q.right.at(stage, anchor), MISTAKES[name].run(q).at(stage, anchor)
            text = f"{wrong:.8g}"
            if (
                not math.isfinite(wrong)
                or (x and abs(wrong - x) < 1e-6 * abs(x))
                or wrong == x
                or (stage, wrong) == ("p", 0)
            ):
                continue
            got = grade(q, stage, anchor, text)
            same = {k for k, m in MISTAKES.items() if m.run(q).at(stage, anchor) == pytest.approx(wrong, rel=1e-6)}
            assert got.kind in same, (stage, anchor, text)
            assert not got.accepted or MISTAKES[got.kind].accepted_within
            seen += 1
    assert seen, "a mistake that never shows"


@pytest.mark.parametrize(
    ("number", "stage", "text", "kind", "accepted"),
    [
        ("1", "mean", "0.000691956", "right", True),
        ("1", "mean", "0,000692", "right", True),
        ("1", "mean", "0.000750495", "one_direction", True),
        ("1", "mean", "7.50e-4", "one_direction", True),
        ("1", "mean", "0.000691925", "log_of_mean", False),
        ("2", "mean", "0.527289", "log_of_mean", False),
        ("2", "mean", "0.5277", "right", True),
        ("1", "p", "0.9995", "rounded", True),
        ("1", "p", "1", "coarse", False),
        ("1", "p", "1.000", "coarse", False),
        ("1", "p", "99.95", "wrong", False),
        ("1", "numerator", "13360", "right", True),
        ("1", "numerator", "9.5", "no_exponential", False),
        ("1", "denominator", "35392.8", "self_term", False),
        ("1", "denominator", "12000", "smaller", False),
        ("1", "loss", "0.00050", "rounded_4", True),
        ("1", "loss", "0.0049303", "wrong", False),
        ("1", "loss", "", "empty", False),
        ("1", "loss", "half", "unreadable", False),
    ],
)
def test_what_is_said_of_an_answer(number, stage, text, kind, accepted):
    got = grade(PRINTED.problems()[number], stage, 0, text)
    assert (got.kind, got.accepted) == (kind if kind != "smaller" else "wrong", accepted)
    if kind == "smaller":
        assert got.text == SENTENCES["smaller"]


def test_a_step_done_rightly_from_a_wrong_value_is_told_so():
    q = PRINTED.problems()["2"]
    earlier = {"numerator": "6.68589", "denominator": "12"}
    assert grade(q, "p", 0, "0.557158", earlier).kind == "carried"
    assert grade(q, "loss", 0, "0.584906", {"p": "0.557158"}).kind == "carried"
    assert not grade(q, "p", 0, "0.557158", earlier).accepted


@given(anywhere)
def test_every_sentence_and_hint_fills_in(sheet):
    texts = [m.help for m in MISTAKES.values()] + [t for k, t in SENTENCES.items() if k != "point"]
    for q in sheet.problems().values():
        for stage, anchor in q.items:
            filled = facts(q, stage, anchor)
            for text in texts + list(hints(stage)):
                assert all(said.format(**filled).strip() for said in text)
            assert digits(q.right.at(stage, anchor)) in hints(stage)[-1].en.format(**filled)


def test_texts_are_whole():
    assert set(HINTS) == {*STAGES, "answer"}
    assert list(EXERCISES) == list("123456")
    filled = values(PRINTED)
    for e in EXERCISES.values():
        said = [e.title, *e.tasks, *e.answers, *(text for s in e.statements for text in (s.text, s.why))]
        assert all(text.format(**filled).strip() for pair in said for text in pair)
    assert {s.true for e in EXERCISES.values() for s in e.statements} == {True, False}
    assert all(m.label.zh and m.help.zh and m.source for m in MISTAKES.values())


# -- the workbook ------------------------------------------------------------------------------------------------------
def right_answers(sheet: Sheet) -> dict[str, str]:
    problems = sheet.problems()
    numbers = {
        key: f"{problems[n].right.at(*item):.9g}"
        for n in problems
        for key, item in workbook.number_keys(problems, n).items()
    }
    return numbers | {k: str(v).lower() for n in EXERCISES for k, v in workbook.statement_keys(n).items()}


@settings(max_examples=25)
@given(anywhere)
def test_all_right_answers_solve_everything_and_survive_file_and_url(sheet):
    answers, problems = right_answers(sheet), sheet.problems()
    for number in EXERCISES:
        got = workbook.score(problems, number, answers)
        assert got.solved == got.asked > 0
        assert workbook.score(problems, number, {}).solved == 0
    assert workbook.from_json(workbook.to_json(sheet, answers).encode()) == (sheet, answers)
    packed = workbook.pack(answers)
    assert len(packed) < workbook.LONGEST_URL
    assert workbook.unpack(sheet, packed) == answers
    assert workbook.pack({}) == ""


@given(st.text(max_size=60) | st.text("abcdefgABCDEF0123456789-_", max_size=400))
@example("x" * 5000)
@example(workbook.pack({"1.mean.1": "1", "9.true.1": "true", "1.true.1": "maybe"}))
def test_a_url_holds_answers_or_nothing(text):
    found = workbook.unpack(PRINTED, text)
    assert all(key in ("1.mean.1",) for key in found)


def book(**change) -> bytes:
    return json.dumps(json.loads(workbook.to_json(PRINTED, {"1.mean.1": "1"})) | change).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 30_000, b" " * 40_000, book(schema=2), book(answers=[]), book(sheet=7),
        book(sheet={"seed": "x"}), book(sheet={"seed": 1, "evil": 2}), book(answers={"1.mean.1": 5}),
        book(answers={"1.mean.1": "9" * 41}), book(answers={"7.mean.1": "1"}), book(answers={"1.numerator.2": "1"}),
        book(answers={"1.true.1": "perhaps"}), book(answers={"": ""}),
    ],
)  # fmt: skip
def test_a_file_that_is_no_workbook_is_a_sentence(data):
    with pytest.raises(SimclrError, match="must be"):
        workbook.from_json(data)


def test_a_bomb_in_the_url_stays_small():
    import base64
    import zlib

    bomb = base64.urlsafe_b64encode(zlib.compress(b'{"1.mean.1":"' + b"1" * 10**6 + b'"}')).decode()
    assert len(bomb) < workbook.LONGEST_URL
    assert workbook.unpack(PRINTED, bomb) == {}


# -- on paper ----------------------------------------------------------------------------------------------------------
class Tables(HTMLParser):
    """The cells of every table, what is linked, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[str]] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "td":
            self.tables[-1].append("")
        self.links += [v for k, v in attrs if k in ("src", "href", "action")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self.open:
            self.tables[-1][-1] += data


def number_in(cell: str) -> float:
    return float(cell.replace("−", "-"))


@pytest.mark.parametrize("language", TAGS)
@pytest.mark.parametrize("sheet", [PRINTED, Sheet(seed=12, images=5, temperature=0.2)])
def test_the_printed_key_is_what_the_similarity_functions_say(sheet, language):
    page = Tables(handout(sheet, language, key=True))
    matrix, *work = page.tables
    assert page.links == []
    m = 2 * sheet.images
    s = np.array([np.nan if c == "–" else number_in(c) for c in matrix]).reshape(m, m)
    partner = sim.interleaved_partner(sheet.images)
    assert all(cell == "" for table in work[:3] for cell in table), "the sheet itself gives nothing away"
    for table, tau in zip(work[3:5], (sheet.temperature, sheet.other_temperature), strict=True):
        e = np.exp(np.where(np.eye(m) == 1, -np.inf, s) / tau)
        rows = [
            e[[0, 2], [1, 3]],
            e.sum(1)[[0, 2]],
            sim.softmax_rows(s, tau)[[0, 2], [1, 3]],
            sim.nt_xent_rows(s, partner, tau)[[0, 2]],
        ]
        expected = [*np.ravel(rows), sim.nt_xent_mean(s, partner, tau)]
        np.testing.assert_allclose([number_in(c) for c in table], expected, rtol=5e-6)
    np.testing.assert_allclose([number_in(c) for c in work[5]][2:], [1, 0, 0])
    assert ("习题" in page.text) == (language == "zh")


def test_without_key_no_answer_is_in_the_file():
    plain, keyed = handout(PRINTED), handout(PRINTED, key=True)
    assert WORDS["key"].en in keyed
    assert "0.000691956" in keyed
    for word in ("0.000691956", "☑", EXERCISES["4"].answers[0].en[:40]):
        assert word not in plain
    assert "http" not in keyed.replace("http-equiv", "")


# -- exercise 6 --------------------------------------------------------------------------------------------------------
def test_the_measured_comparison_is_whole():
    scipy_stats = pytest.importorskip("scipy.stats")
    for freedom, t in means.T_95.items():
        assert t == pytest.approx(scipy_stats.t.ppf(0.975, freedom), rel=1e-12)
    assert labels.DRAWS - 1 in means.T_95
    found = labels.read()
    assert found is not None
    run = json.loads((labels.RUN / "config.json").read_text())
    assert (found["run_id"], found["data_digest"]) == (run["run_id"], run["data_digest"])
    for s in labels.summaries(found["results"]):
        a = [r["accuracy"] for r in found["results"] if r["arm"] == s.arm and r["labels"] == s.share]
        assert s.draws == len(a) == (1 if s.arm == "longer" or (s.arm, s.share) == ("simclr", 1) else labels.DRAWS)
        assert s.mean == pytest.approx(sum(a) / len(a))
        assert s.lowest <= s.mean <= s.highest
        assert (s.half is None) == (s.draws == 1)
        assert s.n_train == {0.01: 80, 0.1: 800, 1.0: 8000}[s.share]


def test_no_heavy_library_is_needed():
    code = "import sys, simclr_core.worksheet.handout, simclr_core.worksheet.workbook, simclr_core.demo.labels; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "sklearn", "umap", "streamlit"} & set(done.stdout.split())
