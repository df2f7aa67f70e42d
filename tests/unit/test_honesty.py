"""Rules read off the source: charts go through one door, chance needs a seed, losses on different scales are not ranked."""

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages.ui import cures, measuredruns
from pages.ui.text import catalogues
from simclr_core.demo import comparisons
from simclr_core.worksheet.answers import SENTENCES, facts, hints
from simclr_core.worksheet.exercises import EXERCISES
from simclr_core.worksheet.handout import WORDS
from simclr_core.worksheet.problems import Sheet

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*sorted((ROOT / "simclr_core").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]
CHARTS = {
    "plotly_chart", "altair_chart", "vega_lite_chart", "pyplot", "line_chart", "bar_chart", "area_chart", "scatter_chart",
    "graphviz_chart", "pydeck_chart", "bokeh_chart", "map",
}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a file with its dotted name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_every_chart_goes_through_the_widget_with_badge_and_table():
    found = {path.name for path in SOURCES for name, _ in calls(path) if name in {f"st.{chart}" for chart in CHARTS}}
    assert found == {"widgets.py"}
    text = (ROOT / "pages/ui/widgets.py").read_text()
    (made,) = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and "plotly_chart" in ast.unparse(n)
    ]
    said = ast.unparse(made)
    assert made.name == "figure_with_table"
    assert said.index("badge(") < said.index("st.plotly_chart(") < said.index("st.dataframe(")


@pytest.mark.parametrize("file", ["pages/temperature.py", "pages/lab.py", "pages/map.py", "pages/ui/viewmorph.py"])
def test_every_component_that_draws_has_a_badge(file):
    names = [name for name, _ in calls(ROOT / file)]
    drawn = {"temperature_explorer", "collapse_lab", "pointcloud", "views_morph"}
    assert "widgets.badge" in names
    assert drawn & set(names)


# -- chance --------------------------------------------------------------------------------------------------------------
MAKES = re.compile(r"(.*\.)?(default_rng|SeedSequence|RandomState|manual_seed|Random)$")
DRAWS = re.compile(
    r"(np\.random|numpy\.random|random|torch)\.(rand|randn|randint|randperm|random|normal|uniform|choice|choices|sample|shuffle|"
    r"permutation|integers|multinomial|bernoulli|poisson|rand_like|randn_like|randint_like|gauss|seed)$|"
    r".*\.(normal_|uniform_|random_|bernoulli_|exponential_)$"
)
# What is drawn with a seed that no one can set, and why it may be: always the same, and no value of its own is reported.
FIXED = {
    "cloud.pair_sample": "which rows stand for all",
    "diagnostics.sphere": "points spread evenly, the reference that numbers are read against",
    "finetune._accuracy": "views with every operation off",
    "intervals.parts": "which parts of the rows are measured again",
    "labcheck.cloud": "snapshots to be named, the same for everybody",
    "likeness._shuffled": "the order of patches, the same for every picture",
    "pairs._drawn_negatives": "which negative pairs stand for all",
    "pairs.pair_distances": "which anchors stand for all",
    "readout._fold": "which pictures a reader is scored on",
    "zoo.half_grey": "pictures spoilt on purpose",
    "zoo.tinted": "pictures spoilt on purpose",
}
# Not a metric: the number of a work sheet, and the picture that a press of a button brings.
FREE = {"sheetbook._draw_another", "state.look_at_another"}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))


def seeded(function: ast.FunctionDef, call: ast.Call) -> bool:
    """Whether a seed is among what a generator is made from, perhaps by way of a local name."""
    said = [ast.unparse(a) for a in call.args]
    local = {ast.unparse(n.targets[0]): ast.unparse(n.value) for n in ast.walk(function) if isinstance(n, ast.Assign)}
    words = {word for text in said for word in re.findall(r"\w+", text)}
    return any("seed" in text.lower() for text in [*said, *(local.get(word, "") for word in words)])


def test_no_number_comes_from_chance_without_a_seed():
    wrong, fixed = [], set()
    for path in SOURCES:
        if path.name == "build_images.py":
            continue
        for function in functions(path):
            where = f"{path.stem}.{function.name}"
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
                name = ast.unparse(call.func)
                if DRAWS.match(name) and not any(k.arg == "generator" for k in call.keywords):
                    wrong.append(f"{where}: {name} draws from the global generator")
                if not MAKES.match(name) or where in FREE or seeded(function, call):
                    continue
                if where in FIXED and call.args:
                    fixed.add(where)
                else:
                    wrong.append(f"{where}: {ast.unparse(call)} has no seed that a caller can set")
    assert wrong == []
    assert fixed == set(FIXED)


@pytest.mark.parametrize(("line", "bad"), [
    ("np.random.default_rng()", True), ("np.random.default_rng(7)", True), ("np.random.default_rng(seed)", False),
    ("torch.Generator().manual_seed(config.train.seed)", False), ("torch.manual_seed(3)", True),
])  # fmt: skip
def test_the_rule_tells_a_seed_from_none(line, bad):
    (function,) = ast.parse(f"def f(seed, config):\n    x = {line}").body
    made = [n for n in ast.walk(function) if isinstance(n, ast.Call) and MAKES.match(ast.unparse(n.func))]
    assert any(not seeded(function, call) for call in made) is bad


# -- losses on different scales ------------------------------------------------------------------------------------------
def test_where_runs_are_compared_no_loss_stands_beside_another():
    """Before and after a cure, and the list of runs: τ, N and objective may differ, and the scale with them."""
    assert not [name for name in cures.COMPARED if "loss" in name]
    (row,) = [f for f in functions(ROOT / "pages/ui/training.py") if f.name == "history_row"]
    assert "'loss'" not in ast.unparse(row)


def test_measured_runs_show_losses_on_one_scale_only():
    scales = {
        name: measuredruns.one_scale(comparisons.summaries(name, comparisons.read(name)["results"]))
        for name in comparisons.COMPARISONS
    }
    assert scales == {"batch": True, "queue": False}, "queue, bank and DCL have ceilings of their own"


@pytest.mark.parametrize(("code", "words"), [("en", ("τ",)), ("zh", ("τ",))])
@pytest.mark.parametrize(
    "key", ["train.read.loss", "temperature.explorer.yardstick", "batch.read_loss", "train.tau_moves"]
)
def test_every_loss_chart_says_that_the_temperature_changes_the_scale(code, words, key):
    said = catalogues()[code].texts[key]
    assert all(word in said for word in words)


# -- digits that are shown -----------------------------------------------------------------------------------------------
ROUNDED = {"en": "rounded", "zh": "四舍五入"}


def error(shown: str) -> float:
    """Half of the worth of the last digit shown."""
    mantissa, _, power = shown.lower().partition("e")
    return 0.5 * 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))


@pytest.mark.parametrize("seed", [0, 3, 41])
@pytest.mark.parametrize("number", ["1", "2", "3"])
def test_the_work_sheets_numbers_follow_from_one_another_to_the_digits_shown(seed, number):
    q = Sheet(seed=seed).problems()[number]
    losses = []
    for anchor in range(len(q.similarity)):
        shown = {
            stage: facts(q, stage, anchor)["right"].replace("−", "-")
            for stage in ("numerator", "denominator", "p", "loss", "pull")
        }
        a, b, p, loss, pull = (float(x) for x in shown.values())
        da, db, dp, dl, dg = (error(x) for x in shown.values())
        assert abs(a / b - p) <= (da / b + a * db / b**2) * 1.01 + dp
        assert abs(-math.log(p) - loss) <= dp / p * 1.01 + dl
        assert abs((1 - p) / q.temperature - pull) <= dp / q.temperature + dg
        losses.append((loss, dl))
    mean = facts(q, "mean", 0)["right"]
    assert abs(sum(x for x, _ in losses) / len(losses) - float(mean)) <= sum(d for _, d in losses) / len(
        losses
    ) + error(mean)


@pytest.mark.parametrize("code", ROUNDED)
def test_where_digits_may_not_meet_the_screen_says_rounded(code):
    """Every text that sets a number beside those it follows from."""
    said = catalogues()[code].texts
    shown = {key: said[key] for key in (
        "worksheet.given", "batch.two_reason", "batch.matrix_read", "batch.matrix_large", "batch.double.reveal",
        "worksheet.labels.guess.reveal", "player.table", "temperature.explorer.fraction_title",
        "temperature.explorer.bars_title", "temperature.explorer.beats_title",
    )}  # fmt: skip
    shown |= {stage: getattr(steps[-2], code) for stage, steps in ((s, hints(s)) for s in ("p", "loss", "pull"))}
    shown |= {"mean": getattr(hints("mean")[1], code), "answer": getattr(hints("p")[-1], code)}
    shown |= {"right": getattr(SENTENCES["right"], code), "key": getattr(WORDS["key"], code)}
    shown["exercise 2"] = getattr(EXERCISES["2"].answers[0], code)
    assert [key for key, text in shown.items() if ROUNDED[code] not in text.lower()] == []
