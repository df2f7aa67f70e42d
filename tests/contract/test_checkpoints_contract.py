"""What every entry of LAYOUTS and BACKBONES promises."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from simclr_core import checkpoints
from simclr_core.checkpoints import LAYOUTS, Loaded, inspect, load_encoder
from simclr_core.config import ModelConfig, RunConfig
from simclr_core.errors import CheckpointError
from simclr_core.model import BACKBONES, build_model
from simclr_core.registry import Choice, Label
from simclr_core.train import save_model


class Trap:
    """Unpickling this leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def strangers(tmp_path):
    """Files that no layout knows, two of them pickles that tell when they are opened."""
    files = {name: tmp_path / name for name in ("a.safetensors", "b.npz", "c.txt", "d.pt", "e.pkl", "f")}
    save_file({"weight": torch.ones(2)}, files["a.safetensors"])
    np.savez(files["b.npz"], weight=np.ones(2))
    files["c.txt"].write_text("no network")
    torch.save(Trap(str(tmp_path / "sprung")), files["d.pt"])
    files["e.pkl"].write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    files["f"].touch()
    return files.values()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_leaves_what_it_does_not_know_and_opens_no_pickle(name, strangers, tmp_path):
    assert all(LAYOUTS[name].label)
    assert LAYOUTS[name].source
    for path in strangers:
        assert LAYOUTS[name].run(path) is None
        with pytest.raises(CheckpointError, match="known layout"):
            load_encoder(path)
    assert not (tmp_path / "sprung").exists()


def test_a_damaged_file_says_so_and_a_pickle_in_disguise_stays_shut(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_encoder(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_comes_back_whole_from_its_file(name, tmp_path):
    config = RunConfig(model=ModelConfig(backbone=name, hidden_dim=16, proj_dim=8))
    model = build_model(config.model, 3)
    save_model(model, config, tmp_path / "m.safetensors")
    found = inspect(tmp_path / "m.safetensors")
    assert found["matched"] == found["total"] == len(model.state_dict())
    assert (found["architecture"], found["warnings"]) == (name, [])
    assert found["stem"] == (BACKBONES[name].stem or "cifar")
    with torch.inference_mode():
        h, z = load_encoder(tmp_path / "m.safetensors").module(torch.rand(1, 3, 32, 32))
    assert (h.shape, z.shape) == ((1, found["feature_dim"]), (1, 8))


def test_a_new_layout_is_one_entry_and_its_warnings_reach_the_report(tmp_path, monkeypatch):
    config = RunConfig(model=ModelConfig(hidden_dim=16, proj_dim=8))

    def read(path):
        if path.read_text() != "mine":
            return None
        return Loaded(model=build_model(config.model, 0), config=config, matched=3, warnings=("no head: a fresh one",))

    (tmp_path / "mine.txt").write_text("mine")
    entry = Choice(label=Label("mine", "我的"), run=read, source="this test")
    monkeypatch.setitem(checkpoints.LAYOUTS, "mine", entry)
    found = inspect(tmp_path / "mine.txt")
    assert (found["format"], found["matched"], found["warnings"]) == ("mine", 3, ["no head: a fresh one"])
