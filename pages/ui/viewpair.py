"""One pair of views: what was drawn for each, every step as a picture, and how far encoders find it moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

from pages.ui import figures, state, twins, viewmatch, viewmorph
from pages.ui.classroom import public
from pages.ui.components.views import Hands
from pages.ui.components.views import packed as packed_hands
from pages.ui.frame import error_frame
from pages.ui.numbertable import NOTHING, Row, number_table, short
from pages.ui.text import escape_markdown, label, t
from pages.ui.widgets import KEEP, LIVE, figure_with_table
from simclr_core.config import AugmentConfig
from simclr_core.errors import SimclrError
from simclr_core.operations import OPERATIONS
from simclr_core.records import ImageSet
from simclr_core.store import RunDir

if TYPE_CHECKING:
    from simclr_core.checkpoints import Encoder
    from simclr_core.viewsteps import Step, Strip

PICTURES, IMAGE, OTHER, SEED = "views.pictures", "views.image", "views.other", "views.seed"
BUNDLED = ("emoji", "demo")  # the coloured ones first
OWN, SAME = "run", "same"
LAST_SEED = 9999
SPACES = ("h", "z")
BETWEEN = 4  # places of each operation at which distances are measured


class Looked(NamedTuple):
    """What the page looks at: pictures, two of them (the same one for a positive pair), a seed, and encoders by name."""

    images: ImageSet
    rows: tuple[int, int]
    seed: int
    run: RunDir | None
    encoders: dict[str, Encoder]

    @property
    def size(self) -> int | None:
        """Edge of a view in pixels where the encoders want one."""
        return next((e.image_size for e in self.encoders.values()), None)

    @property
    def stamp(self) -> tuple[Any, ...]:
        """What a cached measurement on these pictures by these encoders depends on."""
        of_run = (str(self.run.path), twins.encoder_stamp(self.run)) if self.run is not None and self.encoders else ()
        return (self.images.spec, *of_run)


# -- controls ------------------------------------------------------------------------------------------------------------
def choose() -> Looked:
    """Pictures, one or two of them, and the seed; all in the URL."""
    run = state.current()
    images = _pictures(run)
    rows = [str(row) for row in range(len(images))]
    state.follow_url(IMAGE, rows, rows[0])
    state.follow_url(OTHER, [SAME, *rows], SAME)
    state.follow_number(SEED, 0, LAST_SEED, 0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            t("views.image"),
            rows,
            key=IMAGE,
            format_func=lambda row: _named(images, row),
            width=210,
            persist_state=KEEP,
        )
        st.selectbox(
            t("views.other"), [SAME, *rows], key=OTHER, help=t("views.other_help"), width=210, persist_state=KEEP,
            format_func=lambda row: t("views.same") if row == SAME else _named(images, row),
        )  # fmt: skip
        st.number_input(t("map.seed"), 0, LAST_SEED, key=SEED, step=1, persist_state=KEEP, width=130)
        st.button(t("views.again"), key="views.again", icon=":material/casino:", on_click=_draw_again)
    first = int(st.session_state[IMAGE])
    second = first if st.session_state[OTHER] == SAME else int(st.session_state[OTHER])
    return Looked(images, (first, second), int(st.session_state[SEED]), run, _encoders(run, images))


def _draw_again() -> None:
    st.session_state[SEED] = (st.session_state[SEED] + 1) % (LAST_SEED + 1)


def _pictures(run: RunDir | None) -> ImageSet:
    """The held-out part of a bundled set or of the run's own pictures."""
    own = run is not None and state.spec_of(run) not in (None, *BUNDLED) and not twins.pictures_missing(run)
    known = [*BUNDLED, OWN] if own else list(BUNDLED)
    state.follow_url(PICTURES, known, BUNDLED[0])
    chosen = st.segmented_control(
        t("views.pictures"), known, key=PICTURES, required=True, persist_state=KEEP,
        format_func=lambda name: t(f"views.of.{name}"),
    )  # fmt: skip
    if chosen == OWN and run is not None and (found := state.pictures(run)) is not None:
        return found
    return state.load_pictures(chosen, "test")


def _named(images: ImageSet, row: str) -> str:
    if images.label is None or not images.class_names:
        return row
    return f"{row} · {images.class_names[int(images.label[int(row)])]}"


def _encoders(run: RunDir | None, images: ImageSet) -> dict[str, Encoder]:
    """The loaded run's encoders; where there are none, or they learned from other pictures, a line says so."""
    try:
        with st.spinner(t("pairs.loading")):
            found = twins.encoders(run)
    except SimclrError as error:
        st.warning(public(error), icon=":material/warning:")
        return {}
    if run is None or not found:
        st.info(t("views.no_encoder"), icon=":material/info:")
        return {}
    name = state.called(run)
    known = state.spec_of(run) == images.spec
    st.caption(t("views.encoder" if known else "views.encoder_of_others", name=escape_markdown(name)))
    return found


# -- the pair ------------------------------------------------------------------------------------------------------------
@st.cache_resource(max_entries=32, show_spinner=False)
def _strips(views: str, hands: str, _hands: Hands, _looked: Looked, _augment: AugmentConfig) -> Any:
    import torch

    from simclr_core.viewsteps import strips

    torch.set_num_threads(1)
    pictures = _looked.images.image[list(_looked.rows)]
    return strips(
        pictures, _augment, _looked.encoders, seed=_looked.seed, size=_looked.size, hands=_hands, between=BETWEEN
    )


@st.fragment
def show(looked: Looked, augment: AugmentConfig) -> None:
    """Both views step by step, then their distance."""
    with error_frame():
        views = viewmorph.stamp(looked, augment)
        hands = viewmorph.hands_on(views)
        both: tuple[Strip, Strip] = _strips(views, packed_hands(hands), hands, looked, augment)
        viewmorph.show(looked, both, hands, views)
        with st.expander(t("common.as_table"), icon=":material/table_rows:"):
            for number, strip in enumerate(both, 1):
                st.markdown(f"**{t('pairs.view', number=number)}**")
                _strip(strip)
            st.caption(t("views.distance_how"))
        _pair(looked, both, augment)


def drawn(step: Step) -> str:
    """What was drawn for a step, in words."""
    values = step.drawn
    if step.operation == "crop":
        top, left, height, width = map(int, values)
        return t("views.drawn.crop", top=top, left=left, height=height, width=width)
    if step.operation == "hue":
        return t("views.drawn.hue", degrees=f"{360 * values[0]:+.0f}".replace("-", "−"))
    if step.operation == "blur":
        return t("views.drawn.blur", sigma=f"{values[0]:.2f}")
    return f"× {values[0]:.2f}" if values else ""


def _strip(strip: Strip) -> None:
    """A line a step with what was drawn, what it removed, and how far it moved the picture."""
    done = [(t("pairs.original_short"), "", t("views.nothing_yet"))]
    for step in strip.steps:
        operation = OPERATIONS[step.operation]
        done.append((label(operation.label), drawn(step), label(operation.help)))
    moved, rows = strip.moved(), []
    for i, (name, said, removed) in enumerate(done):
        notes = [note for note in (said, removed) if note]
        at = {way: distance[i * strip.between] for way, distance in moved.items()}
        rows.append(Row(f"{i} {name}", notes, _cells(at)))
    spaces = SPACES if strip.embedding else ()
    number_table([t("views.step"), t("views.column.pixels"), *(t("views.column.space", space=s) for s in spaces)], rows)


def _cells(distance: dict[str, float]) -> list[str]:
    """Pixels; then of h and z the trained encoder's, with the untrained one's below."""
    spaces = SPACES if len(distance) > 1 else ()
    both = (f"{short(distance[f'encoder_{s}'])}\n{short(distance[f'untrained_{s}'])}" for s in spaces)
    return [short(distance["pixels"]), *both]


def _pair(looked: Looked, both: tuple[Strip, Strip], augment: AugmentConfig) -> None:
    """The distance of the two views in every space, as a share of the mean distance of views of different pictures."""
    found = viewmatch.measure(looked, augment)
    distance = both[0].apart(both[1])
    usual = {
        name: found.apart if name == "pixels" else float(1 - found.ways[name].negative.mean()) for name in distance
    }
    names = [viewmatch.name_of(name) for name in distance]
    share = np.array([distance[name] / usual[name] if usual[name] else np.nan for name in distance])
    figure = figures.blank(t("views.share_axis"), "", height=110 + 36 * len(names))
    figure.add_bar(
        x=share,
        y=names,
        orientation="h",
        marker={"color": figures.PALETTE[0]},
        text=[NOTHING if np.isnan(s) else f"{s:.0%}" for s in share],
        textposition="outside",
        cliponaxis=False,
    )
    figures.add_mark(figure, figures.Reference(1.0, t("views.different")))
    figure.update_xaxes(range=[0, 1.12 * max(1.0, np.nan_to_num(share).max())], tickformat=".0%")
    figure.update_yaxes(autorange="reversed", type="category")
    table = {
        t("views.way"): names,
        t("views.this_pair"): list(distance.values()),
        t("views.different"): list(usual.values()),
        t("views.share_axis"): share,
    }
    kind = "positive" if looked.rows[0] == looked.rows[1] else "false"
    figure_with_table(figure, table, "views.pair", origin=LIVE, caption=t(f"views.{kind}_pair"))
