"""What programs that call this one rely on: names, iterators, types, and refusals instead of silence."""

import inspect
import itertools

import numpy as np
import pytest
import torch

from simclr_core import (
    checkpoints,
    diagnostics,
    encode,
    maps,
    neighbours,
    objectives,
    probes,
    similarity,
    sources,
    verdict,
)
from simclr_core.checkpoints import Encoder, Matched
from simclr_core.config import AugmentConfig, ModelConfig, RunConfig, TrainConfig, with_overrides
from simclr_core.errors import ConfigError, RunError
from simclr_core.model import build_model
from simclr_core.records import EmbeddingTable, ImageSet
from simclr_core.store import RunDir
from simclr_core.train import train

SIGNATURES = {
    similarity.nt_xent_rows: ["similarity", "partner", "temperature"],
    similarity.softmax_rows: ["similarity", "temperature"],
    objectives.nt_xent: ["z_a", "z_b", "*temperature"],
    objectives.nt_xent_tiled: ["z_a", "z_b", "*temperature", "*tile"],
    sources.load_images: ["spec", "*split"],
    checkpoints.load_encoder: ["path"],
    train: ["config", "images"],
    encode.encode: ["encoder", "images"],
    neighbours.nearest: ["x", "k", "metric"],
    diagnostics.diagnose: ["table"],
    maps.make_map: ["x", "method", "dims"],
    probes.knn_accuracy: [],
    probes.linear_probe: [],
    probes.fine_tune: [],
    probes.label_efficiency: [],
}


@pytest.mark.parametrize("promised", SIGNATURES, ids=lambda f: f.__name__)
def test_promised_names_take_what_was_promised(promised):
    has = inspect.signature(promised).parameters
    for name in SIGNATURES[promised]:
        keyword_only = has[name.strip("*")].kind is inspect.Parameter.KEYWORD_ONLY
        assert keyword_only == name.startswith("*")


def test_diagnose_is_where_it_was_promised(rng):
    table = EmbeddingTable(h=rng.standard_normal((60, 8)), z=None, index=np.arange(60))
    here, there = (f(table, intervals=False) for f in (diagnostics.diagnose, verdict.diagnose))
    assert here.metrics == there.metrics
    assert here.verdict == there.verdict


@pytest.fixture
def config() -> RunConfig:
    train = TrainConfig(batch_size=16, epochs=3, threads=1)
    return RunConfig(augment=AugmentConfig(), model=ModelConfig(hidden_dim=16, proj_dim=8), train=train)


def test_train_is_an_iterator_that_may_be_left_and_taken_up_again(config, tiny_images):
    reports = train(config, tiny_images)
    assert next(reports).step == 1
    assert [r.step for r in itertools.islice(reports, 2)] == [2, 3]
    for report in reports:
        if report.step == 5:
            reports.stop()
    assert (reports.step, list(reports)) == (5, [])
    assert reports.model is not None


def test_a_whole_number_may_be_written_as_people_write_thousands(config, tiny_images):
    short = with_overrides(config, ["train.batch_size=1.6e1", "train.epochs=1.0"])
    assert short == with_overrides(config, ["train.epochs=1"])
    assert type(short.train.batch_size) is int
    assert len(list(train(short, tiny_images))) == 2


@pytest.mark.parametrize(
    "setting", ["images=5", "train.objective=[1]", "train.device=[1]", "model.stem={}", "model.backbone=[1]"]
)
def test_a_setting_of_another_type_is_a_sentence(setting, config, tiny_images):
    with pytest.raises(ConfigError, match=setting.split("=")[0].split(".")[-1]):
        train(with_overrides(config, [setting]), tiny_images)


def test_a_second_derivative_is_refused_not_forgotten():
    z_a, z_b = torch.randn(2, 8, 4, requires_grad=True)
    loss = objectives.nt_xent(z_a, z_b, temperature=0.5)
    with pytest.raises(ConfigError, match="create_graph"):
        torch.autograd.grad(loss, z_a, create_graph=True)
    torch.autograd.grad(objectives.nt_xent(z_a, z_b, temperature=0.5), z_a)


@pytest.mark.parametrize("way", [objectives.nt_xent, objectives.nt_xent_tiled])
@pytest.mark.parametrize(("temperature", "digits"), [(0.05, 3e-4), (0.1, 5e-6)])
def test_little_is_lost_where_twins_are_nearly_found(way, temperature, digits):
    """What is left of a twin's pull is small there: as exact as softmax minus one in float32, or the noise would be learnt."""
    torch.manual_seed(0)
    z = torch.randn(64, 32)
    views = [z, z + 0.3 * torch.randn(64, 32)]
    narrow, wide = ([v.clone().to(t).requires_grad_() for v in views] for t in (torch.float32, torch.float64))
    for pair in (narrow, wide):
        way(*pair, temperature=temperature).backward()
    off = torch.cat([a.grad - b.grad for a, b in zip(narrow, wide, strict=True)]).norm()
    assert off < digits * torch.cat([v.grad for v in wide]).norm()


def test_rows_of_any_length_are_directions():
    z_a, z_b = torch.randn(2, 8, 4)
    small, huge = (objectives.nt_xent(s * z_a, s * z_b, temperature=0.5) for s in (1, 1e25))
    assert huge == pytest.approx(small.item(), rel=1e-5)


@pytest.fixture
def network(config) -> Encoder:
    module = build_model(config.model, 0).eval()
    about = Matched(
        format="", architecture="small", stem="", feature_dim=128, head=(), matched=1, total=1, normalisation={}
    )
    return Encoder(module=module, provenance="", report=about, config=config)


@pytest.mark.parametrize("n", [2, 512, 513])
def test_any_number_of_pictures_is_encoded(n, network, rng):
    pictures = rng.integers(0, 255, (n, 8, 8, 3), dtype=np.uint8)
    table = encode.encode(network, ImageSet(image=pictures, label=None, index=np.arange(n), spec="", split="all"))
    assert (table.h.shape, table.z.shape) == ((n, 128), (n, 8))
    assert table.h.dtype == table.z.dtype == np.float32


def test_a_run_whose_checkpoint_is_cut_short_says_so(config, tiny_images, tmp_path):
    run = RunDir(tmp_path / "run")
    list(train(config, tiny_images, run=run))
    state = run.latest_checkpoint / "optimizer.pt"
    for cut in (100, 0):
        state.write_bytes(state.read_bytes()[:cut])
        with pytest.raises(RunError, match="checkpoint is whole"):
            train(config, tiny_images, run=run, resume=True)
    state.unlink()
    with pytest.raises(RunError, match="checkpoint is whole"):
        train(config, tiny_images, run=run, resume=True)


@pytest.mark.parametrize("spec", ["npz:" + 5000 * "a", "folder:~nobody-lives-here/x"])
def test_a_path_that_cannot_be_looked_up_is_a_sentence(spec):
    with pytest.raises(ConfigError, match="looked up"):
        sources.load_images(spec)
