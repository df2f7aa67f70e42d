"""The Views page's pixels, run by node: what the browser draws of a picture on its way is what the core makes of it."""

from base64 import b64encode

import numpy as np
import pytest
import torch

from pages.ui.components.views import NONE, encoded, packed, read_hands, unpacked
from simclr_core.augment import apply, draw
from simclr_core.config import AugmentConfig
from simclr_core.viewsteps import steps
from tests.node import ask_node

BETWEEN = 4
ALL = AugmentConfig(grayscale_p=0.4, blur_p=0.6, jitter_p=1.0, jitter_strength=1.0, blur_sigma=(0.3, 2.0))
BODY = """cases.map(({ picture, steps, places, size }) => {
  const decoded = { ...picture, pixels: Uint8Array.from(atob(picture.pixels), (c) => c.charCodeAt(0)) }
  return places.map((at) => Array.from(nx.render(decoded, nx.progress(steps, at, decoded), size)))
})"""


def drawn_by_node(cases):
    return ask_node({"nx": "views/picture.js"}, BODY, cases)


@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (20, 28, 24), (40, 40, 16)])
def test_every_place_on_the_way_is_the_cores(height, width, size):
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None]
    cases, expected, operations = [], [], set()
    for seed in range(12):
        draws = draw(1, ALL, torch.Generator().manual_seed(seed), height=height, width=width)
        found, rows = steps(draws, height=height, width=width, between=BETWEEN)
        places = [k / BETWEEN for k in range(BETWEEN * len(found) + 1)]
        said = [{"operation": s.operation, "drawn": s.drawn} for s in found]
        cases.append({"picture": encoded(picture), "steps": said, "places": places, "size": size})
        expected.append(apply(x.expand(len(places), -1, -1, -1), rows, size=size).permute(0, 2, 3, 1).numpy())
        operations |= {s.operation for s in found}
    assert operations == {"crop", "flip", "brightness", "contrast", "saturation", "hue", "grey", "blur"}
    for case, found, wanted in zip(cases, drawn_by_node(cases), expected, strict=True):
        for at, got, want in zip(case["places"], found, wanted, strict=True):
            if at % 1 and case["steps"][int(at)]["operation"] == "grey":
                continue  # fades here; is done or not in the core
            np.testing.assert_allclose(
                np.reshape(got, want.shape), want, atol=2e-5, err_msg=f"at {at} of {case['steps']}"
            )


def test_grey_fades_and_a_flip_waits_for_its_end():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, 0] = (200, 100, 0)
    ask = {"picture": encoded(picture), "size": 2, "places": [0, 0.5, 0.999, 1]}
    grey, flip = drawn_by_node([ask | {"steps": [{"operation": name, "drawn": []}]} for name in ("grey", "flip")])
    whole, half, _, done = (np.reshape(x, (2, 2, 3)) for x in grey)
    np.testing.assert_allclose(half, (whole + done) / 2, atol=1e-9)
    assert np.ptp(done[:, 0]) < 1e-9
    assert flip[0] == flip[1] == flip[2] != flip[3]


# -- what comes back -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "asked",
    [
        None, 3, "ab", [], [{}], [1, 2], [{}, {}, {}], [{"crop": [1, 2, 3]}, {}], [{"flip": [1]}, {"hue": "0.1"}],
        [{"hue": [float("nan")]}, {"hue": [True]}], [{"blur": [1e9]}, {"blur": [None]}],
    ],
)  # fmt: skip
def test_what_is_no_hand_is_left_out(asked):
    assert read_hands(asked) == NONE


def test_hands_survive_the_url():
    hands = read_hands([{"crop": [1, 2, 20, 21], "hue": [-0.123456]}, {"blur": [1.5]}])
    assert hands == ({"crop": (1, 2, 20, 21), "hue": (-0.1235,)}, {"blur": (1.5,)})
    assert unpacked(packed(hands)) == hands
    assert packed(NONE) == ""
    for text in ("", "|", "crop=1", "crop=1,2,3,x|", "hue=1e3|", "a|b|c", "x" * 400 + "|", "hue=٣|"):
        assert unpacked(text) == NONE


def test_a_picture_goes_over_as_it_is():
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert encoded(picture) == {"pixels": b64encode(bytes(range(24))).decode(), "height": 2, "width": 4}
