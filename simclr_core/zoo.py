"""The failure zoo: `ZOO`, encoders that fail in ways known beforehand, and healthy ones beside them. No torch.

An entry says what is done to the pictures and to the settings, in which space the failure lives, and which verdicts would name it
rightly. These verdicts were written down before anything was trained (docs/zoo.md keeps what changed since, and why).
`zoo_runs` trains and judges, `zoo_tables` writes down what came out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simclr_core.config import RunConfig, with_overrides
from simclr_core.records import ImageSet, Space
from simclr_core.registry import Choice, Label

TRAIN, TEST = 3072, 1000  # pictures of each part, at most, before an entry's change
PREFIX = "zoo-"
HEALTHY = "healthy"
STOPPED = "stopped"  # no verdict: the trainer itself refused to go on, with a sentence
COLLAPSES = ("complete", "dimensional", "cone", "cluster")  # what no healthy run may be called
BATCH, STEPS = 64, 144
BASE = (
    f"train.batch_size={BATCH}",
    f"train.epochs={STEPS * BATCH // TRAIN}",
    "train.threads=1",
    "train.device=cpu",
    "train.precision=fp32",
    "train.checkpoint_every=1000000",
)
EMOJI = ("train.epochs=6",)  # 1,524 pictures: 23 steps an epoch
Change = Callable[[ImageSet], ImageSet]


# -- what is done to the pictures ------------------------------------------------------------------------------------------
def as_they_are(images: ImageSet) -> ImageSet:
    """No change."""
    return images


def few(most: int) -> Change:
    """At most so many training pictures; as many as ever to judge by."""
    return lambda images: images.sample(most) if images.split == "train" else images


def doubled(images: ImageSet) -> ImageSet:
    """Half of the pictures, each twice."""
    return images.take(np.tile(np.arange(len(images) // 2), 2))


def half_grey(images: ImageSet) -> ImageSet:
    """A random half of the pictures replaced by plain grey."""
    image = images.image.copy()
    image[np.random.default_rng(0).permutation(len(image))[: len(image) // 2]] = 128
    return replace(images, image=image)


def tinted(images: ImageSet) -> ImageSet:
    """Every picture mixed half and half with a colour of its own, drawn evenly from the RGB cube."""
    colour = np.random.default_rng(0).integers(0, 256, (len(images), 1, 1, 3))
    return replace(images, image=((images.image + colour) // 2).astype(np.uint8))


def only_class(name: str) -> Change:
    """The pictures of one class."""

    def change(images: ImageSet) -> ImageSet:
        return images.take(np.flatnonzero(images.label == images.class_names.index(name)))

    return change


# -- an entry ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen(Choice[Change]):
    """An entry of `ZOO`: `run` changes the pictures, `help` says why this fails.

    Attributes:
        pictures: the source that is changed.
        settings: what differs from `BASE`, as `--set` takes it.
        learner: a name of `zoo_runs.LEARNERS`, "" for the usual one.
        space: where the failure lives.
        accepted: verdicts on that space that name it rightly; empty where no verdict does, and nothing is counted.
        control: a healthy run, which no verdict of `COLLAPSES` may meet in either space.
    """

    run: Change = as_they_are
    pictures: str = "demo"
    settings: tuple[str, ...] = ()
    learner: str = ""
    space: Space = "z"
    accepted: tuple[str, ...] = ()
    control: bool = False

    def config(self, images: str, seed: int) -> RunConfig:
        """The run's settings on these pictures (a spec)."""
        return with_overrides(RunConfig(images=images), [*BASE, *self.settings, f"train.seed={seed}"])

    def right(self, verdicts: Mapping[str, str]) -> bool | None:
        """Whether the verdicts (space → id) name the failure, or leave a healthy run in peace; None where nothing is counted."""
        if self.control:
            return not any(verdict in (*COLLAPSES, STOPPED) for verdict in verdicts.values())
        return verdicts[self.space] in self.accepted if self.accepted else None


def run_name(name: str, seed: int = 0) -> str:
    """The directory's name of an entry's run, by which a page finds it among the runs there are."""
    return f"{PREFIX}{name}-{seed}"


ZOO: dict[str, Specimen] = {
    "fashion": Specimen(
        label=Label("healthy: Fashion-MNIST", "健康：Fashion-MNIST"),
        control=True,
        help=Label("SimCLR as it is set here, on the bundled pictures.", "按本程序默认设置在内置图像上训练的 SimCLR。"),
        source="Chen et al. 2020",
    ),
    "emoji": Specimen(
        label=Label("healthy: emoji", "健康：表情符号"),
        pictures="emoji",
        settings=EMOJI,
        control=True,
        help=Label("The same on 1,524 pictures in colour.", "同样的设置，1,524 张彩色图像。"),
        source="Chen et al. 2020",
    ),
    "no_negatives": Specimen(
        label=Label("no negatives", "没有负例"),
        settings=("train.objective=alignment",),
        accepted=("complete", "cone"),
        help=Label(
            "Only the attraction of views is left: one point for all pictures is the optimum.",
            "只剩视图间的吸引：所有图像落在同一点即为最优。",
        ),
        source="Wang & Isola 2020; Chen & He 2021, §4.1",
    ),
    "unpaired": Specimen(
        label=Label("views of different pictures paired", "把不同图像的视图配成正例"),
        learner="unpaired",
        accepted=("complete", "cone", "dimensional", "undertrained"),
        help=Label(
            "Positives share nothing; nothing beats the loss of equal embeddings, so they shrink together or stay there.",
            "正例之间毫无共同点，最优损失就是所有嵌入相同时的损失，因此嵌入向一点收缩，或损失停在上界。",
        ),
        source="Jensen's inequality for NT-Xent with independent views",
    ),
    "hot": Specimen(
        label=Label("temperature 10", "温度系数 10"),
        settings=("train.temperature=10",),
        accepted=("dimensional", "cluster"),
        help=Label(
            "Every negative weighs alike, so only their mean is pushed away: a few directions or knots are enough.",
            "所有负例权重相同，只推开其均值，因此少数方向或少数团块就足够。",
        ),
        source="Wang & Liu 2021 (the simple loss)",
    ),
    "cold": Specimen(
        label=Label("temperature 0.01", "温度系数 0.01"),
        settings=("train.temperature=0.01",),
        accepted=("over_uniform", "false_negatives", "undertrained"),
        help=Label(
            "Only the nearest negative counts, and that is often a picture of the same kind: it is pushed away.",
            "只有最近的负例起作用，而它常是同类图像，于是同类被推开。",
        ),
        source="Wang & Liu 2021",
    ),
    "batch_2": Specimen(
        label=Label("batch of 2", "批大小 2"),
        run=few(400),
        settings=("train.batch_size=2", "train.epochs=2"),
        accepted=("dimensional", "cone", "complete", "undertrained"),
        help=Label(
            "One other picture to differ from: few directions suffice, and four views make poor batch statistics.",
            "只需与另一张图像不同，少数方向就足够；四个视图的批统计也很差。",
        ),
        source="Chen et al. 2020, figure 9 and appendix B.1",
    ),
    "colour": Specimen(
        label=Label("crops alone, on colourful pictures", "彩色图像上只有裁剪"),
        pictures="emoji",
        settings=(*EMOJI, "augment.jitter_p=0", "augment.grayscale_p=0"),
        accepted=("shortcut",),
        help=Label(
            "Crops of one picture share their colours: the histogram tells the twin.",
            "同一图像的裁剪颜色相同：看直方图即可认出孪生视图。",
        ),
        source="Chen et al. 2020, §3 and figure 6",
    ),
    "tinted": Specimen(
        label=Label("a colour of its own for every picture", "每张图像有自己的色调"),
        run=tinted,
        settings=("augment.jitter_p=0", "augment.grayscale_p=0"),
        accepted=("shortcut",),
        help=Label(
            "The tint survives every crop and tells the twin; what is in the picture need not be looked at.",
            "色调在任何裁剪后都保留，足以认出孪生视图，无需看图像内容。",
        ),
        source="Chen, Luo & Li 2021, Intriguing properties of contrastive losses (random bits)",
    ),
    "no_augment": Specimen(
        label=Label("no augmentation", "没有增强"),
        settings=(
            "augment.crop_scale=[1, 1]",
            "augment.flip_p=0",
            "augment.jitter_p=0",
            "augment.grayscale_p=0",
        ),
        accepted=("shortcut", "over_uniform"),
        help=Label(
            "Both views are the same picture: nothing has to be recognised to find the twin.",
            "两个视图是同一张图：找到孪生视图无需识别任何内容。",
        ),
        source="Chen et al. 2020, figure 5",
    ),
    "harsh": Specimen(
        label=Label("extreme augmentation", "过强的增强"),
        settings=(
            "augment.crop_scale=[0.01, 0.05]",
            "augment.jitter_p=1",
            "augment.jitter_strength=1",
            "augment.grayscale_p=0.8",
            "augment.blur_p=1",
            "augment.blur_sigma=[2, 4]",
        ),
        accepted=("undertrained", "over_uniform", "dimensional"),
        help=Label(
            "The views share next to nothing: the loss cannot fall, or directions that augmentation drowns are given up.",
            "视图几乎没有共同内容：损失降不下去，或被增强淹没的方向被放弃。",
        ),
        source="Jing et al. 2022, §4 (strong augmentation)",
    ),
    "lr_100": Specimen(
        label=Label("learning rate × 100, Muon", "Muon，学习率 × 100"),
        settings=("train.lr=1",),
        accepted=("complete", "dimensional", "cone", "cluster", "undertrained", STOPPED),
        help=Label(
            "The weights are thrown about: the loss stays near its ceiling, few directions survive, or numbers overflow.",
            "权重被甩来甩去：损失停在上界附近，只剩少数方向，或数值溢出。",
        ),
        source="Chen et al. 2020, appendix B.1 (rates)",
    ),
    "sgd_100": Specimen(
        label=Label("learning rate × 100, SGD", "SGD，学习率 × 100"),
        settings=("train.optimizer=sgd", "train.lr=20"),
        accepted=("complete", "dimensional", "cone", "cluster", "undertrained", STOPPED),
        help=Label(
            "The weights are thrown about: the loss stays near its ceiling, few directions survive, or numbers overflow.",
            "权重被甩来甩去：损失停在上界附近，只剩少数方向，或数值溢出。",
        ),
        source="Chen et al. 2020, appendix B.1 (rates)",
    ),
    "short": Specimen(
        label=Label("four steps", "只训练四步"),
        run=few(4 * BATCH),
        settings=("train.epochs=1",),
        accepted=("undertrained", "cone"),
        help=Label(
            "Hardly begun: the loss is near its start, and an untrained network points all pictures one way.",
            "几乎没有开始：损失仍在起点附近，未训练的网络把所有图像指向同一方向。",
        ),
        source="NT-Xent between log(2N − 1) and the simplex bound",
    ),
    "doubled": Specimen(
        label=Label("every picture twice", "每张图像出现两次"),
        run=doubled,
        accepted=("duplicates",),
        help=Label("A copy can be told from its original by nothing.", "副本与原图无法区分。"),
        source="vecscope 0.2, at cosine .999",
    ),
    "half_grey": Specimen(
        label=Label("half of the pictures plain grey", "一半图像是纯灰"),
        run=half_grey,
        accepted=("duplicates", "cluster"),
        help=Label("Broken files read as one and the same picture.", "损坏的文件读成了同一张图像。"),
        source="vecscope 0.2, at cosine .999",
    ),
    "one_class": Specimen(
        label=Label("one class alone", "只有一个类别"),
        run=only_class("Trouser"),
        settings=("train.epochs=36",),
        accepted=("false_negatives",),
        help=Label(
            "Every negative is of the anchor's own class, and looks like it.", "所有负例都与锚点同类，而且长得像。"
        ),
        source="Chuang et al. 2020",
    ),
    "no_head": Specimen(
        label=Label("no projection head", "没有投影头"),
        settings=("model.head_layers=0", "model.proj_dim=128"),
        help=Label(
            "The loss works on h itself, which then forgets what views differ in; a loss of accuracy, no collapse.",
            "损失直接作用于 h，h 会丢掉视图间不同的信息；准确率下降，但不是坍缩。",
        ),
        source="Chen et al. 2020, §4.2 and figure 8",
    ),
    "bias_head": Specimen(
        label=Label("a head of biases alone", "只有偏置的投影头"),
        settings=("model.head_layers=1", "model.proj_dim=128"),
        learner="bias_head",
        help=Label(
            "z = h + b: the head can move h, not choose what to keep of it.",
            "z = h + b：投影头只能平移 h，不能选择保留什么。",
        ),
        source="Chen et al. 2020, §4.2 (what a head is for)",
    ),
}
CIFAR = Specimen(
    label=Label("healthy: CIFAR-10", "健康：CIFAR-10"),
    pictures="cifar",
    control=True,
    help=Label("The same on photographs.", "同样的设置，用照片。"),
    source="Chen et al. 2020",
)
EVERY = ZOO | {CIFAR.pictures: CIFAR}  # CIFAR-10 is no part of the package: it is trained on where somebody has it


# -- what came out -------------------------------------------------------------------------------------------------------
Row = Mapping[str, Any]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows with their totals: failures named of those counted, healthy runs called no collapse, of all."""
    failures = [row["right"] for row in rows if not EVERY[row["zoo"]].control and row["right"] is not None]
    controls = [row["right"] for row in rows if EVERY[row["zoo"]].control]
    confusion = {
        name: {
            space: dict(Counter(row["verdicts"][space] for row in rows if row["zoo"] == name)) for space in ("z", "h")
        }
        for name in dict.fromkeys(row["zoo"] for row in rows)
    }
    totals = {"failures": len(failures), "named": sum(failures), "healthy": len(controls), "spared": sum(controls)}
    return totals | {"confusion": confusion, "runs": list(rows)}
