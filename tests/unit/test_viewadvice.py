"""Advice on a pipeline: each rule at its threshold, the named pipelines as the bundled pictures measured them."""

from dataclasses import replace

import pytest

from simclr_core import viewadvice
from simclr_core.config import AugmentConfig, RunConfig, from_dict
from simclr_core.demo import matching_runs
from simclr_core.demo.matching_runs import RECIPES, WAYS, summaries
from simclr_core.operations import NOTHING, OPERATIONS, at_strength
from simclr_core.viewadvice import ADVICE, PIPELINES, Facts, Seen, advise, in_use

GOOD = Facts(
    augment=AugmentConfig(), side=32, candidates=255, coloured=True, colour=0.1, untrained=Seen(0.07, 0.95, 0.91),
    trained=Seen(0.2, 0.8, 0.2), best=0.85, disjoint=0.001,
)  # fmt: skip


def severity(name: str, **changes) -> str | None:
    said = ADVICE[name].run(replace(GOOD, **changes))
    return None if said is None else said[0]


def test_every_rule_has_words_in_both_languages_and_a_source():
    for entry in ADVICE.values():
        assert all(entry.label)
        assert entry.source
    for pipeline in PIPELINES.values():
        assert all(pipeline.label)
        for said in advise(replace(GOOD, augment=pipeline.augment, colour=0.9, best=0.5, disjoint=0.9)).values():
            assert all(said.text)
            assert "{" not in "".join(said.text)


def test_operations_in_use():
    alone = [name for name, entry in OPERATIONS.items() if not entry.part_of]
    assert in_use(NOTHING) == ()
    for name in alone:
        assert in_use(at_strength(name, 0.7)) == (name,)
    assert in_use(at_strength("hue", 0.5)) == ("jitter",)
    assert in_use(AugmentConfig(jitter_parts=())) == ("crop", "flip", "grey")
    assert in_use(PIPELINES["simclr"].augment) == tuple(alone)


def test_a_good_pipeline_has_nothing_to_mend():
    said = advise(GOOD)
    assert {a.severity for name, a in said.items() if name != "flip"} == {"ok"}
    assert said["flip"].severity == "warn", "whether a mirrored picture means the same is for a person to say"


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("count", {"augment": at_strength("crop", 0.5)}, "fail"),
        ("crop", {"augment": AugmentConfig(crop_scale=(0.9, 1.0))}, "fail"),
        ("crop", {"augment": AugmentConfig(crop_scale=(0.89, 1.0))}, "ok"),
        ("colour", {"colour": viewadvice.COLOUR_SOLVES}, "fail"),
        ("colour", {"colour": viewadvice.COLOUR_SOLVES - 1e-9}, "ok"),
        ("colour", {"colour": 0.9, "coloured": False}, "warn"),
        ("weak", {"untrained": Seen(viewadvice.UNTRAINED_SOLVES, 0.9, 0.8)}, "fail"),
        ("weak", {"untrained": None}, None),
        ("learnable", {"trained": Seen(0.1, 0.9, 0.8)}, "warn"),
        ("learnable", {"trained": None}, None),
        ("apart", {"disjoint": viewadvice.OFTEN_DISJOINT}, "warn"),
        ("apart", {"disjoint": 0.05}, None),
        ("hopeless", {"best": 0.6}, "fail"),
        ("hopeless", {"best": viewadvice.HOPELESS}, None),
        ("blur", {"augment": PIPELINES["simclr"].augment}, "warn"),
        ("blur", {"augment": PIPELINES["simclr"].augment, "side": 224}, None),
        ("flip", {"augment": AugmentConfig(flip_p=0.0)}, None),
    ],
)  # fmt: skip
def test_each_rule_at_its_threshold(name, changes, expected):
    assert severity(name, **changes) == expected


# -- what is stored ------------------------------------------------------------------------------------------------------
def test_the_measured_file_is_whole_and_made_by_these_settings():
    found = matching_runs.read()
    assert found is not None
    assert found["candidates"] == 2 * found["pictures"] - 1
    for name in RECIPES:
        assert from_dict(AugmentConfig, found["recipes"][name]) == PIPELINES[name].augment
    emoji, garments = (summaries(found, images) for images in ("emoji", "demo"))
    assert {(s.way, s.recipe) for s in emoji} == {(way, recipe) for way in WAYS for recipe in RECIPES}
    assert {s.way for s in garments} == {way for way in WAYS if not way.startswith("crop")}
    assert all(len(s.values) == found["draws"] for s in (*emoji, *garments))
    assert isinstance(matching_runs.config("crop"), RunConfig)


def test_what_the_page_says_of_the_measured_file_is_so():
    emoji = {(s.way, s.recipe): s for s in summaries(matching_runs.read(), "emoji")}

    def low(way, recipe):
        return emoji[way, recipe].mean - emoji[way, recipe].half

    def high(way, recipe):
        return emoji[way, recipe].mean + emoji[way, recipe].half

    assert low("colour", "crop") > 0.5 > 0.25 > high("colour", "colour"), "crops leave the colours, jitter takes them"
    assert low("crop_z", "crop") > 0.75
    assert low("crop_z", "colour") < high("colour", "colour"), (
        "trained on crops: no better than colours once they are jittered"
    )
    assert low("full_z", "colour") > 3 * high("crop_z", "colour")
