"""A teacher's link: what it hides, that it is kept from page to page, and the menu that makes it."""

import ast
import json
from itertools import permutations

import pytest

from pages.ui import teacher
from pages.ui.text import catalogues
from tests.app.test_shell import ROOT


def classroom() -> list[str]:
    """The pages of the classroom, read from the shell without running it."""
    tree = ast.parse((ROOT / "pages/shell.py").read_text())
    table = next(n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and n.targets[0].id == "PAGES")
    learn = [any(k.arg == "section" and k.value.id == "LEARN" for k in entry.keywords) for entry in table.values]
    return [key.value for key, found in zip(table.keys, learn, strict=True) if found]


CLASSROOM = classroom()


def styles(at) -> str:
    return " ".join(e.proto.body for e in at.get("html") if "<style>" in e.proto.body)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", CLASSROOM)
def test_a_page_without_controls_and_answers_opens_and_reveals_nothing(open_page, name, lang):
    at = open_page(name, lang=lang, hide="controls,answers", size="projector")
    assert not at.exception
    assert '"stSlider"' not in styles(at)
    assert "stSlider" in styles(at)
    assert "font-size: 22.5px" in styles(at)
    assert not at.radio, "a question is read out, not clicked"
    said = catalogues()[lang].texts
    shown = {e.label for e in at.expander}
    assert not shown & {said["common.reveal"], said["worksheet.answer"]}


@pytest.mark.parametrize("name", ["home", "map"])
def test_pages_to_explore_with_keep_their_controls(open_page, name):
    assert "stSlider" not in styles(open_page(name, hide="controls"))


def test_what_is_hidden_is_kept_from_page_to_page(open_page):
    at = open_page("temperature", hide="answers", size="projector")
    at = at.switch_page("queue.py").run()
    assert at.query_params["hide"] == "answers"
    assert at.query_params["size"] == "projector"


@pytest.mark.parametrize(("hide", "size", "kept"), [
    ("everything", "huge", {}), ("answers,controls", "normal", {"hide": "answers,controls"}), ("answers,answers", "", {}),
    ("menu", "projector", {"hide": "menu", "size": "projector"}),
])  # fmt: skip
def test_other_words_in_the_link_are_dropped(open_page, hide, size, kept):
    at = open_page("queue", hide=hide, size=size)
    assert not at.exception
    assert {k: v for k, v in at.query_params.items() if k in ("hide", "size")} == kept


def test_a_question_is_answered_but_not_told(open_page):
    key = "queue.cut.answer"
    at = open_page("queue", hide="answers").radio(key=key).set_value("b").run()
    assert not at.success
    assert catalogues()["en"].texts["teach.kept"] in [e.value for e in at.caption]
    assert open_page("queue").radio(key=key).set_value("b").run().success


def test_a_question_read_out_has_its_answer_behind_a_line(open_page):
    at = open_page("queue", hide="controls")
    told = [e.markdown[0].value for e in at.expander if e.label == catalogues()["en"].texts["common.reveal"]]
    assert len(told) == 2
    assert "GradCache" in told[1]


def test_the_browser_is_told_what_is_hidden_and_not_why_an_answer_is_right(open_page):
    def sent(**query):
        (found,) = open_page("temperature", **query).get("bidi_component")
        return json.loads(found.proto.json or found.proto.mixed.json)

    assert all(q["why"] for q in sent()["questions"])
    hidden = sent(hide="answers,controls")
    assert hidden["hide"] == ["controls", "answers"]
    assert not any(q["why"] for q in hidden["questions"])


@pytest.mark.parametrize("number", ["1", "6"])
def test_the_work_sheet_keeps_key_answers_last_hints_and_verdicts(open_page, number):
    at = open_page("worksheet", hide="answers", exercise=number)
    assert not [e for e in at.toggle if e.key == "worksheet.with_key"]
    assert not [e for e in at.expander if e.label == catalogues()["en"].texts["worksheet.answer"]]
    radio = next(r for r in at.radio if ".true." in r.key)
    marks = len([e for e in at.markdown if ":material/c" in e.value])
    at = at.radio(key=radio.key).set_value("true").run()
    assert len([e for e in at.markdown if ":material/c" in e.value]) == marks, "neither right nor wrong is said"


def test_hints_end_before_the_answer(open_page):
    at = open_page("worksheet", hide="answers")
    hint = next(b.key for b in at.button if str(b.key).endswith(".hint"))
    for _ in range(9):
        if not [b for b in at.button if b.key == hint]:
            break
        assert at.button(key=hint).label != catalogues()["en"].texts["worksheet.show_answer"]
        at = at.button(key=hint).click().run()
    else:
        pytest.fail("hints never end")
    assert not [c for c in at.caption if "13359" in c.value or "13,359" in c.value]


# -- the menu ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def opened(open_page):
    def open_(name: str, **query: str):
        at = open_page(name, **query)
        at.session_state["teach.menu"] = True
        return at.run()

    return open_


@pytest.mark.parametrize("name", CLASSROOM)
def test_every_page_of_the_classroom_has_its_notes(opened, name):
    at = opened(name)
    assert not at.exception
    said = catalogues()["en"].texts
    notes = {e.label: e.markdown[0].value for e in at.expander if e.markdown}
    assert notes[said["teach.script"]].strip() == said[f"teach.{name}.script"].strip()
    assert said[f"teach.{name}.script"].count("- **") == 5
    assert said[f"teach.{name}.misconceptions"].count("- **") >= 4


def test_switches_change_the_page_and_its_link(opened):
    at = opened("queue", **{"queue.step": "3"})
    at = at.toggle(key="teach.show_answers").set_value(False).run()
    assert at.query_params["hide"] == "answers"
    at = at.toggle(key="teach.show_controls").set_value(False).run()
    assert at.query_params["hide"] == "controls,answers"
    at = at.toggle(key="teach.large").set_value(True).run()
    (link,) = [e.value for e in at.code if "hide=" in e.value]
    for part in ("hide=controls,answers,menu", "size=projector", "queue.step=3", "run=small"):
        assert part in link
    at = at.toggle(key="teach.show_answers").set_value(True).run()
    assert at.query_params["hide"] == "controls", "the switch that reveals"


def test_no_menu_elsewhere_and_none_where_the_link_says_so(open_page):
    menu = catalogues()["en"].texts["teach.menu"]

    def has(at) -> bool:
        return any(b.proto.popover.label == menu for b in at.get("popover"))

    assert has(open_page("lab"))
    assert not has(open_page("lab", hide="menu"))
    assert not has(open_page("home"))


def test_every_order_of_the_parts_is_known():
    assert all(teacher.HIDDEN[",".join(order)] == set(order) for order in permutations(teacher.PARTS))


@pytest.mark.parametrize("name", CLASSROOM)
def test_an_address_of_another_version_is_said_and_this_ones_is_not(open_page, name):
    said = catalogues()["en"].texts["shell.other_version"]
    at = open_page(name)
    for version, times in (("1", 0), ("2", 1), ("<b>", 1), ("9" * 400, 1)):
        at.query_params["v"] = version
        at.run()
        assert not at.exception
        assert [w.value for w in at.warning].count(said) == times
        assert "v" not in at.query_params, "what this app writes is of its own version, which is left out"
