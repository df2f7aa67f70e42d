"""Training on labels: the same from memory and from a file that memory could not hold."""

import dataclasses

import numpy as np
import pytest
import torch

from simclr_core.checkpoints import load_encoder
from simclr_core.config import ModelConfig, RunConfig
from simclr_core.errors import DataError
from simclr_core.model import build_model
from simclr_core.probes import fine_tune
from simclr_core.records import ImageSet
from simclr_core.train import save_model

N = 700


class Watched(np.memmap):
    """A mapped file that remembers the most pictures that were read from it at once."""

    most = 0

    def __getitem__(self, rows):
        found = super().__getitem__(rows)
        if found.ndim == 4:
            Watched.most = max(Watched.most, len(found))
        return found


@pytest.fixture
def encoder(tmp_path):
    torch.set_num_threads(1)
    config = RunConfig(model=ModelConfig(hidden_dim=16, proj_dim=8))
    save_model(build_model(config.model, 0), config, tmp_path / "m.safetensors")
    return load_encoder(tmp_path / "m.safetensors")


@pytest.fixture
def pictures(rng) -> ImageSet:
    image = rng.integers(0, 255, (N, 8, 8, 3), dtype=np.uint8)
    return ImageSet(image=image, label=np.arange(N) % 3, index=np.arange(N), spec="", split="all")


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_mapped_set_is_learnt_from_by_batches_with_the_same_result(encoder, pictures, share, tmp_path):
    np.save(tmp_path / "x.npy", pictures.image)
    mapped = dataclasses.replace(pictures, image=np.load(tmp_path / "x.npy", mmap_mode="c").view(Watched))
    Watched.most = 0
    read = fine_tune(encoder, mapped, mapped, steps=3, share=share)
    assert 0 < Watched.most <= 512
    assert read == fine_tune(encoder, pictures, pictures, steps=3, share=share)
    assert read.n_train == pytest.approx(share * N, abs=1)


def test_only_the_seen_rows_are_learnt_from(encoder, pictures):
    """Pictures whose labels stay hidden may be anything."""
    from simclr_core.probes import label_subset

    seen = label_subset(pictures.label, 0.1, 0)
    other = np.zeros_like(pictures.image)
    other[seen] = pictures.image[seen]
    changed = dataclasses.replace(pictures, image=other)
    how = {"steps": 3, "share": 0.1}
    assert fine_tune(encoder, changed, pictures, **how) == fine_tune(encoder, pictures, pictures, **how)


def test_one_class_and_no_labels_are_sentences(encoder, pictures):
    with pytest.raises(DataError, match="at least 2 classes"):
        fine_tune(encoder, dataclasses.replace(pictures, label=np.zeros(N, np.int64)), pictures, steps=1)
    with pytest.raises(DataError, match="label"):
        fine_tune(encoder, dataclasses.replace(pictures, label=None), pictures, steps=1)


def test_a_last_batch_of_one_picture_is_scored_too(encoder, pictures):
    odd = pictures.take(np.arange(513))
    assert fine_tune(encoder, pictures, odd, steps=1).n_test == 513
