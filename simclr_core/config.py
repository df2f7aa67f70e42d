"""What a run is asked to do: frozen records, validated at construction, JSON both ways, one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from simclr_core.errors import ConfigError, sentence
from simclr_core.registry import NO_HELP, Label, Params, make_params, number, option, several, span, switch
from simclr_core.texts import beside

R = TypeVar("R", bound=Params)
SCHEMA = 1
AUTO, OFF = Label("automatic", "自动"), Label("off", "关")

# One meaning of "seen pictures" for every data set: enough for the small encoder in minutes, never under 4 epochs.
AUTO_IMAGES_SEEN = 200_000
AUTO_EPOCHS = (4, 400)
MAX_VIEWS = 16
OPTIMIZER_NAMES = {"muon": "Muon", "adamw": "AdamW", "sgd": "SGD", "lars": "LARS"}

_TEXTS = beside(__file__)
JITTER_PARTS: dict[str, Label] = _TEXTS["jitter_parts"]["values"]


def _words(setting: str) -> tuple[Label, Label]:
    """What a setting is called, and what more there is to say of it."""
    return _TEXTS[setting]["label"], _TEXTS[setting].get("help", NO_HELP)


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig(Params):
    """How the two views of an image are drawn. Probabilities are per view; strengths follow SimCLR appendix A."""

    crop_scale: tuple[float, float] = span((0.2, 1.0), 0.01, 1.0, *_words("crop_scale"))
    flip_p: float = number(0.5, 0, 1, *_words("flip_p"))
    jitter_p: float = number(0.8, 0, 1, *_words("jitter_p"))
    jitter_strength: float = number(0.5, 0, 1, *_words("jitter_strength"))
    jitter_parts: tuple[str, ...] = several(tuple(JITTER_PARTS), JITTER_PARTS, *_words("jitter_parts"))
    grayscale_p: float = number(0.2, 0, 1, *_words("grayscale_p"))
    blur_p: float = number(0.0, 0, 1, *_words("blur_p"))
    blur_sigma: tuple[float, float] = span((0.1, 2.0), 0.05, 8, *_words("blur_sigma"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(Params):
    """Backbone and projection head. The backbone's name is looked up in `model.BACKBONES`."""

    backbone: str = "small"
    stem: str = option("cifar", _TEXTS["stem"]["values"], *_words("stem"))
    norm: str = option("batch", _TEXTS["norm"]["values"], *_words("norm"))
    head_layers: int = number(2, 0, 3, *_words("head_layers"), integer=True)
    hidden_dim: int = number(256, 8, 8192, *_words("hidden_dim"), integer=True, log=True)
    proj_dim: int = number(64, 2, 2048, *_words("proj_dim"), integer=True, log=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Params):
    """The objective and the optimisation. `objective` is looked up in `objectives.OBJECTIVES`."""

    objective: str = "nt_xent"
    objective_params: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = number(0.2, 0.001, 100, *_words("temperature"), log=True)
    temperature_schedule: str = option(
        "constant", _TEXTS["temperature_schedule"]["values"], *_words("temperature_schedule")
    )
    temperature_end: float = number(0.5, 0.001, 100, *_words("temperature_end"), log=True)
    temperature_cycles: float = number(0.5, 0.25, 1000, *_words("temperature_cycles"))
    batch_size: int = number(256, 1, 65536, *_words("batch_size"), integer=True, log=True)
    chunk: int | None = number(None, 1, 65536, *_words("chunk"), integer=True, log=True, auto=OFF)
    epochs: int | None = number(None, 1, 100_000, *_words("epochs"), integer=True, auto=AUTO)
    optimizer: str = option(
        "muon", {name: Label(shown, shown) for name, shown in OPTIMIZER_NAMES.items()}, *_words("optimizer")
    )
    lr: float | None = number(None, 0, 100, *_words("lr"), log=True, auto=AUTO)
    lr_scaling: str = option("sqrt", _TEXTS["lr_scaling"]["values"], *_words("lr_scaling"))
    weight_decay: float = number(1e-4, 0, 1, *_words("weight_decay"), log=True)
    warmup: float = number(0.05, 0, 0.9, *_words("warmup"))
    clip_norm: float | None = number(None, 0.001, 1e6, *_words("clip_norm"), log=True, auto=OFF)
    ema: float | None = number(None, 0.5, 0.99999, *_words("ema"), auto=OFF)
    seed: int = number(0, 0, 2**31 - 1, *_words("seed"), integer=True)
    device: str = option(
        "auto", {k: Label(k, AUTO.zh if k == "auto" else k) for k in ("auto", "cpu", "cuda", "mps")}, *_words("device")
    )
    precision: str = option(
        "auto",
        {k: Label(k, AUTO.zh if k == "auto" else k) for k in ("auto", "fp32", "bf16", "fp16")},
        *_words("precision"),
    )
    compile: str = option("off", _TEXTS["compile"]["values"], *_words("compile"))
    sync_bn: bool = switch(False, *_words("sync_bn"))
    threads: int | None = number(None, 1, 1024, *_words("threads"), integer=True, auto=AUTO)
    monitor_every: int | None = number(None, 1, 10**9, *_words("monitor_every"), integer=True, auto=AUTO)
    checkpoint_every: int | None = number(None, 1, 10**9, *_words("checkpoint_every"), integer=True, auto=AUTO)
    keep_every: int | None = number(None, 1, 10**9, *_words("keep_every"), integer=True, auto=OFF)

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
        None, 8, 1024, *_words("image_size"), integer=True, auto=Label("as they are", "原尺寸")
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
