"""Steps of a view: they end in the very view that a recipe draws, and each of them changes what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr_core.augment import JITTER, apply, draw
from simclr_core.checkpoints import Encoder, load_encoder
from simclr_core.config import AugmentConfig, ModelConfig, RunConfig
from simclr_core.encode import to_pixels
from simclr_core.matching import PIXELS, pixel_distance
from simclr_core.model import build_model
from simclr_core.operations import NOTHING, OPERATIONS, at_strength
from simclr_core.train import save_model
from simclr_core.viewsteps import LIMITS, by_hand, steps, strips

ALL = AugmentConfig(grayscale_p=0.5, blur_p=0.5, blur_sigma=(0.5, 2.0))  # σ = 0.1 moves no bit of a float32
SIDE = 16


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> dict[str, Encoder]:
    """Two networks with other weights."""
    config, folder = RunConfig(model=ModelConfig(hidden_dim=16, proj_dim=8)), tmp_path_factory.mktemp("encoders")
    for seed, name in enumerate(("untrained", "encoder")):
        save_model(build_model(config.model, seed=seed), config, folder / f"{name}.safetensors")
    return {name: load_encoder(str(folder / f"{name}.safetensors")) for name in ("untrained", "encoder")}


def draws_of(seed: int, augment: AugmentConfig = ALL):
    return draw(1, augment, torch.Generator().manual_seed(seed), height=SIDE, width=SIDE)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_steps_begin_with_the_picture_and_end_with_the_view(seed):
    draws = draws_of(seed)
    x = torch.randint(0, 256, (1, 3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    found, rows = steps(draws, height=SIDE, width=SIDE)
    stages = apply(x.expand(len(found) + 1, -1, -1, -1), rows)
    torch.testing.assert_close(stages[0], x[0] / 255)
    torch.testing.assert_close(stages[-1:], apply(x, draws))
    for before, after, step in zip(stages, stages[1:], found, strict=False):
        if step.operation not in ("hue", "saturation", "grey") or (before != before[:1]).any():
            assert not torch.equal(before, after), step


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_steps_say_what_was_drawn_in_the_order_of_application(seed):
    draws = draws_of(seed)
    found, _ = steps(draws, height=SIDE, width=SIDE)
    said = {step.operation: step.drawn for step in found}
    assert len(said) == len(found)
    assert set(said) <= set(OPERATIONS)
    assert said.get("crop", (0, 0, SIDE, SIDE)) == tuple(draws.box[0].tolist())
    assert ("flip" in said, "grey" in said) == (bool(draws.flipped), bool(draws.grey))
    assert said.get("blur", (0.0,))[0] == draws.sigma.item()
    for column, name in enumerate(JITTER):
        assert said.get(name, (0.0 if name == "hue" else 1.0,))[0] == draws.jitter[0, column].item()
    stage = {"crop": 0, "flip": 1, **dict.fromkeys(JITTER, 2), "grey": 3, "blur": 4}
    assert [stage[s.operation] for s in found] == sorted(stage[s.operation] for s in found)
    parts = [s.operation for s in found if s.operation in JITTER]
    assert parts == [list(JITTER)[c] for c in draws.order[0].tolist() if list(JITTER)[c] in parts]


@pytest.mark.parametrize("name", ["crop", "flip", "brightness", "contrast", "saturation", "hue", "grey", "blur"])
def test_one_operation_alone_is_one_step(name):
    found, rows = steps(draws_of(3, at_strength(name, 1.0)), height=SIDE, width=SIDE)
    assert [step.operation for step in found] == [name]
    assert len(rows.box) == 2


def test_nothing_done_is_no_step_and_no_distance(picture, encoders):
    first, second = strips(np.stack([picture, picture]), NOTHING, encoders)
    assert first.steps == second.steps == ()
    assert np.array_equal(first.pixels[0], picture)
    assert set(first.apart(second).values()) == {0.0}


def test_distances_start_at_nothing_and_are_those_of_the_last_rows(picture, encoders):
    first, second = strips(np.stack([picture, picture]), ALL, encoders, seed=4)
    moved = first.moved()
    assert list(moved) == [PIXELS, "untrained_h", "untrained_z", "encoder_h", "encoder_z"]
    assert all(len(m) == len(first.steps) + 1 and m[0] == 0 and (m[1:] > 0).all() for m in moved.values())
    a, b = first.embedding["encoder_z"][-1], second.embedding["encoder_z"][-1]
    apart = first.apart(second)
    assert apart["encoder_z"] == pytest.approx(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert apart[PIXELS] == pixel_distance(first.pixels[-1:], second.pixels[-1:])[0]
    assert apart == second.apart(first)


def test_draws_do_not_depend_on_the_pictures(picture, encoders):
    """So a false pair has the steps of the positive pair of the same seed."""
    other = 255 - picture
    pair = strips(np.stack([picture, picture]), ALL, {}, seed=2)
    false = strips(np.stack([picture, other]), ALL, {}, seed=2)
    assert [s.steps for s in pair] == [s.steps for s in false]
    assert np.array_equal(pair[0].pixels, false[0].pixels)
    assert not np.array_equal(pair[1].pixels, false[1].pixels)


def test_views_have_the_size_asked_for(picture):
    first, _ = strips(np.stack([picture, picture]), replace(ALL, flip_p=1.0), {}, size=24)
    assert first.pixels.shape[1:] == (24, 24, 3)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None]
    draws = draw(2, replace(ALL, flip_p=1.0), torch.Generator().manual_seed(0), height=SIDE, width=SIDE)
    assert np.array_equal(first.pixels[-1:], to_pixels(apply(x, draws[:1], size=24)))


def test_rows_between_steps_lead_evenly_from_one_to_the_next(picture, encoders):
    few, many = (strips(np.stack([picture, picture]), ALL, encoders, seed=4, between=b)[0] for b in (1, 4))
    assert len(many.pixels) == 4 * len(few.steps) + 1
    assert np.array_equal(many.pixels[::4], few.pixels)
    for name, moved in few.moved().items():
        assert many.moved()[name][::4] == pytest.approx(moved, abs=1e-6)
    draws = draws_of(4)
    found, rows = steps(draws, height=SIDE, width=SIDE, between=4)
    at = [s.operation for s in found].index("crop")
    half = (torch.tensor([0, 0, SIDE, SIDE]) + draws.box[0]) / 2
    torch.testing.assert_close(rows.box[4 * at + 2], half)
    assert not rows.flipped[:-1][~rows.flipped[1:]].any(), "once turned it stays so"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), box=st.tuples(*[st.floats(-50, 50)] * 4), amount=st.floats(-9, 9))
def test_a_hand_changes_what_was_drawn_within_limits(seed, box, amount):
    draws = draws_of(seed)
    changes = {"crop": box} | dict.fromkeys((*JITTER, "blur"), (amount,))
    new = by_hand(draws, changes, height=SIDE, width=SIDE)
    top, left, height, width = new.box[0].tolist()
    assert min(height, width) >= 1
    assert min(top, left) >= 0
    assert max(top + height, left + width) <= SIDE
    for column, name in enumerate(JITTER):
        was, now = draws.jitter[0, column].item(), new.jitter[0, column].item()
        low, high = LIMITS[name]
        wanted = min(max(amount, low), high) if was != (0 if name == "hue" else 1) else was
        assert now == pytest.approx(wanted, abs=1e-6), "what was not drawn stays out"
    assert (new.sigma > 0).item() == (draws.sigma > 0).item()
    assert torch.equal(by_hand(draws, {}, height=SIDE, width=SIDE).jitter, draws.jitter)
