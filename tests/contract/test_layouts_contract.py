"""Files as other programs write them, made here with torch: found, told apart, taken whole, with the same h and z."""

import argparse
import io
import json
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from functools import cache

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from simclr_core.checkpoints import inspect, load_encoder
from simclr_core.errors import CheckpointError
from simclr_core.layouts import WRITERS
from simclr_core.records import ImageSet

TORCHVISION_ORDER = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
LEFTTHOMAS_ORDER = TORCHVISION_ORDER | {"layer1": "3", "layer2": "4", "layer3": "5", "layer4": "6"}
LIGHTLY_ORDER = TORCHVISION_ORDER | {"layer1": "2", "layer2": "3", "layer3": "4", "layer4": "5"}
PLAIN = {"epoch": 100, "arch": "resnet18"}
LIGHTNING = {"pytorch-lightning_version": "2.1", "epoch": 9, "hyper_parameters": {"lr": 0.4}}


def shaken(net: nn.Module) -> nn.Module:
    """Weights and statistics as if trained: nothing is at its default."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1), m.running_var.uniform_(0.5, 1.5)
            if m.affine:
                nn.init.uniform_(m.weight, 0.5, 1.5), nn.init.normal_(m.bias, 0, 0.1)
    return net.eval()


@cache
def backbone(stem: str, padding: int = 1) -> nn.Module:
    net = torchvision.models.resnet18(weights=None)
    net.fc = nn.Identity()
    if stem == "small":
        net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, padding, bias=False), nn.Identity()
    return shaken(net)


def mlp(out: int = 128, bias: bool = True) -> nn.Module:
    return shaken(nn.Sequential(nn.Linear(512, 64, bias=bias), nn.ReLU(), nn.Linear(64, out, bias=bias)))


def normed(last: bool, bias: bool = False) -> nn.Module:
    parts = [nn.Linear(512, 64, bias=bias), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32, bias=not last)]
    return shaken(nn.Sequential(*parts, *([nn.BatchNorm1d(32)] if last else [])))


def deep() -> nn.Module:
    layer = [nn.Linear(512, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU()]
    more = [nn.Linear(512, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU()]
    return shaken(nn.Sequential(*layer, *more, nn.Linear(512, 512), nn.BatchNorm1d(512, affine=False)))


def put(net: nn.Module, prefix: str, names: dict[str, str] | None = None, shortcut: bool = False) -> OrderedDict:
    found = OrderedDict()
    for key, value in net.state_dict().items():
        first, _, rest = key.partition(".")
        key = f"{(names or {}).get(first, first)}.{rest}"
        found[prefix + (key.replace("downsample", "shortcut") if shortcut else key)] = value
    return found


def other(state: dict) -> dict:
    return {k: v + 1 if v.is_floating_point() else v for k, v in state.items()}


def made(name: str) -> tuple[nn.Module, nn.Module | None, object]:
    """Backbone, head (None: there is none) and what the program would save."""
    large, small = backbone("large"), backbone("small")
    numbered = ("0", "1", "2", "3", "4", "5", "6", "7")
    if name in ("moco", "moco v1", "moco, no module"):
        head = shaken(nn.Sequential(nn.Linear(512, 128))) if name == "moco v1" else mlp()
        names = {"0": "fc"} if name == "moco v1" else {n: f"fc.{n}" for n in numbered}
        module = "" if name == "moco, no module" else "module."
        q = put(large, f"{module}encoder_q.") | put(head, f"{module}encoder_q.", names)
        k = {key.replace("encoder_q", "encoder_k"): v for key, v in other(q).items()}
        queue = {f"{module}queue": torch.ones(128, 64), f"{module}queue_ptr": torch.zeros(1, dtype=torch.long)}
        return large, head, PLAIN | {"state_dict": k | q | queue, "optimizer": {"state": {0: {"m": torch.ones(3)}}}}
    if name == "simsiam":
        head = deep()
        state = put(large, "module.encoder.") | put(head, "module.encoder.fc.")
        return large, head, PLAIN | {"state_dict": state | {"module.predictor.0.weight": torch.ones(8, 512)}}
    if name == "simclr (sthalles)":
        head = mlp()
        return large, head, PLAIN | {"state_dict": put(large, "backbone.") | put(head, "backbone.fc.")}
    if name == "simclr (sthalles), 2020":
        head = mlp()
        return large, head, put(large, "features.", TORCHVISION_ORDER) | put(head, "", {"0": "l1", "2": "l2"})
    if name == "simclr (Spijkervet)":
        head = mlp(64, bias=False)
        return large, head, put(large, "encoder.") | put(head, "projector.")
    if name == "simclr (leftthomas)":
        head = normed(last=False)
        return small, head, put(small, "f.", LEFTTHOMAS_ORDER, shortcut=False) | put(head, "g.")
    if name == "supcontrast":
        head = mlp()
        state = put(small, "encoder.module.", shortcut=True) | put(head, "head.")
        return small, head, {"opt": argparse.Namespace(temp=0.5), "model": state, "optimizer": {}, "epoch": 50}
    if name == "simclr-pytorch (AndrewAtanov)":
        head = normed(last=True)
        names = {"0": "fc1", "1": "bn1", "3": "fc2", "4": "bn2"}
        state = put(small, "convnet.") | {"convnet.fc.weight": torch.ones(10, 512)} | put(head, "projection.", names)
        return small, head, {"state_dict": state, "hparams": argparse.Namespace(data="cifar"), "iter": 3}
    if name == "lightly":
        head = normed(last=True)
        state = put(large, "backbone.", TORCHVISION_ORDER) | put(head, "projection_head.layers.")
        return large, head, LIGHTNING | {"state_dict": state}
    if name == "lightly, cifar":
        head = normed(last=True)
        state = put(small, "backbone.", LIGHTLY_ORDER, shortcut=True) | put(head, "projection_head.layers.")
        return small, head, LIGHTNING | {"state_dict": state}
    if name == "solo-learn":
        padded, head = backbone("small", padding=2), mlp(256)
        state = put(padded, "backbone.") | put(head, "projector.") | {"classifier.weight": torch.ones(10, 512)}
        return padded, head, LIGHTNING | {"state_dict": other(put(padded, "momentum_backbone.")) | state}
    if name == "barlow twins, vicreg":
        head = deep()
        return large, head, {"epoch": 1, "model": put(large, "module.backbone.") | put(head, "module.projector.")}
    if name == "vissl":
        head = mlp()
        heads = put(head, "", {"0": "0.clf.0", "2": "1.clf.0"})
        trunk = {"trunk": put(large, "_feature_blocks."), "heads": heads}
        return large, head, {"classy_state_dict": {"base_model": {"model": trunk}}, "phase": 99}
    if name == "mmselfsup":
        head = normed(last=True, bias=True)
        neck = put(head, "neck.", {"0": "fc0", "1": "bn0", "3": "fc1", "4": "bn1"})
        return large, head, {"meta": {}, "state_dict": put(large, "backbone.") | neck}
    if name == "lightning-bolts":
        head = normed(last=False)
        state = put(small, "encoder.") | {"encoder.fc.weight": torch.ones(10, 512)} | put(head, "projection.model.")
        return small, head, LIGHTNING | {"state_dict": state}
    assert name == "torchvision, timm"
    return large, None, put(large, "") | {"fc.weight": torch.ones(1000, 512), "fc.bias": torch.ones(1000)}


FILES = [*WRITERS, "moco v1", "moco, no module", "simclr (sthalles), 2020", "lightly, cifar"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_program_gives_its_own_h_and_z(name, tmp_path):
    torch.manual_seed(0)
    net, head, content = made(name)
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path)
    encoder, x = load_encoder(path), torch.rand(2, 3, 32, 32)
    found = json.loads(json.dumps(asdict(encoder.report)))
    assert found["format"] == name.partition(",")[0] or found["format"] == name.replace(" v1", "")
    assert (found["architecture"], found["feature_dim"]) == ("resnet18", 512)
    assert found["matched"] == found["total"] >= 100
    assert found["warnings"]
    with torch.inference_mode():
        h, z = encoder.module(x)
        expected = net((x - encoder.module.mean) / encoder.module.std)
        torch.testing.assert_close(h, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(z, head(expected) if head else expected, rtol=1e-4, atol=1e-3)
    if head:
        assert found["head"] == [list(m.weight.shape) for m in head if isinstance(m, nn.Linear)]


@pytest.fixture
def torchvision_file(tmp_path):
    def save(change=lambda state: state, name="resnet18.pth"):
        torch.manual_seed(0)
        path = tmp_path / name
        state = change(backbone("large").state_dict())
        save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
        return path

    return save


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
        lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
        lambda s: {"module." + k: v for k, v in s.items()},
        lambda s: {"model": {"_orig_mod." + k: v for k, v in s.items()}},
        lambda s: {"model_ema": {k: v + 1 for k, v in s.items() if "num" not in k}, "model": s},
    ],
    ids=["half", "no counts", "DDP", "compiled", "beside averages"],
)
def test_dressings_of_the_same_weights_are_taken_off(change, torchvision_file):
    plain = load_encoder(torchvision_file()).module(torch.ones(1, 3, 32, 32))[0]
    dressed = load_encoder(torchvision_file(change)).module(torch.ones(1, 3, 32, 32))[0]
    torch.testing.assert_close(dressed, plain, rtol=0.02, atol=0.02)


def test_safetensors_and_a_module_saved_whole_are_read(torchvision_file, tmp_path):
    assert inspect(torchvision_file(name="resnet18.safetensors"))["matched"] > 100
    torch.save(backbone("large"), tmp_path / "whole.pt")
    assert inspect(tmp_path / "whole.pt")["format"] == "torchvision, timm"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "layer2.0.bn1.bias"}, "layer2.0.bn1.bias"),
        (lambda s: s | {"layer1.0.conv1.weight": torch.ones(64, 64, 1, 1)}, "layer1.0.conv1.weight"),
        (lambda s: s | {"layer1.0.attention.weight": torch.ones(3)}, "attention"),
        (lambda s: s | {"conv1.weight": s["conv1.weight"] * torch.nan}, "finite"),
        (lambda s: {k: v for k, v in s.items() if not k.startswith("layer3.1")}, "ResNet-18, 34 or 50"),
    ],
    ids=["missing", "shape", "more", "nan", "another depth"],
)
def test_a_backbone_that_is_not_whole_is_refused_with_what_is_wrong(change, says, torchvision_file):
    with pytest.raises(CheckpointError, match=says):
        load_encoder(torchvision_file(change))


def test_a_file_cut_short_is_a_sentence(torchvision_file):
    path = torchvision_file()
    for size in (0, 10, 5000, path.stat().st_size - 100):
        path.write_bytes(path.read_bytes()[:size] if size else b"")
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_encoder(path)
        path = torchvision_file()


class Trap:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize("legacy", [False, True])
def test_a_trap_beside_good_weights_is_never_sprung(legacy, tmp_path):
    import os

    sprung = tmp_path / "sprung"
    for call, args in (
        (open, (str(sprung), "w")),
        (os.system, (f"touch {sprung}",)),
        (eval, (f"open({str(sprung)!r}, 'w')",)),
    ):
        path = tmp_path / "trap.pth"
        content = {"state_dict": {"conv1.weight": torch.ones(2, 2)}, "extra": Trap(call, *args)}
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        with suppress(CheckpointError):
            load_encoder(path)
        assert not sprung.exists()


def test_a_prepared_run_reads_the_same_network_from_its_own_file(tmp_path, rng):
    from simclr_core.encode import encode
    from simclr_core.train import save_model

    torch.manual_seed(0)
    torch.save(made("solo-learn")[2], tmp_path / "last.ckpt")
    theirs = load_encoder(tmp_path / "last.ckpt")
    save_model(theirs.module, theirs.config, tmp_path / "model.safetensors")
    pictures = rng.integers(0, 255, (3, 32, 32, 3), dtype="uint8")
    images = ImageSet(image=pictures, label=None, index=rng.integers(0, 9, 3), spec="", split="all")
    assert (encode(load_encoder(tmp_path / "model.safetensors"), images).h == encode(theirs, images).h).all()


def test_what_normalises_the_input_is_found_from_the_statistics(tmp_path, rng):
    from simclr_core.encode import draw_views, normalisation_fit
    from simclr_core.layouts import CIFAR

    torch.manual_seed(0)
    pictures = rng.integers(0, 255, (96, 32, 32, 3), dtype="uint8") // 2 + rng.integers(
        0, 128, (96, 1, 1, 3), dtype="uint8"
    )
    images = ImageSet(image=pictures, label=None, index=rng.integers(0, 9, 96), spec="", split="all")
    buffer = io.BytesIO()
    torch.save(backbone("large").state_dict(), buffer)
    (tmp_path / "r.pth").write_bytes(buffer.getvalue())
    encoder = load_encoder(tmp_path / "r.pth")
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in CIFAR)
    before = encoder.module.mean.clone()
    for m in encoder.module.backbone.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None
    with torch.no_grad():
        encoder.module.backbone.train()((draw_views(images, encoder.config.augment, 1, None)[0] - mean) / std)
    fit = normalisation_fit(encoder, images)
    assert min(fit, key=fit.get) == "cifar10"
    assert fit.keys() == {"file", "none", "imagenet", "cifar10", "this program"}
    assert fit["file"] == fit["imagenet"]
    assert torch.equal(encoder.module.mean, before)
