"""Encoders from files: every known layout is an entry of `LAYOUTS`; what a file does not say is told as a warning.

A layout gets the path and reads it in its own way, so that it need not be a safetensors file; nothing may unpickle. A
file that matches no layout is refused with a sentence, and a backbone is used only when all its tensors match.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from simclr_core.config import RunConfig, from_dict
from simclr_core.errors import CheckpointError, ConfigError, sentence
from simclr_core.layouts import WRITERS, Loaded, read_public
from simclr_core.model import BACKBONES, SimClr, build_model
from simclr_core.registry import Choice, Label
from simclr_core.store import RunDir
from simclr_core.train import AVERAGED, FORMAT, WEIGHTS

UNTRAINED = "untrained:"


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How a file's tensors met the network's."""

    format: str
    architecture: str
    stem: str
    feature_dim: int
    head: tuple[tuple[int, ...], ...]
    matched: int
    total: int
    normalisation: dict[str, list[float]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A network ready to encode, where it came from, and how completely its file matched.

    `module(x)` takes pictures in [0, 1] as (b, 3, s, s) and returns (h, z); it normalises them itself.
    """

    module: SimClr
    provenance: str
    report: Matched
    config: RunConfig

    @property
    def image_size(self) -> int | None:
        """Edge of the pictures it was trained on; None where it takes them as they are."""
        return self.config.image_size


def _describe(loaded: Loaded, format: str) -> Matched:
    model, config = loaded.model, loaded.config.model
    linears = [tuple(m.weight.shape) for m in model.projection_head.modules() if isinstance(m, torch.nn.Linear)]
    return Matched(
        format=loaded.format or format,
        architecture=config.backbone,
        stem=BACKBONES[config.backbone].stem or config.stem,
        feature_dim=model.feature_dim,
        head=tuple(linears),
        matched=loaded.matched,
        total=loaded.total or len(model.state_dict()),
        normalisation={"mean": model.mean.flatten().tolist(), "std": model.std.flatten().tolist()},
        warnings=loaded.warnings,
    )


def _read_safetensors(path: Path, format: str) -> tuple[dict[str, torch.Tensor], dict[str, str]] | None:
    """Tensors and header of a safetensors file of this format; None where it is none, by its content."""
    try:
        with safe_open(path, framework="pt") as f:
            header = f.metadata() or {}
            if header.get("format") != format:
                return None
            return {name: f.get_tensor(name) for name in f.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if path.suffix != ".safetensors":
            return None
        remedy = f"it cannot be read: {error}"
        raise CheckpointError(sentence("encoder", "a whole safetensors file", str(path), remedy)) from None


def _own(path: Path) -> Loaded | None:
    """The layout `train` writes: the network's tensors, the configuration in the header."""
    found = _read_safetensors(path, FORMAT)
    if found is None:
        return None
    tensors, metadata = found
    try:
        config = from_dict(RunConfig, json.loads(metadata["config"]))
    except (KeyError, json.JSONDecodeError, ConfigError) as error:
        raise CheckpointError(f"`encoder` must carry a valid configuration in its header, but: {error}") from None
    model = build_model(config.model, config.train.seed)
    wanted = model.state_dict()
    missing = [k for k, v in wanted.items() if k not in tensors or tensors[k].shape != v.shape]
    extra = [k for k in tensors if k not in wanted]
    if missing or extra:
        count = f"{len(wanted) - len(missing)} of {len(wanted)} matched (first wrong: {(missing + extra)[0]})"
        raise CheckpointError(sentence("encoder", "a file whose tensors all match", count, "the file is damaged"))
    model.load_state_dict(tensors)
    return Loaded(model=model, config=config, matched=len(wanted))


Layout = Callable[[Path], Loaded | None]
"""From a file to its network; None where the file is of another layout, `CheckpointError` where it is of this one but damaged."""
LAYOUTS: dict[str, Choice[Layout]] = {
    "simclr-explorer": Choice(label=Label("this program", "本程序"), run=_own, source="simclr_core.train.save_model"),
    "resnet": Choice(
        label=Label("a ResNet that another program saved", "其他程序保存的 ResNet"),
        run=read_public,
        source=f"the code that saves the files: {', '.join(WRITERS)}",
    ),
}


def weights_file(path: Path) -> Path:
    """The file that a path means: itself, or the newest checkpoint of a run directory; averaged weights where they are."""
    if path.is_file():
        return path
    for folder in (path, RunDir(path).latest_checkpoint):
        for name in (AVERAGED, WEIGHTS):
            if folder is not None and (folder / name).is_file():
                return folder / name
    remedy = "give a run directory, a checkpoint folder or a file of weights"
    raise CheckpointError(sentence("encoder", "a file or a run with a checkpoint", str(path), remedy))


def _untrained(run: str) -> Encoder:
    directory = RunDir(run)
    if directory.exists and "config" in directory.info:
        config = directory.config
    else:
        config = load_encoder(run).config
    return encoder_of(build_model(config.model, config.train.seed), config, "untrained", f"{UNTRAINED}{run}")


def encoder_of(model: SimClr, config: RunConfig, format: str = FORMAT, provenance: str = "in memory") -> Encoder:
    """An encoder around a network at hand, such as the one that a `Training` leaves."""
    return _encoder(Loaded(model=model, config=config, matched=len(model.state_dict())), format, provenance)


def _encoder(loaded: Loaded, format: str, provenance: str) -> Encoder:
    report = _describe(loaded, format)
    return Encoder(module=loaded.model.eval(), provenance=provenance, report=report, config=loaded.config)


def load_encoder(path: str | Path) -> Encoder:
    """Load an encoder.

    Args:
        path: a run directory (its newest checkpoint), a checkpoint folder, a file, or `untrained:RUN` for the same
            architecture with the weights the run began with.

    Raises:
        CheckpointError: nothing there, unreadable, no known layout, or tensors that do not match.
    """
    if str(path).startswith(UNTRAINED):
        return _untrained(str(path).removeprefix(UNTRAINED))
    file = weights_file(Path(path))
    for name, layout in LAYOUTS.items():
        loaded = layout.run(file)
        if loaded is not None:
            return _encoder(loaded, name, str(path))
    known = ", ".join(LAYOUTS)
    remedy = "train here, or bring a ResNet's weights as PyTorch or safetensors"
    raise CheckpointError(sentence("encoder", f"a file of a known layout ({known})", str(path), remedy))


def inspect(path: str | Path) -> dict[str, Any]:
    """What `load_encoder` finds in a file, as JSON values."""
    return json.loads(json.dumps(asdict(load_encoder(path).report)))
