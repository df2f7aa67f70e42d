"""Encoders that other programs saved: a ResNet and its projection head, found by the names and shapes of their tensors.

Nothing is unpickled: torch reads with `weights_only`, and where a file names a class that torch does not know, an empty mapping
stands in for it. A backbone is used only when all its tensors are there. Its head is rewritten as this program's, which changes
no value in evaluation mode: a bias moves into the running mean of the BatchNorm behind it, a last BatchNorm into the last layer.

What no shape can tell (normalisation of the input, padding) is taken from the program that wrote the file, with a warning.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from simclr_core.config import ModelConfig, RunConfig
from simclr_core.errors import CheckpointError, ConfigError, sentence
from simclr_core.model import MEAN, STD, SimClr, build_model

SUFFIXES = {".pt", ".pth", ".tar", ".ckpt", ".bin", ".torch"}
DEEPEST = 8  # mappings inside one another
EPS = 1e-5  # of torch's BatchNorm
ARCHITECTURES: dict[tuple[bool, tuple[int, ...]], str] = {
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
}
HEADS = ("projection_head", "projector", "projection", "heads", "head", "neck", "g", "l1", "l2")
COPIES = re.compile(r"encoder_k|momentum|target|teacher|ema")  # networks that follow another one
Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]
UNIT: Normalisation = ((0, 0, 0), (1, 1, 1))
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR: Normalisation = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR_NARROW: Normalisation = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # deviations within pictures
NORMALISATIONS = {"none": UNIT, "imagenet": IMAGENET, "cifar10": CIFAR, "this program": (MEAN, STD)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """What a layout makes of its file.

    Attributes:
        model: the network with the file's weights.
        config: what the run did, as far as the file says; the rest are defaults, and a warning says so.
        matched: how many of the network's tensors came from the file; total: of how many, None for all there are.
        format: who wrote it, where a layout knows several programs.
        warnings: what the file does not say and was assumed, a sentence each.
    """

    model: SimClr
    config: RunConfig
    matched: int
    total: int | None = None
    format: str = ""
    warnings: tuple[str, ...] = ()


class Writer(NamedTuple):
    """A program whose files are known by `marks`, a pattern in "backbone's prefix | head's prefix | keys at the top"."""

    marks: str
    large: Normalisation  # of the input, with a 7×7 stem
    small: Normalisation  # with a 3×3 stem
    padding: int = 1  # of a 3×3 stem


WRITERS: dict[str, Writer] = {
    "moco": Writer(r"encoder_q\.", IMAGENET, CIFAR),
    "vissl": Writer(r"_feature_blocks\.", IMAGENET, IMAGENET),
    "mmselfsup": Writer(r"\| \S*neck", IMAGENET, IMAGENET),
    "lightly": Writer(r"projection_head|_features\.", IMAGENET, IMAGENET),
    "lightning-bolts": Writer(r"\| \S*projection\.model", UNIT, CIFAR),
    "simclr-pytorch (AndrewAtanov)": Writer(r"convnet\.", UNIT, UNIT),
    "simclr (Spijkervet)": Writer(r"encoder\. \| \S*projector \|(?!.*lightning)", UNIT, UNIT),
    "solo-learn": Writer(r"\| \S*projector \|.*lightning", IMAGENET, CIFAR, padding=2),
    "barlow twins, vicreg": Writer(r"\| \S*projector", IMAGENET, IMAGENET),
    "simclr (leftthomas)": Writer(r"\bf\. \| \S*\bg ", CIFAR_NARROW, CIFAR_NARROW),
    "simclr (sthalles)": Writer(r"backbone\. \| \S*backbone\.fc|features\. \| \S*\bl1", UNIT, UNIT),
    "supcontrast": Writer(r"encoder\.(module\.)? \| \S*\bhead ", IMAGENET, CIFAR_NARROW),
    "simsiam": Writer(r"encoder\. \| \S*encoder\.fc", IMAGENET, IMAGENET),
    "torchvision, timm": Writer(r"", IMAGENET, IMAGENET),
}
"""Programs in the order they are asked for; the last takes what no other does. Marks are from the code that saves the files."""


class Linear(NamedTuple):
    """A layer of a head: weight (out, in), bias, and the BatchNorm behind it by its tensors' names."""

    weight: Tensor
    bias: Tensor | None
    norm: Mapping[str, Tensor] | None


class Found(NamedTuple):
    """A backbone in a file: where it is, its tensors by torchvision's names, its architecture."""

    prefix: str
    tensors: dict[str, Tensor]
    architecture: str | None
    blocks: tuple[int, ...]

    @property
    def dim(self) -> int:
        """Width of h."""
        return 512 if self.architecture in ("resnet18", "resnet34") else 2048


# -- reading ---------------------------------------------------------------------------------------------------------
class _Unknown:
    """Stands in for a class or function that torch does not know: whatever is made with it is an empty mapping."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        return OrderedDict()


class _UnknownNumpy:
    """The same for NumPy's own, whose state is no mapping."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _stand_ins(path: Path) -> list[Any]:
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # the format before 2020, which cannot be asked
        return []
    bases = {name: _UnknownNumpy if name.startswith("numpy") else _Unknown for name in names}
    return [(type(name, (base,), {}), name) for name, base in bases.items()]


def _read(path: Path) -> Any:
    """The content of a file; None where it is no PyTorch or safetensors file, by its content or its name."""
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_stand_ins(path)):
            warnings.simplefilter("ignore")  # about the pickle's protocol
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OSError,
            zipfile.BadZipFile) as error:  # fmt: skip
        if path.suffix not in SUFFIXES:
            return None
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            sentence("encoder", "a whole PyTorch file", str(path), f"it cannot be read: {reason}")
        ) from None


def _flat(data: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of nested mappings, and of modules that were saved whole, by its path."""
    if isinstance(data, Tensor):
        yield path, data
        return
    if depth > DEEPEST or not isinstance(data, Mapping):
        return
    inside = getattr(data, "__dict__", {})
    module = {k: v for part in ("_parameters", "_buffers", "_modules") for k, v in (inside.get(part) or {}).items()}
    for name, value in {**data, **module}.items():
        yield from _flat(value, f"{path}.{name}" if path else str(name), depth + 1)


# -- the backbone ----------------------------------------------------------------------------------------------------
def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What lies under a prefix, by torchvision's names; numbered parts of a Sequential are named by their shapes."""
    under = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
    if "conv1.weight" not in under:
        under = _renamed(under)
    parts = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
    return {k.replace(".shortcut.", ".downsample."): t for k, t in under.items() if k.startswith(parts)}


def _renamed(under: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names: dict[str, str] = {}
    stages = 0
    for child in sorted({k.partition(".")[0] for k in under if k.partition(".")[0].isdigit()}, key=int):
        weight = under.get(f"{child}.weight")
        if weight is not None:
            names[child] = "conv1" if weight.ndim == 4 else "bn1"
        elif f"{child}.0.conv1.weight" in under:
            stages += 1
            names[child] = f"layer{stages}"
    return {
        names[c] + "." + rest: t for (c, _, rest), t in ((k.partition("."), t) for k, t in under.items()) if c in names
    }


def _backbones(tensors: Mapping[str, Tensor]) -> list[Found]:
    """Every place where a ResNet may begin, networks that learn before their slow copies."""
    found = []
    for key, t in tensors.items():
        prefix = re.fullmatch(r"(|.*\.)(conv1|0)\.weight", key)
        if prefix and t.ndim == 4 and t.shape[1] == 3:
            named = _named(tensors, prefix[1])
            places = {(int(m[1]), int(m[2])) for k in named if (m := re.match(r"layer(\d)\.(\d+)\.", k))}
            blocks = tuple(sum(stage == s for s, _ in places) for stage in range(1, 5))
            kind = ("layer1.0.conv3.weight" in named, blocks)
            found.append(Found(prefix[1], named, ARCHITECTURES.get(kind), blocks))
    return sorted(found, key=lambda f: (f.architecture is None, bool(COPIES.search(f.prefix))))


def _whole(found: Found, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors in float32; `CheckpointError` unless all that was learned is there and finite."""
    needed = {k: t for k, t in wanted.items() if k in found.tensors or not k.endswith("num_batches_tracked")}
    wrong = [k for k, t in needed.items() if k not in found.tensors or found.tensors[k].shape != t.shape]
    wrong += [k for k in found.tensors if k not in wanted]
    if wrong:
        count = f"{len(needed) - len(wrong)} of {len(needed)} (first wrong: {found.prefix}{wrong[0]})"
        remedy = f"it looks like {found.architecture}, but a network is used only whole"
        raise CheckpointError(sentence("encoder", "a file whose backbone matches in all tensors", count, remedy))
    broken = [k for k in needed if not torch.isfinite(found.tensors[k]).all()]
    if broken:
        remedy = "the training had diverged; take an earlier checkpoint"
        raise CheckpointError(
            sentence("encoder", "a file of finite weights", f"NaN or infinity in {broken[0]}", remedy)
        )
    return {k: found.tensors[k].to(t.dtype) for k, t in needed.items()}


# -- the head --------------------------------------------------------------------------------------------------------
def _head(tensors: Mapping[str, Tensor], prefix: str, dim: int) -> tuple[str, list[Linear]]:
    """The head that belongs to a backbone: its prefix and layers. No layers: none, or one of a form that is not known."""
    parts = prefix.split(".")[:-1]
    above = [".".join([*parts[:i], ""]) for i in range(len(parts) - 1, -1, -1)] or [""]
    for place in above:
        for name in HEADS:
            if any(k.startswith(f"{place}{name}.") for k in tensors):
                starts = (f"{place}l1.", f"{place}l2.") if name == "l1" else (f"{place}{name}.",)
                layers = _layers([(k, t) for k, t in tensors.items() if k.startswith(starts)], dim)
                longer = "projection.model" if any(k.startswith(f"{place}projection.model.") for k in tensors) else name
                return place + longer, layers
    own = [(k, t) for k, t in tensors.items() if k.startswith(prefix + "fc.")]
    layers = _layers(own, dim)
    is_head = len(layers) > 1 or "encoder_q." in prefix  # one layer alone is a classifier, elsewhere
    return (prefix + "fc", layers) if is_head else ("", [])


def _layers(tensors: list[tuple[str, Tensor]], dim: int) -> list[Linear]:
    modules: dict[str, dict[str, Tensor]] = {}
    for key, t in tensors:
        module, _, leaf = key.rpartition(".")
        modules.setdefault(module, {})[leaf] = t.float()
    layers: list[Linear] = []
    for found in modules.values():
        weight = found.get("weight")
        if weight is not None and weight.ndim == 2:
            layers.append(Linear(weight, found.get("bias"), None))
        elif "running_mean" in found and layers:
            layers[-1] = layers[-1]._replace(norm=found)
        else:
            return []
    widths = [dim, *(len(layer.weight) for layer in layers)]
    fits = all(layer.weight.shape[1] == width for layer, width in zip(layers, widths, strict=False))
    return layers if fits and len(layers) <= 3 and len(set(widths[1:-1])) <= 1 else []


def _as_ours(layers: list[Linear]) -> dict[str, Tensor]:
    """The same function by the names and the form of `model.projection_head`."""
    state: dict[str, Tensor] = {}
    for i, (weight, bias, norm) in enumerate(layers):
        none = torch.zeros(len(weight))
        bias, norm = none if bias is None else bias, norm or {"running_mean": none, "running_var": none + 1 - EPS}
        mean, var = norm["running_mean"] - bias, norm["running_var"]
        gamma, beta = norm.get("weight", none + 1), norm.get("bias", none)
        if i == len(layers) - 1:
            scale = gamma / (var + EPS).sqrt()
            return state | {f"{3 * i}.weight": weight * scale[:, None], f"{3 * i}.bias": beta - scale * mean}
        state |= {f"{3 * i}.weight": weight, f"{3 * i + 1}.weight": gamma, f"{3 * i + 1}.bias": beta}
        state |= {f"{3 * i + 1}.running_mean": mean, f"{3 * i + 1}.running_var": var}
    return state


# -- the whole -------------------------------------------------------------------------------------------------------
def _config(found: Found, layers: list[Linear], padding: int) -> ModelConfig:
    small = "cifar" if padding == 1 else "cifar_padded"
    return ModelConfig(
        backbone=str(found.architecture),
        stem=small if found.tensors["conv1.weight"].shape[-1] == 3 else "imagenet",
        head_layers=len(layers),
        hidden_dim=len(layers[0].weight) if len(layers) > 1 else 256,
        proj_dim=len(layers[-1].weight) if layers else found.dim,
    )


def read_public(path: Path) -> Loaded | None:
    """The network in a file that another program wrote; None where there is no ResNet in it.

    Raises:
        CheckpointError: a PyTorch file that cannot be read, or a ResNet that is not whole or of no known size.
    """
    data = _read(path)
    tensors = dict(_flat(data))
    candidates = _backbones(tensors)
    if not candidates:
        return None
    found = candidates[0]
    if found.architecture is None:
        value = f"blocks {found.blocks} at {found.prefix or 'the top'}"
        raise CheckpointError(sentence("encoder", "a ResNet-18, 34 or 50", value, "other networks are not read"))
    where, layers = _head(tensors, found.prefix, found.dim)
    text = f"{found.prefix} | {where} | {' '.join(map(str, data))}"
    name, writer = next((n, w) for n, w in WRITERS.items() if re.search(w.marks, text))
    try:
        config = RunConfig(model=_config(found, layers, writer.padding))
    except ConfigError:  # a head wider than any here
        layers = []
        config = RunConfig(model=_config(found, layers, writer.padding))
    model = build_model(config.model, 0)
    backbone = _whole(found, model.backbone.state_dict())
    model.backbone.load_state_dict(backbone, strict=False)  # without counts of batches, in old files
    model.projection_head.load_state_dict(_as_ours(layers), strict=False)
    large = config.model.stem == "imagenet"
    for buffer, values in zip((model.mean, model.std), writer.large if large else writer.small, strict=True):
        buffer.copy_(torch.tensor(values).view_as(buffer))
    used = len(backbone) + sum(2 if layer.bias is not None else 1 for layer in layers)
    told = _warnings(name, where, layers, large=large)
    return Loaded(model=model, config=config, matched=used, total=used, format=name, warnings=told)


def _warnings(name: str, where: str, layers: list[Linear], *, large: bool) -> tuple[str, ...]:
    told = [
        f"the file does not say how its pictures were normalised: as {name} does it",
        "the file does not say how views were drawn: this program's defaults are used",
    ]
    if large:
        told.append("a 7×7 stem is made for pictures of about 224 pixels; they are taken as they are")
    if not layers:
        why = f"the head at {where} has a form that is not known here" if where else "the file has no projection head"
        told.append(f"{why}: z is h")
    return tuple(told)
