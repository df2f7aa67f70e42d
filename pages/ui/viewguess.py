"""Five rounds: which of two pairs of views does the encoder place further apart? Chosen first, then told with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import teacher, twins, viewmatch
from pages.ui.frame import error_frame
from pages.ui.gallery import Tile, gallery
from pages.ui.numbertable import short
from pages.ui.text import t
from pages.ui.viewmorph import stamp
from pages.ui.viewrecipe import packed
from simclr_core.config import AugmentConfig

if TYPE_CHECKING:
    from pages.ui.viewpair import Looked
    from simclr_core.matching import Matching

CHOSEN = "views.guesses"
JUDGE = "encoder_z"
SIDES = ("A", "B")


@st.cache_resource(max_entries=8, show_spinner=False)
def _views(key: tuple[Any, ...], recipe: str, _looked: Looked, _augment: AugmentConfig) -> Any:
    """The views that `viewmatch.measure` compared, (n, s, s, 3) each, and how far apart their pixels are."""
    from simclr_core.encode import draw_views, to_pixels
    from simclr_core.matching import pixel_distance

    a, b = map(to_pixels, draw_views(_looked.images.sample(viewmatch.LIVE), _augment, 0, _looked.size))
    return a, b, pixel_distance(a, b)


@st.fragment
def show(looked: Looked, augment: AugmentConfig, found: Matching) -> None:
    """The round at hand; a seed and a recipe have five of them."""
    from simclr_core.matching import contests

    with error_frame():
        st.markdown(t("views.guess.lead"))
        if JUDGE not in found.ways:
            st.info(t("views.guess.no_encoder"), icon=":material/info:")
            return
        apart = 1 - found.ways[JUDGE].positive
        rounds = contests(apart, seed=looked.seed)
        views = stamp(looked, augment)
        if CHOSEN not in st.session_state or st.session_state[CHOSEN][0] != views:
            st.session_state[CHOSEN] = (views, [], False)
        _, chosen, told = st.session_state[CHOSEN]
        number = len(chosen) - told
        pair = rounds[number]
        far = int(apart[pair[1]] > apart[pair[0]])
        st.caption(t("views.guess.round", number=number + 1, rounds=len(rounds)))
        a, b, pixels = _views(looked.stamp, packed(augment), looked, augment)
        told = told and not teacher.hides("answers")
        for side, (cell, row) in enumerate(zip(st.columns(2), pair, strict=True)):
            with cell, st.container(border=True):
                numbers = t("views.guess.numbers", z=short(apart[row]), pixels=short(pixels[row])) if told else ""
                _pair(side, a[row], b[row], numbers, open_=len(chosen) == number)
        if len(chosen) > number:
            _tell(
                chosen,
                [int(apart[q] > apart[p]) for p, q in rounds[: len(chosen)]],
                len(rounds),
                pixels[pair[far]] < pixels[pair[1 - far]],
            )


def _pair(side: int, a: Any, b: Any, numbers: str, *, open_: bool) -> None:
    st.markdown(f"**{SIDES[side]}** {numbers}")
    gallery([Tile(twins.data_url(v), t("pairs.view", number=i)) for i, v in enumerate((a, b), 1)])
    if open_:
        name = t("views.guess.choose", side=SIDES[side])
        st.button(name, key=f"views.guess.{side}", on_click=_choose, args=(side,))


def _choose(side: int) -> None:
    views, chosen, _ = st.session_state[CHOSEN]
    st.session_state[CHOSEN] = (views, [*chosen, side], True)


def _next(*, again: bool) -> None:
    views, chosen, _ = st.session_state[CHOSEN]
    st.session_state[CHOSEN] = (views, [] if again else chosen, False)


def _tell(chosen: list[int], far: list[int], rounds: int, pixels_differ: bool) -> None:
    """Whether the choice was right, what pixels say, and on to the next round or the score."""
    if teacher.hides("answers"):
        st.caption(t("teach.kept"))
    else:
        right = chosen[-1] == far[-1]
        why = t("views.guess.differ" if pixels_differ else "views.guess.agree")
        say = st.success if right else st.info
        said = t("views.guess.right" if right else "views.guess.wrong", side=SIDES[far[-1]])
        say(f"{said} {why}", icon=":material/check:" if right else ":material/lightbulb:")
    over = len(chosen) == rounds
    if over and not teacher.hides("answers"):
        hits = sum(c == f for c, f in zip(chosen, far, strict=True))
        st.markdown(t("views.guess.score", hits=hits, rounds=rounds))
    st.button(
        t("views.guess.again" if over else "views.guess.next"),
        key="views.guess.next",
        on_click=_next,
        kwargs={"again": over},
    )
