"""The one list of pages, and what frames them all: navigation, the run and language switches, the error frame."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from pages.ui import state, teacher
from pages.ui.frame import error_frame
from pages.ui.text import LANGUAGE_KEY, label, languages, t
from simclr_core.registry import Label

HERE = Path(__file__).resolve().parent


EXPLORE = Label("Explore", "探索")
LEARN = Label("Learn", "课堂")


class Entry(NamedTuple):
    """How a page stands in the navigation, and under which heading."""

    icon: str
    title: Label
    help: Label
    section: Label = EXPLORE


PAGES = {  # file and URL path → entry; the first is home
    "home": Entry(
        ":material/home:", Label("Home", "首页"),
        Label("What is loaded, and three ways in.", "当前加载的内容，以及三种开始方式。"),
    ),
    "train": Entry(
        ":material/model_training:", Label("Train", "训练"),
        Label("Train an encoder on your pictures and watch it learn.", "用自己的图像训练编码器，实时观察学习过程。"),
    ),
    "map": Entry(
        ":material/scatter_plot:", Label("Map", "特征地图"),
        Label("See the embedding space as a picture with the images in it.", "把嵌入空间画成一张图，图像就在其中。"),
    ),
    "pairs": Entry(
        ":material/compare:", Label("Pairs", "正样本对"),
        Label("Distances between augmented views of one image.", "同一图像的不同增强视图之间的距离。"),
    ),
    "collapse": Entry(
        ":material/compress:", Label("Collapse", "坍缩诊断"),
        Label("A verdict on the embedding space, with its evidence.", "对嵌入空间的判断及其依据。"),
    ),
    "temperature": Entry(
        ":material/device_thermostat:", Label("Temperature", "温度系数"),
        Label("What the temperature does to the softmax and the loss.", "温度系数 τ 如何影响 softmax 与损失。"),
        section=LEARN,
    ),
    "views": Entry(
        ":material/filter_b_and_w:", Label("Views", "视图"),
        Label("What each augmentation removes, and what is left to match by.", "每种增强去掉什么，还剩什么可供配对。"),
        section=LEARN,
    ),
    "batch": Entry(
        ":material/grid_view:", Label("Batch size", "批大小"),
        Label("What more negatives change, measured on your encoder.", "更多负样本改变什么，在你的编码器上实测。"),
        section=LEARN,
    ),
    "lab": Entry(
        ":material/science:", Label("Collapse lab", "坍缩实验室"),
        Label("Train with and without negatives, step by step.", "有无负样本两种情形，逐步训练。"),
        section=LEARN,
    ),
    "queue": Entry(
        ":material/view_week:", Label("Queue, bank, big batch", "队列、记忆库与大批次"),
        Label("Three ways to many negatives and what each costs.", "获得大量负样本的三种办法及其代价。"),
        section=LEARN,
    ),
    "worksheet": Entry(
        ":material/edit_note:", Label("Work sheet", "习题单"),
        Label("Six exercises, graded as you type, and a sheet to print.", "六道习题，边填边批改，还可打印。"),
        section=LEARN,
    ),
}  # fmt: skip


def page(name: str, entry: Entry) -> st.Page:
    home = name == next(iter(PAGES))
    return st.Page(
        HERE / f"{name}.py",
        title=label(entry.title),
        icon=entry.icon,
        url_path="" if home else name,
        default=home,
        help=label(entry.help),
    )


def sections() -> dict[str, list[st.Page]]:
    """The pages under their headings, in the order of the list."""
    found: dict[str, list[st.Page]] = {}
    for name, entry in PAGES.items():
        found.setdefault(label(entry.section), []).append(page(name, entry))
    return found


def sidebar() -> None:
    runs = list(state.available_runs())
    with st.sidebar:
        st.selectbox(
            t("shell.run"),
            runs,
            key=state.RUN_KEY,
            format_func=lambda name: t("shell.demo") if name == state.DEMO else name,
            placeholder=t("shell.no_run"),
            disabled=not runs,
        )
        names = languages()
        st.segmented_control(t("shell.language"), list(names), key=LANGUAGE_KEY, format_func=names.get, required=True)


state.begin()
teacher.begin()
st.set_page_config(page_title=t("shell.title"), page_icon=str(HERE / "ui" / "logo.svg"), layout="wide")
st.logo(HERE / "ui" / "logo.svg", size="large")
chosen = st.navigation(sections())
name = chosen.url_path or next(iter(PAGES))
learn = PAGES[name].section is LEARN
with error_frame():
    sidebar()
    if state.other_version():
        st.warning(t("shell.other_version"))
    if learn:
        teacher.menu(name)
    teacher.frame(learn=learn)
    chosen.run()
