"""A run with everything the pairs page can show: pictures, an encoder and pairs whose views can be drawn again."""

from pathlib import Path
from unittest.mock import patch

import numpy as np

from simclr_core import pipeline
from simclr_core.checkpoints import UNTRAINED, load_encoder
from simclr_core.config import AugmentConfig, ModelConfig, RunConfig
from simclr_core.model import build_model
from simclr_core.store import RunDir
from simclr_core.train import save_model

HELD_OUT, PAIRED, SIZE = 60, 40, 16


def write_pictures(path: Path) -> None:
    """60 held-out pictures of 3 classes, told apart by which third is bright."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 90, (20 + HELD_OUT, SIZE, SIZE, 3), dtype=np.uint8)
    label = np.arange(len(image)) % 3
    for i, c in enumerate(label):
        image[i, 5 * c : 5 * c + 6, :, c] += 120
    names = np.array(["red", "green", "*blue*"])
    np.savez(path, train_x=image[:20], train_y=label[:20], test_x=image[20:], test_y=label[20:], classes=names)


def build_encoded_run(path: Path) -> RunDir:
    """A run whose encoder was never trained, but has other weights than its untrained reference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = path.parent / f"{path.name}.npz"
    write_pictures(pictures)
    run = RunDir(path)
    model = ModelConfig(hidden_dim=16, proj_dim=8)
    augment = AugmentConfig(jitter_strength=0.4, blur_p=0.5)
    config = RunConfig(images=f"npz:{pictures}", model=model, augment=augment).resolved(20)
    run.write_config(config, run_id="0123456789ab", data_digest="00", n_images=20)
    with run.new_checkpoint(0) as folder:
        save_model(build_model(model, seed=7), config, folder / "model.safetensors")
    encoders = load_encoder(run.path), load_encoder(f"{UNTRAINED}{run.path}")
    with patch.object(pipeline, "PAIRS", PAIRED):  # fewer than there are, as in a real run
        pipeline.write_embeddings(run, *encoders, pipeline.load_for(config, "test"))
    run.write_status(state="done", step=0, steps=0, message="", progress=1.0, threads=1, device="cpu")
    return run
