"""Why two pictures are nearly the same to the encoder: a dialog over the galleries that such a pair is chosen from.

Torch is imported and the encoder read when the first pair is asked about; what random pairs are to it is measured once.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import partial
from html import escape
from io import BytesIO
from threading import Lock

import numpy as np
import streamlit as st

from pages.ui import state, twins
from pages.ui.frame import error_frame
from pages.ui.numbertable import Row, number_table, short
from pages.ui.shown import Shown
from pages.ui.text import label, t
from simclr_core.likeness import REMOVALS, colour_reference
from simclr_core.operations import OPERATIONS
from simclr_core.records import ImageSet, Space
from simclr_core.saliency import Occlusion
from simclr_core.store import RunDir
from simclr_core.why import VIEWS, Eye, Inquiry, Why, words

ONE, OTHER, STOPPED = "one", "other", "collapse.why.stopped"
STEP, TICK = 2.0, 0.5  # seconds of work between two looks at the page, and between two such steps
EDGE = 224  # of a picture with its regions, pixels
ALIKE, APART = (230, 159, 0), (0, 114, 178)  # orange and blue: told apart also without red and green
STRONG = 0.75  # opacity of the strongest region
_STYLE = """
<style>
.why { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-end; }
.why figure { margin: 0; }
.why img { width: 224px; max-width: 100%; border-radius: 6px; }
.why figcaption { font-size: 12.5px; padding-top: 3px; }
.why .scale { width: 224px; height: 12px; border-radius: 6px; border: 1px solid rgb(128 128 128 / 40%);
  background: linear-gradient(90deg, rgb(0 114 178 / 75%), transparent, rgb(230 159 0 / 75%)); }
.why .ends { display: flex; justify-content: space-between; font-size: 12.5px; width: 224px; gap: 8px; }
</style>
"""


# -- which pair ----------------------------------------------------------------------------------------------------------
def button(shown: Shown, i: int, j: int, key: str) -> None:
    """Ask about two rows."""
    if st.button(t("collapse.why"), key=key, type="tertiary", icon=":material/help:", help=t("collapse.why_help")):
        st.session_state[ONE], st.session_state[OTHER] = str(shown.index(i)), str(shown.index(j))
        st.rerun()


def show(shown: Shown) -> None:
    """The dialog on the pair that the URL names; nothing where it names none. Comes last: its sentences end the page."""
    for key in (ONE, OTHER):
        state.follow_url(key, shown.numbered, None)
    one, other = (st.session_state[key] for key in (ONE, OTHER))
    if one is not None and other is not None and one != other:
        told = partial(_told, shown, shown.numbered[one], shown.numbered[other])
        st.dialog(t("collapse.why_title"), width="medium", icon=":material/help:", on_dismiss=_forget)(told)()


def _forget() -> None:
    st.session_state[ONE] = st.session_state[OTHER] = None
    _stop(False)


# -- what is known of it -------------------------------------------------------------------------------------------------
@state.kept(4)
def _eye(run: RunDir, space: Space, _pictures: ImageSet) -> Eye:
    from simclr_core.encode import eye_of

    return eye_of(twins.encoder(run), space, _pictures)


@state.kept(4)
def _colours(run: RunDir, _pictures: ImageSet) -> np.ndarray:
    return colour_reference(_pictures.image)


@dataclass(kw_only=True, eq=False)
class _Asked:
    """An inquiry that several sessions may wait for, and who of them goes on with it."""

    inquiry: Inquiry
    lock: Lock = field(default_factory=Lock)

    def work(self, seconds: float) -> Why:
        """Go on for about so many seconds; what is then known."""
        with self.lock:
            return self.inquiry.work(seconds)


@state.kept(16)
def _asked(run: RunDir, space: Space, i: int, j: int, _shown: Shown) -> _Asked:
    pictures, pair = _shown.pictures, _pair(_shown, i, j)
    assert pictures is not None
    assert pair is not None
    unasked = run.latest_checkpoint is None or np.array_equal(*pair)
    eye = None if unasked else _eye(run, space, pictures)
    return _Asked(inquiry=Inquiry(*pair, colours=_colours(run, pictures), same_class=_shown.same_class(i, j), eye=eye))


def _pair(shown: Shown, i: int, j: int) -> np.ndarray | None:
    one, other = shown.picture(i), shown.picture(j)
    return None if one is None or other is None else np.stack([one, other])


def _told(shown: Shown, i: int, j: int) -> None:
    """Everything about a pair: the pictures with their regions, what it comes to, the numbers."""
    run, pair = shown.run, _pair(shown, i, j)
    with error_frame():
        if pair is None:
            st.info(shown.missing or t("collapse.why_no_picture"), icon=":material/info:")
            return
        with st.spinner(t("collapse.why_measuring")):
            asked = _asked(run, shown.found.space, i, j, shown)
            if not st.session_state.get(STOPPED):
                asked.work(STEP)
        titles = [shown.title(row) for row in (i, j)]
        going = not (asked.inquiry.whole or st.session_state.get(STOPPED))
        if going:
            st.fragment(_growing, run_every=TICK)(titles, pair, asked)
            return
        _progress(asked.inquiry)
        evidence(titles, pair, asked.inquiry.known)
        numbers(asked.inquiry.known)
        if run.latest_checkpoint is None and not asked.inquiry.known.copy:
            st.info(t("collapse.why_no_encoder"), icon=":material/info:")


def _growing(titles: list[str], pair: np.ndarray, asked: _Asked) -> None:
    """What is known so far, redrawn while the rest is measured a few seconds at a time, so that a press of Stop is heard."""
    with error_frame():
        if not st.session_state.get(STOPPED):
            asked.work(STEP)
        if asked.inquiry.whole or st.session_state.get(STOPPED):
            st.rerun()
        _progress(asked.inquiry)
        evidence(titles, pair, asked.inquiry.known)


def _progress(inquiry: Inquiry) -> None:
    """How far it has come, and the button that stops it or lets it go on; nothing once all is known."""
    if inquiry.whole:
        return
    stopped = bool(st.session_state.get(STOPPED))
    said = t(f"collapse.why_{'stopped' if stopped else 'asking'}", done=inquiry.encoded, all=inquiry.asked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(inquiry.share, text=said)
        st.button(
            t("collapse.why_go_on" if stopped else "collapse.why_stop"), key="collapse.why_stop",
            icon=":material/play_arrow:" if stopped else ":material/stop:", on_click=_stop, args=(not stopped,),
        )  # fmt: skip


def _stop(stop: bool) -> None:
    st.session_state[STOPPED] = stop


def evidence(titles: list[str], pair: np.ndarray, why: Why) -> None:
    """Both pictures with their regions, and what it comes to in words."""
    regions(titles, pair, why.seen)
    st.markdown("\n".join(f"- {label(sentence)}" for sentence in words(why)))


# -- where ---------------------------------------------------------------------------------------------------------------
def regions(titles: list[str], pair: np.ndarray, seen: Occlusion | None) -> None:
    """Both pictures, their regions coloured where they are known, and the scale of the colours."""
    lost = [None, None] if seen is None else [seen.one, seen.other]
    most = max([1e-12, *(float(np.abs(cells).max()) for cells in lost if cells is not None)])
    figures = "".join(map(_figure, titles, pair, lost, [most] * 2))
    ends = "".join(
        f"<span>{escape(t(f'collapse.why_{k}', value=short(v)))}</span>" for k, v in (("apart", -most), ("alike", most))
    )
    scale = f'<div><div class="scale"></div><div class="ends">{ends}</div></div>' if seen else ""
    st.html(f'{_STYLE}<div class="why">{figures}{scale}</div>')
    if seen is not None:
        st.caption(t("collapse.why_regions"))


def _figure(title: str, image: np.ndarray, lost: np.ndarray | None, most: float) -> str:
    alt = escape(title if lost is None else t("collapse.why_alt", title=title), quote=True)
    return f'<figure><img src="{overlaid(image, lost, most)}" alt="{alt}"><figcaption>{escape(title)}</figcaption></figure>'


def overlaid(image: np.ndarray, lost: np.ndarray | None, most: float) -> str:
    """A picture as a data address, each cell coloured by the cosine that covering it costs; the strongest is framed."""
    from PIL import Image, ImageDraw

    high, wide = (EDGE * np.array(image.shape[:2]) / max(image.shape[:2])).round().astype(int)
    shown = Image.fromarray(image).resize((wide, high), Image.Resampling.NEAREST).convert("RGBA")
    if lost is not None:
        colour = np.zeros((*lost.shape, 4), np.uint8)
        colour[..., :3] = np.where(lost[..., None] > 0, ALIKE, APART)
        colour[..., 3] = np.round(255 * STRONG * np.abs(lost) / most)
        layer = Image.fromarray(colour).resize((wide, high), Image.Resampling.NEAREST)
        shown = Image.alpha_composite(shown, layer)
        step = np.array([wide, high]) / lost.shape[::-1]
        corner = np.array(np.unravel_index(np.abs(lost).argmax(), lost.shape)[::-1]) * step
        ImageDraw.Draw(shown).rectangle([*corner, *(corner + step - 1)], outline="white", width=2)
    buffer = BytesIO()
    shown.convert("RGB").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


# -- the numbers ---------------------------------------------------------------------------------------------------------
def numbers(why: Why) -> None:
    """The pair after each removal beside random pairs, its views with each operation left out, and the regions' cells."""
    if why.whole is not None:
        rows = [Row(t("collapse.why_whole"), (), (short(why.whole.value), f"{why.whole.above:.1%}"))]
        for name, found in why.removed.items():
            choice = REMOVALS[name]
            title = t("collapse.why_without", what=label(choice.label))
            rows.append(Row(title, (label(choice.help),), (short(found.value), f"{found.above:.1%}")))
        number_table([t("collapse.why_taken"), t("collapse.cosine_column"), t("collapse.why_above")], rows)
        st.caption(t("collapse.why_how"))
    if why.views:
        rows = [Row(t("collapse.why_recipe"), (), (f"{why.views['']:.3f}",))]
        for name, auc in why.views.items():
            if name:
                title = t("collapse.why_left_out", what=label(OPERATIONS[name].label))
                rows.append(Row(title, (label(OPERATIONS[name].help),), (f"{auc:.3f}",)))
        number_table([t("collapse.why_views"), t("collapse.why_auc")], rows)
        st.caption(t("collapse.why_views_how", views=VIEWS))
    if why.seen is None:
        return
    with st.expander(t("common.as_table"), icon=":material/table_rows:"):
        for key, lost in (("first", why.seen.one), ("second", why.seen.other)):
            st.caption(t("collapse.why_cells", which=t(f"collapse.{key}")))
            st.dataframe(np.round(lost, 4), hide_index=True, key=f"collapse.why.cells.{key}")
