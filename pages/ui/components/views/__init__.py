"""Two pictures on their way to their views in the browser: played step by step, the crop and the strengths set by hand.

The browser computes the pixels (`picture.js`, tested against the core); every distance is the core's.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from pages.ui.components.shared import bundle, style

HERE = Path(__file__).parent
ENTRY = HERE / "views.js"
_COMPONENT = st.components.v2.component("views_morph", js=bundle(ENTRY), css=style(ENTRY))

Hand = dict[str, tuple[float, ...]]  # operation → what a person set of it, as `viewsteps.by_hand` takes it
Hands = tuple[Hand, Hand]
NONE: Hands = ({}, {})
AMOUNTS = ("brightness", "contrast", "saturation", "hue", "blur")
NUMBER = re.compile(r"-?\d{1,4}(\.\d{1,4})?", re.ASCII)
LONGEST = 300


def read_hands(asked: Any) -> Hands:
    """What was set by hand, as the browser says it: two dicts; whatever is none of it is left out."""
    if not isinstance(asked, Sequence) or isinstance(asked, str) or len(asked) != 2:
        return NONE
    first, second = (_hand(one) for one in asked)
    return first, second


def _hand(asked: Any) -> Hand:
    found = {}
    for name, values in asked.items() if isinstance(asked, Mapping) else ():
        count = 4 if name == "crop" else 1 if name in AMOUNTS else 0
        if isinstance(values, list | tuple) and len(values) == count > 0 and all(_number(v) for v in values):
            found[name] = tuple(round(float(v), 4) for v in values)
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e4


def packed(hands: Hands) -> str:
    """Hands for the URL: "crop=1,2,20,20;hue=0.1|blur=0.5"; "" for none."""
    texts = [";".join(f"{k}={','.join(f'{v:g}' for v in values)}" for k, values in hand.items()) for hand in hands]
    return "|".join(texts) if any(texts) else ""


def unpacked(text: str) -> Hands:
    """The hands of a URL; what is none is left out."""
    if len(text) > LONGEST or text.count("|") != 1:
        return NONE
    pairs = [[item.partition("=")[::2] for item in one.split(";")] for one in text.split("|")]
    numbers = [{k: v.split(",") for k, v in one if all(map(NUMBER.fullmatch, v.split(",")))} for one in pairs]
    return read_hands([{k: [float(x) for x in v] for k, v in one.items()} for one in numbers])


def encoded(picture: UInt8[np.ndarray, "h w 3"]) -> dict[str, Any]:
    """A picture as the browser takes it."""
    height, width = picture.shape[:2]
    return {"pixels": b64encode(picture.tobytes()).decode(), "height": height, "width": width}


def views_morph(data: Mapping[str, Any], *, key: str, on_hand: Callable[[], None]) -> None:
    """Show the two views.

    Args:
        data: `stamp` (other views begin anew), `size`, `between`, `views` (picture, steps, distances row by row), `ways`,
            `limits`, `crop`, `hands`, `texts`, `lang`, `hide`; made by `viewmorph`.
        key: `st.session_state[key]["hand"]` holds what was last set by hand, with the stamp of the views it was set on.
        on_hand: called a quarter of a second after a hand was lifted.
    """
    _COMPONENT(key=key, data=data, on_hand_change=on_hand)
