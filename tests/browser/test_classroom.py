"""All pages of the classroom in Chromium: losses on their scale, tables that recompute, longer text, charts for a room."""

import ast
import json
import math
import re
import shutil
import tomllib

import pytest

from pages.ui.text import catalogues
from tests.app.test_teacher import CLASSROOM
from tests.browser.conftest import ROOT, free_port, settle, start_server, stop_server
from tests.browser.test_offline import number

pytestmark = pytest.mark.browser


# -- losses on their scale -----------------------------------------------------------------------------------------------
def test_the_explorers_losses_stand_between_ceiling_and_floor(visit):
    page = visit("/temperature")
    page.locator(".nx[data-ready]").wait_for()
    loss = page.locator('.nx .chart[aria-label="Loss"]')
    for line in ("ceiling", "floor"):
        assert loss.locator(f".line.{line}").count() == 1
        assert loss.locator(f".tag.{line}").count() == 1
    assert "ln 5" in loss.locator(".tag.ceiling").text_content()
    training = visit("/temperature?m=train&k=20").locator('.nx[data-ready] .chart[aria-label="Loss over steps"]')
    training.locator(".tag.floor").wait_for()
    assert training.locator(".line.floor").count() == 1
    assert "ln 5" in training.locator(".tag.ceiling").text_content(), "named even where it lies above the chart"


def test_the_labs_loss_with_negatives_stands_between_ceiling_and_floor(visit):
    page = visit("/lab")
    page.locator(".lab[data-ready]").wait_for()
    tags = page.locator(".lab svg .tag").all_text_contents()
    assert sum("ln " in said for said in tags) == 1
    assert sum(said.startswith("floor") for said in tags) == 1
    assert "0: views agree" in tags, "attraction alone has no negatives: its only line is 0"


# -- what is shown can be worked out from what is shown ------------------------------------------------------------------
def half_unit(shown: str) -> float:
    """Half of the last digit's worth."""
    mantissa = shown.split("×")[0].replace("−", "-").replace(",", "")
    digits = len(mantissa.partition(".")[2])
    return 0.5 * 10.0**-digits * (number("1" + shown[len(shown.split("×")[0]) :]) if "×" in shown else 1)


def tables(page) -> list[list[list[str]]]:
    page.locator(".nx .tables summary").click()
    page.locator(".nx .tables table").nth(2).wait_for()
    return page.locator(".nx .tables table").evaluate_all(
        "all => all.map(t => [...t.querySelectorAll('tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.innerText)))"
    )


@pytest.mark.parametrize(("lang", "rounded"), [("en", "rounded"), ("zh", "四舍五入")])
@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_the_explorers_tables_follow_from_one_another(visit, tau, lang, rounded):
    """The work sheet's similarities are exact in two decimals; shares follow from them, gradients from the shares."""
    page = visit(f"/temperature?t={tau}&lang={lang}")
    page.locator(".nx[data-ready]").wait_for()
    for title in (".tables summary", ".nx"):
        assert rounded in page.locator(title).first.inner_text()
    s, p, g = tables(page)
    for i, row in enumerate(s):
        terms = [0.0 if k == i else math.exp(number(x.replace("−", "-")) / tau) for k, x in enumerate(row)]
        for k in (k for k in range(len(row)) if k != i):
            assert abs(terms[k] / sum(terms) - number(p[i][k])) <= 1.001 * half_unit(p[i][k])
    for k in range(1, 6):
        share, force = p[0][k], number(g[0][k].replace("−", "-"))
        assert abs((number(share) - (k == 1)) / tau - force) <= half_unit(share) / tau + half_unit(g[0][k])


# -- longer text ---------------------------------------------------------------------------------------------------------
KEPT = re.compile(r"(\{[^}]*\}|`[^`]*`|:[\w/]+:|\$[^$]*\$|\]\([^)]*\)|<[^>]*>)")


def longer(said: str) -> str:
    """The same text, every word longer: vowels twice, and an ending that makes it at least 40 % in all."""
    parts = KEPT.split(said)
    parts[::2] = [re.sub(r"([aeiouAEIOU])", r"\1\1", part) for part in parts[::2]]
    grown = "".join(parts)
    lacking = math.ceil(1.4 * len(said)) - len(grown)
    return grown if lacking <= 0 else f"{grown} {('ét quá ' * lacking)[: lacking - 1].strip()}á"


def core_labels() -> set[str]:
    """The English of every label that the core and the shell carry themselves."""
    texts = [tomllib.loads(path.read_text()) for path in (ROOT / "simclr_core").rglob("*.toml")]
    found = {said["en"] for tree in texts for said in dicts(tree) if isinstance(said.get("en"), str)}
    for path in [*(ROOT / "simclr_core").rglob("*.py"), ROOT / "pages/shell.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Label" and node.args:
                with_text = node.args[0]
                if isinstance(with_text, ast.Constant) and with_text.value:
                    found.add(with_text.value)
    return found


def dicts(tree):
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from dicts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from dicts(value)


@pytest.fixture(scope="module")
def long_visit(tmp_path_factory, browser):
    """The app with a language `xx` in which every text is at least 40 % longer, opened on a page."""
    home = tmp_path_factory.mktemp("long")
    shutil.copytree(ROOT / "pages", home / "pages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("simclr_core", ".streamlit"):
        (home / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "app.py", home / "app.py")
    said = [f"{json.dumps(key)} = {json.dumps(longer(value))}" for key, value in catalogues()["en"].texts.items()]
    labels = [f"{json.dumps(label)} = {json.dumps(longer(label))}" for label in core_labels()]
    language = ["[language]", 'name = "Longer"', 'tag = "en"', "[labels]"]
    (home / "pages/ui/text/xx.toml").write_text("\n".join([*said, *language, *labels]))
    port = free_port()
    (home / "runs").mkdir()
    process = start_server(home / "runs", port, home, app=home / "app.py")
    context = browser.new_context(viewport={"width": 800, "height": 900}, reduced_motion="reduce")
    page = context.new_page()

    def open_(path: str):
        page.goto(f"http://127.0.0.1:{port}{path}{'&' if '?' in path else '?'}lang=xx")
        settle(page)
        page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
        return page

    yield open_
    context.close()
    stop_server(process)


# What ends beyond the page, or is cut where nothing scrolls and nothing says more.
CUT = """() => {
  const main = document.querySelector('[data-testid="stMain"]')
  const scrolls = e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
  const found = []
  for (const e of main.querySelectorAll("*")) {
    if (!e.checkVisibility() || e.closest("svg, .katex, [data-testid=stDataFrame], [data-testid=stCode], .sr-only")) continue
    const text = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    if (!text) continue
    const box = e.getBoundingClientRect()
    if (box.width < 2) continue
    let inside = false
    for (let up = e; up && up !== main; up = up.parentElement) {
      inside ||= scrolls(up)
      const style = getComputedStyle(up)
      if (["hidden", "clip"].includes(style.overflowX) && up.scrollWidth > up.clientWidth + 1 && !inside) {
        found.push("cut: " + e.innerText.slice(0, 60) + " in " + (up.dataset.testid || up.className)); break
      }
    }
    if (box.right > innerWidth + 1 && !inside) found.push("beyond: " + e.innerText.slice(0, 60))
  }
  return [...new Set(found)]
}"""


@pytest.mark.parametrize(
    "path", [*(f"/{name}" for name in CLASSROOM), "/worksheet?exercise=4", "/worksheet?exercise=6"]
)
def test_text_that_is_longer_by_forty_per_cent_is_not_cut(long_visit, path):
    page = long_visit(path)
    for ready in page.locator(".nx, .lab").all():
        ready.wait_for()
    assert page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []


def test_the_longer_language_is_longer():
    for value in catalogues()["en"].texts.values():
        assert len(longer(value)) >= 1.4 * len(value)
        assert set(KEPT.findall(value)) == set(KEPT.findall(longer(value)))


# -- charts for a room ---------------------------------------------------------------------------------------------------
SMALL = """() => {
  const sizes = [...document.querySelectorAll(".js-plotly-plot text")].map(e => parseFloat(getComputedStyle(e).fontSize))
  return sizes.length > 40 && sizes.every(size => size >= 18)
}"""


def test_charts_have_18_px_for_a_room(visit):
    page = visit("/batch?run=small&size=projector&hide=menu")
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot').length === 4")
    page.wait_for_function(SMALL)
