"""A page kept as one file opens from the disk without any network and computes what the app computes."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
GOLDEN = json.loads((Path(__file__).parents[1] / "golden/worksheet.json").read_text())


@pytest.fixture
def kept(visit, browser, tmp_path):
    """Press the button on a page of the app, close the network, open the file: `page = kept(page of the app)`."""
    contexts, errors, asked = [], [], []

    def open_(page, **context):
        with page.expect_download() as download:
            page.locator(".st-key-offline-save button").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        contexts.append(browser.new_context(offline=True, reduced_motion="reduce", **context))
        opened = contexts[-1].new_page()
        opened.on("pageerror", lambda e: errors.append(str(e)))
        opened.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        opened.on("request", lambda r: asked.append(r.url))
        opened.goto(path.as_uri())
        return opened

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert all(url.startswith("file:") for url in asked)


def total(page) -> float:
    return float(page.locator(".total-number").inner_text())


def shares(page) -> list[list[float]]:
    """The table of shares, six digits, the diagonal left out."""
    if not page.locator(".tables table").count():
        page.locator(".tables summary").click()
        page.locator(".tables table").nth(1).wait_for()
    rows = page.locator(".tables table").nth(1).locator("tbody tr").all()
    cells = [row.locator("td").all_inner_texts() for row in rows]
    return [[number(x) for x in row if x != "–"] for row in cells]


def number(text: str) -> float:
    """A number as the page writes it: 9.1379×10⁻⁵."""
    return float(text.replace("×10", "e").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")))


def test_the_work_sheets_numbers_are_computed_from_the_disk(visit, kept):
    page = kept(visit("/temperature?run=small&t=0.1&r=3"))
    explorer = page.locator(".nx[data-ready]")
    assert explorer.get_attribute("data-tau") == "0.1"
    assert page.locator(".anchor-name").inner_text() == "anchor 3, positive 4", "the state came along"
    for tau in ("0.1", "0.5"):
        page.locator(".tau-field").first.fill(tau)
        page.locator(".tau-field").first.press("Enter")
        golden = GOLDEN[tau]
        assert total(page) == pytest.approx(float(golden["total"]), rel=1e-3)
        for found, right in zip(shares(page), golden["softmax"], strict=True):
            assert found == pytest.approx([float(x) for x in right if x is not None], rel=1e-5)


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 24, 29)")])
def test_it_follows_the_systems_light_and_dark_in_its_language(visit, kept, scheme, colour):
    page = kept(visit("/temperature?lang=zh"), color_scheme=scheme)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.get_by_role("heading", name="温度系数的作用").count() == 1
    page.locator(".nx").get_by_text("困难负样本", exact=True).click()
    assert page.locator(".nx[data-ready]").count() == 1


def choice(page, name: str):
    return page.get_by_role("combobox", name=name, exact=True)


def readings(page) -> list[str]:
    return page.locator(".lab .meter b, .lab .fact b").all_inner_texts()


def test_the_lab_goes_on_from_where_it_stood(visit, kept):
    page = visit("/lab?lab.data=blobs&lab.seed=1&lab.step=20")
    page.locator('.lab[data-step="20"][data-ready="1"]').wait_for()
    before = readings(page)
    page = kept(page)
    page.locator('.lab[data-step="20"][data-ready="1"]').wait_for()
    assert readings(page) == before
    page.locator(".lab .step").click()
    page.locator('.lab[data-step="21"]').wait_for()
    assert readings(page) != before


def wait_hash(page, wanted: str) -> None:
    """Wait until the file's address ends so; its policy lets no test evaluate text as a condition."""
    page.wait_for_url(lambda url: url.endswith(wanted))


def test_the_explorer_keeps_what_was_done_in_it(visit, kept):
    page = kept(visit("/temperature?run=small&t=0.1"))
    assert "#" not in page.url
    page.locator('.for-tau .tick[data-tau="0.2"]').click()
    page.locator('.presets [data-name="hard"]').click()
    page.locator(".cell").nth(3).focus()
    page.keyboard.press("+")
    page.get_by_role("radio", name="Six steps").click()
    page.get_by_role("combobox", name="Speed").select_option("slow")
    wait_hash(page, "#preset=hard&tau=0.2&cells=1.5.3&mode=beats&at=1&speed=slow")
    before = total(page)
    page.reload()
    assert total(page) == before
    assert page.locator(".transport [aria-checked=true]").inner_text() == "Six steps"
    other = page.context.new_page()
    other.goto(page.url)
    assert total(other) == before, "its address may be shared"
    other.evaluate("location.hash = '#tau=1'")
    other.locator('.nx[data-tau="1"]').wait_for()
    for foreign in ("#tau=0.7&v=2", "#tau=%3Cb%3E&preset=constructor&cells=9.9.9&row=1e9&at=NaN"):
        other.evaluate("hash => { location.hash = hash }", foreign)
        other.locator('.nx[data-ready]:not([data-tau="1"])').wait_for()
        assert other.locator(".presets [aria-checked=true]").get_attribute("data-name") == "sheet"


def test_the_lab_keeps_its_run_and_its_setting(visit, kept):
    page = kept(visit("/lab"))
    choice(page, "Seed").select_option("7")
    page.locator(".lab .step").click()
    page.locator(".lab .step").click()
    choice(page, "Speed").select_option("fast")
    wait_hash(page, "#seed=7&step=2&speed=fast")
    before = readings(page)
    page.reload()
    page.locator('.lab[data-step="2"]').wait_for()
    assert (readings(page), choice(page, "Seed").input_value()) == (before, "7")
    choice(page, "Scene").select_option(label="Without negatives")
    wait_hash(page, "#speed=fast")


def test_the_lab_can_be_set_and_asks_from_the_disk(visit, kept):
    page = kept(visit("/lab"))
    page.locator(".asked summary").click()
    assert page.get_by_text("All pictures fall onto one point.").is_visible()
    start = readings(page)
    choice(page, "Scene").select_option(label="Onto a line")
    assert choice(page, "Pictures").input_value() == "blobs"
    assert choice(page, "Seed").input_value() == "1"
    assert readings(page) != start
    choice(page, "Seed").select_option("7")
    assert choice(page, "Scene").input_value() == ""
    assert page.locator(".asked p").count() == 0
    choice(page, "Scene").select_option(label="Without negatives")
    assert readings(page) == start


def test_a_kept_answer_is_not_in_the_file(visit, kept):
    page = kept(visit("/lab?hide=answers"))
    assert page.locator(".asked summary").count() == 0
    assert "useless" not in page.content()
