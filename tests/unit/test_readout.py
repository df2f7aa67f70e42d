"""What can be read of the augmentations: everything from a linear code, a known share from a noisy one, nothing from noise."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from simclr_core.config import AugmentConfig
from simclr_core.errors import DataError
from simclr_core.model import SimClr
from simclr_core.readout import (
    AMOUNT,
    READOUTS,
    VIEWS,
    YES_NO,
    _over_folds,
    encode_drawn,
    read_all,
    read_out,
    readout_to_json,
)
from simclr_core.records import ImageSet

PICTURE = np.tile(np.arange(250), VIEWS)
B = len(PICTURE)


def test_a_linear_code_is_read_whole_and_a_noisy_one_by_its_share(rng):
    amount, noise = rng.standard_normal((2, B))
    yes = rng.random(B) < 0.2
    x = np.column_stack([amount, yes, rng.standard_normal((B, 5))]) @ rng.standard_normal((7, 7)) * 3 + 40
    found = read_out(x, {"amount": amount, "yes": yes}, PICTURE)
    assert found["amount"].value > 0.9999
    assert found["yes"].value > 0.9999
    assert found["yes"].n == 5
    # A column that is the answer and as much noise again: R² = 1 / (1 + 1).
    half = read_out((amount + noise)[:, None], {"amount": amount}, PICTURE)["amount"]
    assert half.value == pytest.approx(0.5, abs=0.06)
    assert half.interval.low < half.value < half.interval.high


def test_independent_embeddings_and_constant_ones_are_guessing(rng):
    answers = {"amount": rng.standard_normal(B), "yes": rng.random(B) < 0.5}
    for x in (rng.standard_normal((B, 20)), np.full((B, 20), 0.1)):
        found = read_out(x, answers, PICTURE)
        assert abs(found["amount"].value - AMOUNT.chance) < 0.05
        assert found["yes"].value == pytest.approx(YES_NO.chance, abs=0.08)
    assert found["yes"].value == 0.5


def test_pictures_are_never_on_both_sides(rng):
    """The code of a picture tells everything about its own views; about other pictures' it must tell nothing."""
    code = rng.standard_normal((250, 100))
    answer = rng.standard_normal(250)
    assert read_out(code[PICTURE], {"a": answer[PICTURE]}, PICTURE)["a"].value < 0.1


def test_folds_that_share_pictures_are_less_sure_than_five_of_their_own():
    found = _over_folds([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.value == pytest.approx(0.3)
    spread = np.std([0.1, 0.2, 0.3, 0.4, 0.5], ddof=1)
    assert found.interval.high - 0.3 == pytest.approx(2.7764451051977987 * spread * np.sqrt(1 / 5 + 1 / 4))
    assert _over_folds([0.4]).interval is None


def test_what_never_varies_is_not_asked(rng):
    few = np.arange(B) < 9
    answers = {"same": np.ones(B), "never": np.zeros(B, bool), "few": few}
    assert read_out(rng.standard_normal((B, 3)), answers, PICTURE) == dict.fromkeys(answers)


def test_too_few_pictures_are_a_sentence(rng):
    with pytest.raises(DataError, match="pictures.*5 or more"):
        read_out(rng.standard_normal((8, 2)), {"a": np.arange(8.0)}, np.arange(8) % 4)


# -- drawn and encoded ---------------------------------------------------------------------------------------------------
class Eye(SimClr):
    """h: mean light of the picture's four quarters; z: the mean of all, which no flip changes."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def forward(self, x):
        quarters = torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)
        return quarters, x.mean((1, 2, 3))[:, None]


def seen(augment: AugmentConfig):
    ramp = np.linspace(20, 220, 16).astype(np.uint8)
    image = np.clip(ramp[None, None, :, None] + np.arange(30)[:, None, None, None], 0, 255).astype(np.uint8)
    image = np.broadcast_to(image, (30, 16, 16, 3)).copy()
    images = ImageSet(image=image, label=None, index=np.arange(30), spec="", split="test")
    return encode_drawn(SimpleNamespace(module=Eye(), image_size=None), images, augment)


def test_a_flip_is_read_off_what_it_turns_and_not_off_what_it_leaves():
    only_flip = AugmentConfig(crop_scale=(1.0, 1.0), jitter_p=0.0, grayscale_p=0.0)
    views = seen(only_flip)
    assert len(views.h) == len(views.picture) == 30 * VIEWS
    assert views.drawn.area.tolist() == [1] * 120
    found = read_all(views)
    assert found["h"]["flipped"].value == 1
    assert found["z"]["flipped"].value == pytest.approx(0.5, abs=0.15)
    assert {name for name, score in found["h"].items() if score} == {"flipped"}
    said = json.loads(json.dumps(readout_to_json(found), allow_nan=False))
    assert said["h"]["flipped"]["measure"] == "auc"
    assert said["h"]["flipped"]["chance"] == 0.5
    assert said["h"]["grey"] is None


def test_what_was_drawn_is_in_its_units():
    drawn = seen(AugmentConfig(crop_scale=(0.3, 0.9), blur_p=0.5)).drawn
    assert 0.25 < drawn.area.min() < drawn.area.max() < 0.95
    for place in (drawn.across, drawn.down):
        assert 0.2 < place.min() < place.max() < 0.8
    assert drawn.flipped.mean() == pytest.approx(0.5, abs=0.15)
    assert drawn.grey.mean() == pytest.approx(0.2, abs=0.15)
    assert ((drawn.sigma == 0) | (drawn.sigma >= 0.1)).all()
    assert np.ptp(drawn.jitter[:, 0]) > 0.3


@pytest.mark.parametrize("name", READOUTS)
def test_an_entry_answers_every_view_and_speaks_both_languages(name):
    views, entry = seen(AugmentConfig(blur_p=0.5)), READOUTS[name]
    answer = entry.run(views.drawn)
    assert len(answer) == len(views.picture)
    assert (answer.dtype == bool) == (entry.scale is YES_NO)
    assert all(entry.label)
    assert entry.source
