"""Configuration: JSON both ways, bounds with sentences, overrides, and what the run's id depends on."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclr_core import config as settings
from simclr_core.config import (
    AUTO_IMAGES_SEEN,
    AugmentConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    auto_lr,
    from_dict,
    run_id,
    to_dict,
    with_overrides,
)
from simclr_core.errors import ConfigError
from simclr_core.recipes import RECIPES, recipe
from simclr_core.texts import beside


def test_json_both_ways():
    config = with_overrides(RunConfig(), ['train.objective_params={"tile": 64}', "augment.crop_scale=[0.3, 0.9]"])
    assert from_dict(RunConfig, json.loads(json.dumps(to_dict(config)))) == config


@given(
    low=st.floats(0.01, 1),
    high=st.floats(0.01, 1),
    jitter=st.floats(0, 1),
    batch=st.integers(1, 65536),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_valid_configuration_survives_json(low, high, jitter, batch, seed):
    low, high = min(low, high), max(low, high)
    settings = [
        f"augment.crop_scale=[{low!r},{high!r}]",
        f"augment.jitter_p={jitter!r}",
        f"train.batch_size={batch}",
        f"train.seed={seed}",
    ]
    config = with_overrides(RunConfig(), settings)
    assert from_dict(RunConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("train.temperature=0", "temperature.*number from 0.001 to 100.*got 0"),
        ("train.temperature=nan", "temperature"),
        ("train.batch_size=2.5", "batch_size.*whole number"),
        ("train.optimizer=rmsprop", "optimizer.*one of muon, adamw, sgd"),
        ("train.seed=true", "seed"),
        ("augment.flip_p=1.5", "flip_p"),
        ("augment.crop_scale=[0.9,0.2]", "crop_scale.*first ≤ second"),
        ("augment.crop_scale=0.5", "crop_scale"),
        ("augment.jitter_parts=hue", "jitter_parts.*list of any of brightness"),
        ('augment.jitter_parts=["hue","hue"]', "jitter_parts.*in this order"),
        ('augment.jitter_parts=["colour"]', "jitter_parts.*got"),
        ("augment.unknown=1", "unknown.*check the spelling"),
        ("nowhere.at.all=1", "known setting"),
        ("train.epochs", "a.b=value"),
        ("train.objective_params=3", "objective_params.*mapping"),
        ("schema=9", "schema"),
        ("train=3", "JSON object"),
    ],
)
def test_a_bad_setting_is_a_sentence_naming_it(setting, says):
    with pytest.raises(ConfigError, match=says):
        with_overrides(RunConfig(), [setting])


def test_values_are_read_as_people_write_them():
    config = with_overrides(
        RunConfig(), ["train.temperature=.5", "train.lr=1e-3", "augment.crop_scale=[0.3,1]", "images=npz:a"]
    )
    assert (config.train.temperature, config.train.lr, config.images) == (0.5, 0.001, "npz:a")


def test_automatic_epochs_see_about_as_many_pictures_whatever_the_set():
    assert RunConfig().resolved(50_000).train.epochs == round(AUTO_IMAGES_SEEN / 50_000)
    assert RunConfig().resolved(10**7).train.epochs == 4
    assert RunConfig().resolved(100).train.epochs == 400
    assert with_overrides(RunConfig(), ["train.epochs=3"]).resolved(50_000).train.epochs == 3


def test_automatic_rate_grows_with_the_square_root_of_the_batch():
    assert auto_lr("adamw", 1024) == pytest.approx(2 * auto_lr("adamw", 256))


def test_the_id_hears_every_setting_but_device_and_threads():
    config = RunConfig()
    same = with_overrides(config, ["train.threads=3", "train.device=cpu"])
    assert run_id(config, "d") == run_id(same, "d")
    assert run_id(config, "d") != run_id(config, "e")
    assert run_id(config, "d") != run_id(with_overrides(config, ["augment.flip_p=0.4"]), "d")


def test_records_say_what_they_allow():
    with pytest.raises(ConfigError, match="jitter_p"):
        AugmentConfig(jitter_p=-0.1)


def test_every_setting_stands_in_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`(?:\w+\.)?(\w+)`", text))
    config = to_dict(RunConfig())
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    settings = {
        name for part in parts for name, value in part.items() if part is not config or not isinstance(value, dict)
    }
    assert settings - {"schema"} - named == set()


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_configurations_that_say_what_they_lead_to(name):
    found = RECIPES[name]
    assert recipe(name).resolved(10_000).train.epochs
    assert found.status in ("measured", "cited")
    for text in (found.label, found.expected, found.cost):
        assert text.en
        assert text.zh
    assert found.source


def test_an_unknown_recipe_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="cifar10-small-cpu"):
        recipe("nothing")


def test_every_setting_is_called_by_its_own_words_and_no_words_are_left_over():
    words = beside(settings.__file__)
    kinds = (AugmentConfig, ModelConfig, TrainConfig, RunConfig)
    declared = {f.name: f.metadata for kind in kinds for f in fields(kind) if "kind" in f.metadata}
    assert declared.keys() == words.keys()
    for name, meta in declared.items():
        assert meta["label"] == words[name]["label"], name
        assert meta["help"] == words[name].get("help", meta["help"]), name
        assert meta.get("values") == words[name].get("values", meta.get("values")), name
