"""What a run is asked to do: frozen records, validated at construction, JSON both ways, one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import Label, Params, make_params, number, option, several, span, switch

R = TypeVar("R", bound=Params)
SCHEMA = 1
AUTO = Label("automatic", "自动")

# One meaning of "seen pictures" for every data set: enough for the small encoder in minutes, never under 4 epochs.
AUTO_IMAGES_SEEN = 200_000
AUTO_EPOCHS = (4, 400)
MAX_VIEWS = 16
OPTIMIZER_NAMES = {"muon": "Muon", "adamw": "AdamW", "sgd": "SGD", "lars": "LARS"}

JITTER_PARTS = {
    "brightness": Label("Brightness", "亮度"),
    "contrast": Label("Contrast", "对比度"),
    "saturation": Label("Saturation", "饱和度"),
    "hue": Label("Hue", "色调"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig(Params):
    """How the two views of an image are drawn. Probabilities are per view; strengths follow SimCLR appendix A."""

    crop_scale: tuple[float, float] = span(
        (0.2, 1.0), 0.01, 1.0, Label("Crop area", "裁剪面积"), Label("share of the picture's area", "占原图面积的比例")
    )
    flip_p: float = number(0.5, 0, 1, Label("Flip", "水平翻转"))
    jitter_p: float = number(0.8, 0, 1, Label("Colour jitter", "颜色抖动"))
    jitter_strength: float = number(
        0.5,
        0,
        1,
        Label("Jitter strength", "抖动强度"),
        Label("1 = brightness, contrast, saturation 0.8 and hue 0.2", "1 = 亮度、对比度、饱和度 0.8，色调 0.2"),
    )
    jitter_parts: tuple[str, ...] = several(tuple(JITTER_PARTS), JITTER_PARTS, Label("Jitter of", "抖动内容"))
    grayscale_p: float = number(0.2, 0, 1, Label("Grey", "灰度"))
    blur_p: float = number(0.0, 0, 1, Label("Blur", "模糊"))
    blur_sigma: tuple[float, float] = span((0.1, 2.0), 0.05, 8, Label("Blur σ (pixels)", "模糊 σ（像素）"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(Params):
    """Backbone and projection head. The backbone's name is looked up in `model.BACKBONES`."""

    backbone: str = "small"
    stem: str = option(
        "cifar",
        {
            "cifar": Label("small pictures (3×3)", "小图（3×3）"),
            "cifar_padded": Label("small pictures (3×3, padded by 2: solo-learn)", "小图（3×3，填充 2：solo-learn）"),
            "imagenet": Label("large pictures (7×7)", "大图（7×7）"),
        },
        Label("Stem", "输入层"),
        Label("of the ResNets; the small encoder has its own", "仅用于 ResNet；小编码器自带输入层"),
    )
    norm: str = option(
        "batch",
        {"batch": Label("BatchNorm", "BatchNorm"), "group": Label("GroupNorm", "GroupNorm")},
        Label("Normalisation", "归一化层"),
        Label(
            "GroupNorm looks at one picture at a time: chunks and processes then change nothing",
            "GroupNorm 只看单张图：分块与多进程不改变结果",
        ),
    )
    head_layers: int = number(
        2,
        0,
        3,
        Label("Head layers", "投影头层数"),
        Label("0: z is h itself; 1: one linear map", "0：z 就是 h；1：一个线性层"),
        integer=True,
    )
    hidden_dim: int = number(256, 8, 8192, Label("Head width", "投影头宽度"), integer=True, log=True)
    proj_dim: int = number(64, 2, 2048, Label("Width of z", "z 的维数"), integer=True, log=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Params):
    """The objective and the optimisation. `objective` is looked up in `objectives.OBJECTIVES`."""

    objective: str = "nt_xent"
    objective_params: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = number(0.2, 0.001, 100, Label("Temperature τ", "温度系数 τ"), log=True)
    temperature_schedule: str = option(
        "constant",
        {
            "constant": Label("constant", "固定"),
            "cosine": Label("cosine", "余弦"),
            "learned": Label("learned", "可学习"),
        },
        Label("τ over time", "τ 的变化"),
    )
    temperature_end: float = number(0.5, 0.001, 100, Label("Other end of τ", "τ 的另一端"), log=True)
    temperature_cycles: float = number(
        0.5, 0.25, 1000, Label("Cycles of τ", "τ 的周期数"), Label("½: from one end to the other", "½：从一端到另一端")
    )
    batch_size: int = number(256, 1, 65536, Label("Batch (images)", "批大小（图像数）"), integer=True, log=True)
    chunk: int | None = number(
        None,
        1,
        65536,
        Label("GradCache chunk (images)", "GradCache 分块（图像数）"),
        Label("the memory of one chunk, the negatives of the whole batch", "只占一个分块的显存，却有整批的负样本"),
        integer=True,
        log=True,
        auto=Label("off", "关"),
    )
    epochs: int | None = number(
        None,
        1,
        100_000,
        Label("Epochs", "轮数"),
        Label("automatic: about 200,000 pictures seen", "自动：共看约 20 万张图"),
        integer=True,
        auto=AUTO,
    )
    optimizer: str = option(
        "muon",
        {name: Label(shown, shown) for name, shown in OPTIMIZER_NAMES.items()},
        Label("Optimizer", "优化器"),
    )
    lr: float | None = number(
        None,
        0,
        100,
        Label("Learning rate", "学习率"),
        Label("automatic: scaled with the batch", "自动：随批大小缩放"),
        log=True,
        auto=AUTO,
    )
    lr_scaling: str = option(
        "sqrt",
        {"sqrt": Label("√batch", "√批大小"), "linear": Label("batch", "批大小"), "none": Label("fixed", "固定")},
        Label("Automatic rate grows with", "自动学习率随之增长"),
    )
    weight_decay: float = number(1e-4, 0, 1, Label("Weight decay", "权重衰减"), log=True)
    warmup: float = number(0.05, 0, 0.9, Label("Warm-up", "预热"), Label("share of all steps", "占总步数的比例"))
    clip_norm: float | None = number(
        None, 0.001, 1e6, Label("Gradient clip", "梯度裁剪"), log=True, auto=Label("off", "关")
    )
    ema: float | None = number(
        None,
        0.5,
        0.99999,
        Label("Weight averaging (EMA)", "权重平均（EMA）"),
        Label("the averaged network is the one that encodes", "用平均后的网络编码"),
        auto=Label("off", "关"),
    )
    seed: int = number(0, 0, 2**31 - 1, Label("Seed", "随机种子"), integer=True)
    device: str = option(
        "auto",
        {k: Label(k, AUTO.zh if k == "auto" else k) for k in ("auto", "cpu", "cuda", "mps")},
        Label("Device", "设备"),
    )
    precision: str = option(
        "auto",
        {k: Label(k, AUTO.zh if k == "auto" else k) for k in ("auto", "fp32", "bf16", "fp16")},
        Label("Precision", "精度"),
    )
    compile: str = option(
        "off",
        {
            "off": Label("off", "关"),
            "default": Label("torch.compile", "torch.compile"),
            "graphs": Label("torch.compile + CUDA graphs", "torch.compile + CUDA graphs"),
        },
        Label("Compile", "编译"),
        Label("pays on a GPU; the first steps take a minute", "在 GPU 上划算；最初几步要一分钟"),
    )
    sync_bn: bool = switch(
        False, Label("Shared BatchNorm", "跨进程 BatchNorm"), Label("over all GPUs of a run", "统计所有 GPU 的批次")
    )
    threads: int | None = number(None, 1, 1024, Label("Threads", "线程数"), integer=True, auto=AUTO)
    monitor_every: int | None = number(
        None,
        1,
        10**9,
        Label("kNN check every (steps)", "kNN 检查间隔（步）"),
        Label("automatic: at most 4 % of the time", "自动：至多占 4 % 的时间"),
        integer=True,
        auto=AUTO,
    )
    checkpoint_every: int | None = number(
        None, 1, 10**9, Label("Checkpoint every (steps)", "检查点间隔（步）"), integer=True, auto=AUTO
    )
    keep_every: int | None = number(
        None,
        1,
        10**9,
        Label("Keep a checkpoint every (steps)", "保留检查点间隔（步）"),
        integer=True,
        auto=Label("off", "关"),
    )

    def __post_init__(self) -> None:
        Params.__post_init__(self)
        if not isinstance(self.objective_params, Mapping):
            rule = "a mapping from parameter names to values"
            raise ConfigError(
                sentence("objective_params", rule, self.objective_params, 'write for example {"tile": 512}')
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Params):
    """Everything that decides a run's result, together with the pictures themselves."""

    images: str = "demo"
    image_size: int | None = number(
        None, 8, 1024, Label("Picture size", "图像边长"), integer=True, auto=Label("as they are", "原尺寸")
    )
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    views: tuple[Mapping[str, Any], ...] = ({}, {})  # one a view: what differs from `augment`
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        Params.__post_init__(self)
        if not isinstance(self.images, str):
            raise ConfigError(sentence("images", "a text", self.images, "write for example demo or folder:PATH"))
        if self.schema != SCHEMA:
            raise ConfigError(sentence("schema", f"{SCHEMA}", self.schema, "this file is of another version"))
        rule = f"2 to {MAX_VIEWS} mappings, each the changes of one view to `augment`"
        maps = isinstance(self.views, tuple) and all(isinstance(changes, Mapping) for changes in self.views)
        if not (maps and 2 <= len(self.views) <= MAX_VIEWS):
            raise ConfigError(sentence("views", rule, self.views, 'write for example [{}, {"blur_p": 0.5}]'))
        _ = self.view_augments

    @property
    def view_augments(self) -> tuple[AugmentConfig, ...]:
        """How each view is drawn: `augment` with that view's changes."""
        common = to_dict(self.augment)
        return tuple(from_dict(AugmentConfig, common | dict(changes)) for changes in self.views)

    def resolved(self, n_images: int) -> RunConfig:
        """The same run with every automatic number that depends on the data filled in, so that it is fixed and shown."""
        train = self.train
        epochs = train.epochs or auto_epochs(n_images)
        lr = train.lr if train.lr is not None else auto_lr(train.optimizer, train.batch_size, train.lr_scaling)
        return replace(self, train=replace(train, epochs=epochs, lr=lr))


def auto_epochs(n_images: int) -> int:
    """Epochs in which about `AUTO_IMAGES_SEEN` pictures are seen."""
    low, high = AUTO_EPOCHS
    return min(max(round(AUTO_IMAGES_SEEN / max(n_images, 1)), low), high)


RATE_AT_256 = {"muon": 0.02, "adamw": 3e-3, "sgd": 0.4, "lars": 1.2}
GROWTH = {"sqrt": 0.5, "linear": 1.0, "none": 0.0}


def auto_lr(optimizer: str, batch_size: int, scaling: str = "sqrt") -> float:
    """Learning rate of a batch, scaled from the value at batch 256 (Chen et al. 2020, section 2.2 and appendix B.1)."""
    return float(f"{RATE_AT_256[optimizer] * (batch_size / 256) ** GROWTH[scaling]:.3g}")


def to_dict(config: Params) -> dict[str, Any]:
    """Plain JSON values, tuples as lists."""
    return json.loads(json.dumps(asdict(config), default=dict))


def from_dict(kind: type[R], data: Mapping[str, Any]) -> R:
    """Rebuild a record; an unknown name or a value out of range is a `ConfigError`."""
    if not isinstance(data, Mapping):
        raise ConfigError(sentence(kind.__name__, "a JSON object", data, "see docs/configuration.md"))
    nested = {f.name: f.default_factory for f in fields(kind) if is_dataclass(f.default_factory)}
    values = {k: from_dict(nested[k], v) if k in nested else v for k, v in data.items()}  # type: ignore[arg-type]
    return make_params(kind, values)


def parse_value(text: str) -> Any:
    """JSON where it parses (numbers, true, null, [0.2, 1]), also a number as people write it (.5); else the text itself."""
    for read in (json.loads, float):
        with suppress(ValueError):
            return read(text)
    return text


def with_overrides(config: RunConfig, overrides: Iterable[str]) -> RunConfig:
    """Apply command-line settings such as `train.epochs=2`; unknown names are errors."""
    data = to_dict(config)
    for item in overrides:
        path, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(sentence("--set", "of the form a.b=value", item, "write for example train.epochs=2"))
        *parents, leaf = path.strip().split(".")
        node = data
        for name in parents:
            node = node.get(name)  # type: ignore[assignment]
            if not isinstance(node, dict):
                raise ConfigError(sentence("--set", "a known setting", path, "see docs/configuration.md"))
        node[leaf] = parse_value(value)
    return from_dict(RunConfig, data)


def run_id(config: RunConfig, data_digest: str) -> str:
    """Twelve hex digits of the configuration and the pictures; device and threads do not count."""
    data = to_dict(config)
    for name in ("device", "threads"):
        data["train"].pop(name)
    text = json.dumps([data, data_digest], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
