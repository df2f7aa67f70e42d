"""Comparisons of real runs on the pages: what is committed is whole, intervals are right, commands make the runs."""

import shlex

import numpy as np
import pytest

from pages.ui import measuredruns
from simclr_core.config import RunConfig, from_dict, to_dict, with_overrides
from simclr_core.demo import comparisons
from simclr_core.demo.comparisons import COMPARISONS

T_95 = 4.302652729749464  # two degrees of freedom
WAYS = [(name, key) for name, ways in COMPARISONS.items() for key in ways]


def made_up(name: str, seeds: int) -> dict:
    numbers = {"steps": 5, "loss": 1.0, "seconds": 2.0, "n_train": 8, "n_test": 2}
    rows = [
        {"way": key, "seed": seed, "knn_accuracy": 0.7 + 0.01 * seed} | numbers
        for key in COMPARISONS[name]
        for seed in range(seeds)
    ]
    configs = {key: to_dict(comparisons.config(way, 0)) for key, way in COMPARISONS[name].items()}
    return {"epochs": 2, "seeds": seeds, "configs": configs, "results": rows}


@pytest.mark.parametrize("name", COMPARISONS)
def test_nothing_measured_is_said(open_page, monkeypatch, name):
    monkeypatch.setattr(comparisons, "read", lambda name: None)
    at = open_page(name)
    assert any("Not measured" in e.value and f"comparisons {name}" in e.value for e in at.info)
    assert f"{name}.runs" not in [chart.key for chart in at.get("plotly_chart")]


@pytest.mark.parametrize("name", COMPARISONS)
def test_measured_runs_are_shown_with_intervals_and_settings(open_page, monkeypatch, name):
    monkeypatch.setattr(comparisons, "read", lambda name: made_up(name, 3))
    at = open_page(name)
    assert not at.exception
    assert f"{name}.runs" in [chart.key for chart in at.get("plotly_chart")]
    assert len(at.code) == len(COMPARISONS[name])


def test_intervals_need_three_seeds():
    values = np.array([0.7, 0.71, 0.72])
    found = comparisons.summaries("queue", made_up("queue", 3)["results"])[0]
    assert found.half == pytest.approx(T_95 * values.std(ddof=1) / np.sqrt(3))
    assert comparisons.summaries("queue", made_up("queue", 1)["results"])[0].half is None


@pytest.mark.parametrize(("name", "key"), WAYS)
def test_the_shown_command_makes_the_run(name, key):
    """Its settings are all that differs from the program's own."""
    config = comparisons.config(COMPARISONS[name][key], 0)
    _, settings = measuredruns.command(config).split(" --set ")
    assert with_overrides(RunConfig(images="demo"), shlex.split(settings)) == config


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_measured_file_is_whole(name):
    """What is committed was made by the present settings, with every way and at least three seeds each."""
    found = comparisons.read(name)
    assert found is not None
    for key, way in COMPARISONS[name].items():
        assert from_dict(RunConfig, found["configs"][key]) == comparisons.config(way, 0)
    summaries = comparisons.summaries(name, found["results"])
    assert [s.label for s in summaries] == [way.label for way in COMPARISONS[name].values()]
    assert all(len(s.values) >= 3 for s in summaries)
