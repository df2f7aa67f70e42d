"""The parts of the pairs page: all pairs, one picture's views, the pairs that lie farthest apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import figures, pairfigures, parts, routes, state, twins, widgets
from pages.ui.classroom import public
from pages.ui.gallery import Tile, gallery
from pages.ui.text import escape_markdown, t
from simclr_core.config import AugmentConfig
from simclr_core.errors import SimclrError
from simclr_core.pairs import PairDistances, view_distance_matrix
from simclr_core.records import SPACES, Space
from simclr_core.store import RunDir

IMAGE, VIEWS, SEED = "image", "views", "seed"
FEWEST, MOST, USUAL = 2, 16, 6
LAST_SEED = 9999
WORST, LISTED = 6, 100
SUMMARY = ("auc", "overlap", "r_at_1")
MEASURES = ("auc", "overlap", "d_prime", "r_at_1", "mrr")
LENGTHS = ("between", "to_original", "apart", "ratio")


def spaces_of(run: RunDir) -> tuple[Space, ...]:
    """The spaces that this page can speak of, h first."""
    known = state.pairs(run).spaces if state.has_pairs(run) else state.table(run).spaces
    return tuple(s for s in SPACES if s in known)


def summary(run: RunDir, space: Space) -> None:
    """What came of it in three numbers, the untrained encoder's below each; nothing where no pairs are stored."""
    found = {which: twins.distances(run, which, space) for which in twins.BOTH}
    if found["encoder"] is None:
        return
    values = {which: dict(zip(MEASURES, values_of(of), strict=True)) for which, of in found.items()}
    grid = st.grid(3, min_column_width=130, gap="small", border=True)
    for name in SUMMARY:
        before = t("pairs.before", value=values["untrained"][name])
        note = t(f"pairs.{name}_help", chance=chance(found["encoder"]))
        grid.metric(t(f"pairs.{name}"), values["encoder"][name], before, "off", help=note, delta_arrow="off")


def chance(found: PairDistances) -> str:
    """How often a view's nearest candidate is its twin by chance."""
    return f"{1 / (2 * len(found.positive) - 1):.2%}"


# -- all pairs -----------------------------------------------------------------------------------------------------------
def all_pairs(run: RunDir, space: Space) -> None:
    """Histograms of positive and negative pairs with what separates them, trained beside untrained; no torch."""
    found = {which: twins.distances(run, which, space) for which in twins.BOTH}
    here = [d for d in found.values() if d is not None]
    if found["encoder"] is None:
        st.info(t("pairs.no_pairs"), icon=":material/info:")
        return
    st.caption(counts(found["encoder"]))
    together = len(here) > 1 and st.toggle(
        t("pairs.one_scale"), key="pairs.one_scale", help=t("pairs.one_scale_help"), persist_state=widgets.KEEP
    )
    common = pairfigures.limits(*map(cosines, here)) if together else None
    grid = st.grid(2, min_column_width=360, gap="medium")
    for which, distances in found.items():
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"pairs.{which}"))
            separation(distances, which, common)
    names = [t(f"pairs.{m}") for m in MEASURES]
    meanings = [t(f"pairs.{m}_help", chance=chance(found["encoder"])) for m in MEASURES]
    compare(names, {which: values_of(distances) for which, distances in found.items()}, meanings)


def cosines(found: PairDistances) -> dict[str, np.ndarray]:
    """Both samples by the name that a legend gives them."""
    return {t("pairs.positive"): found.positive, t("pairs.negative"): found.negative}


def counts(found: PairDistances) -> str:
    """How many pairs and anchors the numbers stand on."""
    n = len(found.positive)
    drawn = "" if found.exact else " " + t("pairs.drawn", drawn=f"{len(found.negative):,}")
    numbers = {"positive": n, "negative": found.n_negative, "anchors": len(found.anchor), "others": 2 * n - 1}
    return t("pairs.counts", **{k: f"{v:,}" for k, v in numbers.items()}) + drawn


def separation(found: PairDistances | None, which: twins.Which, limits: tuple[float, float] | None) -> None:
    """One encoder: the histogram and its five numbers."""
    if found is None:
        st.caption(t("common.not_measured"))
        return
    series = cosines(found)
    limits = limits or pairfigures.limits(series)
    figure = figures.histogram(
        series, x_title=t("pairs.cosine"), y_title=t("pairs.share"), limits=limits, bins=50, height=290
    )
    edges_and_shares = figures.histogram_rows(series, limits=limits, bins=50)
    rows = {t(f"pairs.{k}") if k in ("from", "to") else k: v for k, v in edges_and_shares.items()}
    name = t(f"pairs.{which}")
    widgets.figure_with_table(
        figure, rows, f"pairs.hist.{which}", caption=t("pairs.hist_how"), alt=told(name, found)
    )  # fmt: skip


def told(name: str, found: PairDistances) -> str:
    """The histogram in words."""
    return t(
        "pairs.hist_alt", name=name, positive=f"{found.positive.mean():.3f}", negative=f"{found.negative.mean():.3f}",
        overlap=f"{found.overlap:.1%}",
    )  # fmt: skip


def values_of(found: PairDistances | None) -> list[str]:
    """The five numbers that tell how well positive and negative pairs are separated, in the order of `MEASURES`."""
    if found is None:
        return [t("common.not_measured")] * len(MEASURES)
    d_prime = t("common.not_measured") if found.d_prime is None else f"{found.d_prime:.2f}"
    return [f"{found.auc:.4f}", f"{found.overlap:.1%}", d_prime, f"{found.r_at_1:.1%}", f"{found.mrr:.3f}"]


def compare(names: Sequence[str], columns: Mapping[twins.Which, Sequence[str]], meanings: Sequence[str]) -> None:
    """Numbers of both encoders side by side, each with what it says."""
    rows = {"": [f"**{name}**" for name in names]} | {t(f"pairs.{which}"): list(v) for which, v in columns.items()}
    st.table(rows | {t("pairs.meaning"): list(meanings)}, border="horizontal", hide_index=True)


# -- one picture ---------------------------------------------------------------------------------------------------------
@st.fragment
def one_picture(run: RunDir, space: Space) -> None:
    """Views of one picture and the distances between them; a control reruns this part only."""
    if reason := twins.views_missing(run):
        st.info(reason, icon=":material/info:")
        return
    try:
        index, count, seed = view_controls(run)
        augment = strengths(run)
        with st.spinner(t("pairs.loading")):
            drawn = {which: twins.draw(run, which, index, count, augment, seed) for which in twins.BOTH}
    except SimclrError as error:  # told here, so that the rest of the page stays
        st.error(public(error), icon=":material/error:")
        return
    names = [t("pairs.original_short"), *map(str, range(1, count + 1))]
    show_views(run, index, drawn["encoder"].pixels)
    st.caption(
        t("pairs.matrix_how") + " " + t("pairs.colours_to_apart" if state.has_pairs(run) else "pairs.colours_own")
    )
    grid = st.grid(2 if len(names) <= pairfigures.BESIDE else 1, min_column_width=360, gap="medium")
    matrices = {which: view_distance_matrix(getattr(views, space)) for which, views in drawn.items()}
    apart = {which: mean_apart(run, which, space) for which in drawn}
    for which in matrices:
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"pairs.{which}"))
            show_matrix(which, matrices[which], names, apart[which])
    k = count
    meanings = [t(f"pairs.{m}_help", n=k if m == "to_original" else k * (k - 1) // 2) for m in LENGTHS]
    lengths = {which: lengths_of(matrix, apart[which]) for which, matrix in matrices.items()}
    compare([t(f"pairs.{m}") for m in LENGTHS], lengths, meanings)


def view_controls(run: RunDir) -> tuple[int, int, int]:
    """Which picture, how many views and their seed: in the URL, so that a link shows the same views."""
    table = state.table(run)
    names = {str(i): twins.class_of(run, table.label, row) for row, i in enumerate(table.index)}
    state.follow_url(IMAGE, names, next(iter(names)))
    state.follow_number(VIEWS, FEWEST, MOST, USUAL)
    state.follow_number(SEED, 0, LAST_SEED, 0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        image = st.selectbox(
            t("pairs.image"), list(names), key=IMAGE, help=t("pairs.image_help"), persist_state=widgets.KEEP, width=200,
            format_func=lambda i: f"{i} · {names[i]}" if names[i] else i,
        )  # fmt: skip
        st.button(
            t("pairs.another"),
            key="pairs.another",
            icon=":material/casino:",
            on_click=state.look_at_another,
            args=(list(names),),
        )
        count = st.slider(t("pairs.views"), FEWEST, MOST, key=VIEWS, persist_state=widgets.KEEP, width=200)
        seed = st.number_input(t("map.seed"), 0, LAST_SEED, key=SEED, step=1, persist_state=widgets.KEEP, width=130)
        st.button(t("pairs.again"), key="pairs.again", icon=":material/refresh:", on_click=draw_again)
    return int(image), int(count), int(seed)


def draw_again() -> None:
    """The next seed."""
    st.session_state[SEED] = (st.session_state[SEED] + 1) % (LAST_SEED + 1)


def look_at(image: int) -> None:
    """Put one picture under the glass."""
    st.session_state[IMAGE] = str(image)
    parts.go("pairs", "one")


def strengths(run: RunDir) -> AugmentConfig:
    """The recipe of the views: the run's own, each strength adjustable."""
    own, key = twins.recipe(run), f"pairs.augment.{run.name}"
    with st.expander(t("pairs.recipe"), icon=":material/tune:"):
        augment = widgets.record(AugmentConfig, key, start=asdict(own), columns=4)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                t("pairs.reset"), key="pairs.reset", disabled=augment == own, on_click=widgets.prefill, args=(own, key)
            )
            st.caption(t("pairs.recipe_own" if augment == own else "pairs.recipe_changed"), width="content")
    return augment


def show_views(run: RunDir, index: int, pixels: np.ndarray) -> None:
    """The picture and its views, numbered as in the matrix."""
    first = Tile(routes.thumb_url(run, index), t("pairs.original"))
    gallery([first] + [Tile(twins.data_url(v), t("pairs.view", number=i)) for i, v in enumerate(pixels, 1)])


def mean_apart(run: RunDir, which: twins.Which, space: Space) -> float | None:
    """Mean distance between views of different pictures; None where the run has no pairs."""
    stored = twins.distances(run, which, space)
    return None if stored is None else float(1 - stored.negative.mean())


def between(matrix: np.ndarray) -> float:
    """Mean distance between two views; row 0 is the picture itself."""
    return float(matrix[1:, 1:][np.triu_indices(len(matrix) - 1, 1)].mean())


def show_matrix(which: twins.Which, matrix: np.ndarray, names: Sequence[str], apart: float | None) -> None:
    """The distances between the picture and its views for one encoder."""
    figure = pairfigures.distance_matrix(matrix, names, float(matrix.max()) if apart is None else apart)
    alt = t(
        "pairs.matrix_alt", name=t(f"pairs.{which}"), between=f"{between(matrix):.3f}", n=len(names) - 1
    )  # fmt: skip
    widgets.figure_with_table(figure, pairfigures.matrix_rows(matrix, names), f"pairs.matrix.{which}", alt=alt)


def lengths_of(matrix: np.ndarray, apart: float | None) -> list[str]:
    """The numbers of `LENGTHS` for one encoder."""
    unknown, views = t("common.not_measured"), between(matrix)
    measured = [unknown, unknown] if not apart else [f"{apart:.3f}", f"{views / apart:.0%}"]
    return [f"{views:.3f}", f"{matrix[0, 1:].mean():.3f}", *measured]


# -- the pairs that lie farthest apart -----------------------------------------------------------------------------------
def worst_pairs(run: RunDir, space: Space) -> None:
    """Pictures whose two views the encoder took for the least alike, with the nearest view of another picture."""
    found = twins.distances(run, "encoder", space)
    if found is None:
        st.info(t("pairs.no_pairs"), icon=":material/info:")
        return
    images = found.worst[:LISTED]
    cosine, stranger = twins.nearest_strangers(run, space, images)
    lost = int((cosine > found.positive[images]).sum())
    st.markdown(t("pairs.worst_how", shown=min(WORST, len(images)), n=len(found.positive)))
    crops = worst_crops(run, images[:WORST], stranger[:WORST])
    grid = st.grid(3, min_column_width=300, gap="small")
    for i, three in enumerate([] if crops is None else crops):
        with grid.cell(), st.container(border=True):
            card(run, int(images[i]), three, (float(found.positive[images[i]]), float(cosine[i])), int(stranger[i]))
    with st.expander(t("pairs.worst_table", n=len(images), lost=lost), icon=":material/table_rows:"):
        st.dataframe(worst_rows(run, found, images, cosine, stranger), hide_index=True, key="pairs.worst.table")


def worst_crops(run: RunDir, images: np.ndarray, stranger: np.ndarray) -> np.ndarray | None:
    """Both views and the nearest stranger of each image (m, 3, s, s, 3); None, and the reason told, where not at hand."""
    reason = twins.pictures_missing(run) or ("" if state.pairs(run).augment else t("pairs.no_recipe"))
    n = len(state.pairs(run).index)
    if not reason:
        try:
            with st.spinner(t("pairs.redrawing")):
                drawn = twins.redrawn(run, np.stack([images, images + n, stranger], 1).ravel().tolist())
                return drawn.reshape(len(images), 3, *drawn.shape[1:])
        except SimclrError as error:
            reason = public(error)
    st.info(reason, icon=":material/info:")
    return None


def card(run: RunDir, row: int, crops: np.ndarray, cosine: tuple[float, float], stranger: int) -> None:
    """One image: its two views, the nearest view of another image, and the two cosines."""
    pairs = state.pairs(run)
    index, other = int(pairs.index[row]), stranger % len(pairs.index)
    st.markdown(f"**{picture_name(run, row)}**")
    names = (t("pairs.view_a"), t("pairs.view_b"), t("pairs.stranger"))
    gallery([Tile(twins.data_url(v), name) for v, name in zip(crops, names, strict=True)])
    nearer = "pairs.stranger_nearer" if cosine[1] > cosine[0] else "pairs.twin_nearer"
    st.caption(t(nearer, own=f"{cosine[0]:.3f}", cosine=f"{cosine[1]:.3f}", other=picture_name(run, other)))
    if index in state.table(run).index and not twins.views_missing(run):
        st.button(t("pairs.look"), key=f"pairs.look.{index}", icon=":material/search:", on_click=look_at, args=(index,))


def picture_name(run: RunDir, row: int) -> str:
    """A row of the pair table by its image's number and class."""
    pairs = state.pairs(run)
    name, kind = t("map.image", index=int(pairs.index[row])), twins.class_of(run, pairs.label, row)
    return f"{name} · {escape_markdown(kind)}" if kind else name


def worst_rows(
    run: RunDir, found: PairDistances, images: np.ndarray, cosine: np.ndarray, stranger: np.ndarray
) -> dict[str, Any]:
    """The list behind the cards."""
    pairs = state.pairs(run)
    other = stranger % len(pairs.index)
    columns: dict[str, Any] = {t("pairs.image"): pairs.index[images]}
    if pairs.label is not None:
        columns[t("map.by_class")] = [twins.class_of(run, pairs.label, int(i)) for i in images]
    columns |= {
        t("pairs.cosine"): found.positive[images],
        t("pairs.stranger_cosine"): cosine,
        t("pairs.stranger_image"): pairs.index[other],
    }
    if pairs.label is not None:
        columns[t("pairs.stranger_class")] = [twins.class_of(run, pairs.label, int(i)) for i in other]
    return columns
