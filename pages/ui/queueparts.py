"""The page's four parts: slots step by step, what each way costs, a batch that is cut, and real runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import state, teacher
from pages.ui.dataflow import ink
from pages.ui.numbertable import NOTHING, Row, number_table, short
from pages.ui.queuelanes import Tile, blocks, lane
from pages.ui.quiz import question
from pages.ui.text import escape_markdown, t
from pages.ui.widgets import ILLUSTRATION, KEEP, badge
from simclr_core import negatives as neg

STEP, LAST_STEP = "queue.step", 60
TOY = {"batch": 4, "queue": 24, "images": 24}  # 22, 24 and 23 negatives: alike in number, not in age
TOY_LARGE = 12
CHOICES = {  # name in the session and the URL → values, the first being usual
    "queue.fits": ("32", "8", "16", "64", "128", "256"),
    "queue.batch": ("256", "512", "1024", "2048", "4096"),
    "queue.keys": ("4096", "256", "1024", "16384", "65536"),
    "queue.images": ("10000", "1000", "50000", "100000", "1281167"),
    "queue.dim": ("128", "64", "256"),
    "queue.momentum": ("0.99", "0.9", "0.999", "0.9999"),
}
CHUNK, CHUNKS = "queue.chunk", ("8", "4", "2", "16")
PICTURES, TEMPERATURE = 32, 0.2
AGED = {"keys": 4096, "batch": 256}  # of the question about the oldest key
CHEAP = 65_536  # keys
COSTS = ("negatives", "held", "oldest", "live", "stored")


# -- slots, step by step ----------------------------------------------------------------------------------------------
def _advance(to: int) -> None:
    st.session_state[STEP] = to


def choose_step() -> int:
    """The step that is looked at; kept in the URL."""
    state.follow_number(STEP, 0, LAST_STEP, 0)
    now, keys = st.session_state[STEP], teacher.hides("controls")
    if keys:
        st.caption(t("queue.keys_only"))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(
            t("queue.next"), type="primary", icon=":material/skip_next:", key="queue.next", on_click=_advance,
            args=(now + 1,), disabled=now == LAST_STEP, shortcut="Right" if keys else None,
        )  # fmt: skip
        back = "Left" if keys else None
        st.button(t("queue.reset"), key="queue.reset", on_click=_advance, args=(0,), disabled=now == 0, shortcut=back)
        return st.slider(t("queue.step"), 0, LAST_STEP, key=STEP, width=320, persist_state=KEEP)


def _tiles(images: Sequence[int] | np.ndarray, ages: np.ndarray, anchor: int) -> list[Tile]:
    return [
        Tile(None) if age == neg.EMPTY else Tile(int(i) + 1, int(age), int(i) == anchor)
        for i, age in zip(images, ages, strict=True)
    ]


def _lane(name: str, tiles: list[Tile], oldest: int) -> None:
    """One lane: what it holds and how old that is, in words and as tiles."""
    held = [tile for tile in tiles if tile.image is not None]
    count = len([tile for tile in held if not tile.own])
    age = max((tile.age for tile in held), default=0)
    values: dict[str, Any] = {"filled": len(held), "slots": len(tiles), "count": count, "age": age}
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width=272):
            st.markdown(f"**{t(f'queue.lane.{name}')}**  \n{t(f'queue.lane.{name}_note')}")
            st.markdown(t(f"queue.lane.{name}_now", **values))
        st.image(lane(tiles, oldest, ink()), width=484, alt=t("queue.lane.alt", **values))


def lanes(step: int) -> None:
    """Big batch, queue and bank at one step of a toy run of 24 images; negatives are counted for the first image of the step."""
    now = neg.memory_at(step, **TOY)
    large = neg.images_at(step, batch=TOY_LARGE, images=TOY["images"])
    anchor = int(now.batch[0])
    oldest = 2 * (TOY["images"] // TOY["batch"]) - 1
    badge(ILLUSTRATION)
    st.markdown(t("queue.now", step=step, images=_named(now.batch), anchor=anchor + 1, large=_named(large)))
    _lane("large", _tiles(np.repeat(large, 2), np.zeros(2 * TOY_LARGE, int), int(large[0])), oldest)
    _lane("queue", _tiles(now.queue_image, now.queue_age, anchor), oldest)
    _lane("bank", _tiles(range(TOY["images"]), now.bank_age, anchor), oldest)
    st.caption(t("queue.legend"))
    with st.expander(t("queue.log"), icon=":material/table_rows:"):
        st.dataframe(_log(step), hide_index=True, key="queue.log")


def _named(images: np.ndarray) -> str:
    return ", ".join(str(int(i) + 1) for i in images)


def _log(step: int) -> dict[str, list[Any]]:
    """What each step up to this one wrote and dropped."""
    seen = [neg.memory_at(s, **TOY) for s in range(step + 2)]
    rows = range(step + 1)
    leaves = [
        sorted({int(i) + 1 for i in a.queue_image[b.queue_age == 1] if i != neg.EMPTY}) for a, b in pairwise(seen)
    ]
    return {
        t("queue.step"): list(rows),
        t("queue.column.batch"): [_named(seen[s].batch) for s in rows],
        t("queue.column.leaves"): [", ".join(map(str, leaves[s])) or NOTHING for s in rows],
        t("queue.column.key"): [max(int(seen[s].queue_age.max()), 0) for s in rows],
        t("queue.column.slot"): [max(int(seen[s].bank_age.max()), 0) for s in rows],
    }


# -- what each way costs ------------------------------------------------------------------------------------------------
def choose_plan() -> dict[str, float]:
    """Sizes of a real run, in the URL."""
    for name, values in CHOICES.items():
        state.follow_url(name, values, values[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name, values in CHOICES.items():
            st.selectbox(
                t(name), sorted(values, key=float), key=name, format_func=_grouped, width=120, persist_state=KEEP
            )
    return {name.removeprefix("queue."): float(st.session_state[name]) for name in CHOICES}


def _grouped(number: str) -> str:
    return number if "." in number else f"{int(number):,}"


def size(count: int) -> str:
    """Bytes in the unit that keeps them short."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024  # type: ignore[assignment]
    raise AssertionError


def age() -> None:
    """How old the oldest key of a full queue is: a guess, then the count."""
    keys, batch = AGED.values()
    numbers = {"a": keys // batch, "b": neg.oldest_key(keys, batch), "c": f"{keys:,}", "pair": neg.VIEWS * batch}
    most = {"most": f"{CHEAP:,}", "size": size(CHEAP * 128 * neg.FLOAT_BYTES)}
    question("queue.age", "b", keys=f"{keys:,}", batch=batch, **numbers, **most)


def costs(plan: dict[str, float]) -> None:
    """The budgets side by side, and what the queue's age means."""
    fits, batch, keys, images, dim = (int(plan[k]) for k in ("fits", "batch", "keys", "images", "dim"))
    found = neg.budgets(fits=fits, batch=batch, queue=keys, images=images, dim=dim)
    rows = [Row(t(f"queue.way.{name}"), [t(f"queue.way.{name}_note")], _cells(b)) for name, b in found.items()]
    number_table([t("queue.way.title"), *(t(f"queue.column.{c}") for c in COSTS)], rows)
    st.markdown(t("queue.cosines", batch=f"{batch:,}", size=size(found["large"].cosines)))
    age, momentum = found["queue"].oldest, plan["momentum"]
    st.markdown(t("queue.moved", age=f"{age:,}", momentum=momentum, share=f"{neg.moved_share(momentum, age):.1%}"))
    shares = (f"m = {m}: {neg.moved_share(float(m), age):.1%}" for m in sorted(CHOICES["queue.momentum"], key=float))
    st.caption(t("queue.moved_each", shares=" · ".join(shares)))
    chance = neg.own_key_chance(keys, images)
    st.markdown(t("queue.own", chance=f"{chance:.2%}", share=f"{keys / 2 / images:.2f}"))
    if keys >= 2 * images:
        st.warning(t("queue.too_long", keys=f"{keys:,}", images=f"{images:,}"), icon=":material/warning:")


def _cells(b: neg.Budget) -> list[str]:
    live = t("common.yes") if b.live else t("common.no")
    numbers = [f"{b.negatives:,}", f"{b.held:,}", f"{b.oldest:,}"]
    return [*numbers, live, size(b.stored) if b.stored else NOTHING]


# -- a batch that is cut ------------------------------------------------------------------------------------------------
def _views() -> tuple[np.ndarray, np.ndarray, str] | None:
    """Two views of 32 pictures of the loaded run, and where they come from; None where it has none."""
    run = state.current()
    if run is None or not state.has_pairs(run) or "z" not in (table := state.pairs(run)).spaces:
        return None
    z_a, z_b = (z[:PICTURES] for z in table.space("z"))
    if len(z_a) < PICTURES:
        return None
    return z_a, z_b, t("queue.from_run", n=PICTURES, name=escape_markdown(state.called(run)))


def cut() -> None:
    """The gradient of one batch taken whole, by GradCache, and accumulated."""
    question("queue.cut", "b", parts=8, each=32, all=256)
    state.follow_url(CHUNK, CHUNKS, CHUNKS[0])
    chunk = int(
        st.selectbox(t("queue.chunk"), sorted(CHUNKS, key=int), key=CHUNK, width=220, persist_state=KEEP)
    )  # fmt: skip
    parts = PICTURES // chunk
    badge(ILLUSTRATION)
    pictures = st.columns(2)
    for column, whole in zip(pictures, (True, False), strict=True):
        name = "cut_whole" if whole else "cut_parts"
        column.image(blocks(parts, whole=whole, ink=ink()), width=176, alt=t(f"queue.{name}", parts=parts, each=chunk))
        column.caption(t(f"queue.{name}", parts=parts, each=chunk))
    views = _views()
    if views is None:
        st.info(t("queue.no_pairs", n=PICTURES), icon=":material/info:")
        return
    z_a, z_b, origin = views
    found = neg.cuts(z_a, z_b, chunk=chunk, temperature=TEMPERATURE)
    number_table(
        [t("queue.way.title"), *(t(f"queue.column.{c}") for c in ("negatives", "loss", "alike", "off"))],
        [Row(t(f"queue.taken.{name}"), [t(f"queue.taken.{name}_note")], _taken(c, found["whole"])) for name, c in found.items()],
    )  # fmt: skip
    st.caption(t("queue.cut_reading", origin=origin, tau=TEMPERATURE))


def _taken(found: neg.Cut, whole: neg.Cut) -> list[str]:
    length = float(np.linalg.norm(whole.gradient))
    off = float(np.linalg.norm(found.gradient - whole.gradient)) / length if length else 0.0
    alike = neg.alike(found.gradient, whole.gradient)
    return [str(found.negatives), f"{found.loss:.6f}", NOTHING if alike is None else f"{alike:.6f}", short(off)]
