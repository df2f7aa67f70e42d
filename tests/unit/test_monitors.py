"""What a run measures of itself, against `similarity`'s definitions, and the alarms on runs that go wrong."""

import dataclasses

import numpy as np
import pytest
import torch

from simclr_core import monitors, similarity
from simclr_core.alarms import ALARMS, Alarms, Look, alarm_help, alarm_label
from simclr_core.config import RunConfig, with_overrides
from simclr_core.model import build_model
from simclr_core.monitors import Watch, batch_numbers
from simclr_core.train import Training
from simclr_core.verdict import DIAGNOSES

FINE = {
    "steps": 100,
    "loss": 3.0,
    "loss_ceiling": 5.5,
    "loss_floor": 0.1,
    "temperature": 0.2,
    "std_ratio": 0.9,
    "effective_rank": 20.0,
    "effective_negatives": 100.0,
    "dim": 64,
    "grad_norm": 1.0,
    "knn_accuracy": None,
}
WRONG = {
    "complete": {"std_ratio": 0.01},
    "dimensional": {"effective_rank": 2.0},
    "stuck": {"loss": 5.49},
    "few_negatives": {"effective_negatives": 1.2, "temperature": 0.01},
    "gradient": {"grad_norm": 50.0},
    "forgetting": {"knn_accuracy": 0.3},
}


@pytest.mark.parametrize("block", [90, 2**20])
def test_batch_numbers_are_those_of_similarity(monkeypatch, block):
    monkeypatch.setattr(monitors, "ENTRIES_AT_ONCE", block)
    z_a, z_b = torch.randn(9, 6), torch.randn(9, 6)
    found = batch_numbers((z_a, z_b), 0.3)
    u = torch.nn.functional.normalize(torch.cat([z_a, z_b]).double(), dim=1).numpy()
    s, partner = u @ u.T, np.roll(np.arange(18), 9)
    twin = s[np.arange(18), partner]
    others = ~np.eye(18, dtype=bool)
    others[np.arange(18), partner] = False
    assert found["positive_cosine"] == pytest.approx(twin.mean(), abs=1e-6)
    assert found["negative_cosine"] == pytest.approx(s[others].mean(), abs=1e-6)
    right = [twin[i] >= s[i][others[i]].max() for i in range(18)]
    assert found["contrastive_accuracy"] == pytest.approx(np.mean(right))
    assert found["effective_negatives"] == pytest.approx(
        similarity.effective_negatives(s, partner, 0.3).mean(), rel=1e-5
    )
    assert found["std_ratio"] == pytest.approx(u.std(0, ddof=1).mean() * 6**0.5, rel=1e-5)


def test_collapsed_and_even_batches_have_the_numbers_that_follow():
    point = torch.ones(8, 4)
    found = batch_numbers((point, point), 0.5)
    assert found["positive_cosine"] == pytest.approx(1)
    assert found["std_ratio"] == pytest.approx(0, abs=1e-6)
    assert found["effective_negatives"] == pytest.approx(14, rel=1e-5)


def rows(n: int, **changes: float) -> list[dict]:
    return [FINE | {"step": 5 * (i + 1)} | changes for i in range(n)]


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_sounds_where_it_should_and_not_in_a_healthy_run(name):
    alarms = Alarms()
    assert alarms.hear(rows(12), None) == ()
    before = [row | {"knn_accuracy": 0.5} for row in rows(12)]
    after = [row | {"step": row["step"] + 60} for row in rows(1 if name == "gradient" else 3, **WRONG[name])]
    assert alarms.hear(before + after, None) == (name,)
    assert alarms.since == {name: after[-1]["step"]}
    assert alarm_label(name) == ALARMS[name].label
    assert alarm_label(name).zh
    assert alarm_help(name).zh


def test_an_alarm_keeps_the_step_it_began_at_and_ends_when_all_is_well():
    alarms = Alarms()
    history = rows(12) + [FINE | {"step": 60 + i, "std_ratio": 0.0} for i in range(8)]
    for end in range(12, 21):
        alarms.hear(history[:end], None)
    assert alarms.since == {"complete": 62}
    assert alarms.hear([*history, FINE | {"step": 90}], None) == ()
    assert alarms.since == {}


@pytest.mark.parametrize("verdict", DIAGNOSES)
def test_a_verdict_on_held_out_images_is_an_alarm_once_the_space_has_unfolded(verdict):
    look = Look(knn_accuracy=0.5, failing={"h": (verdict, "hubs"), "z": ()})
    assert Alarms().hear(rows(1), look) == ()
    assert Alarms().hear(rows(12), look) == (f"h:{verdict}",)
    assert alarm_label(f"h:{verdict}").en.startswith("Held-out images, h")


@pytest.fixture
def config() -> RunConfig:
    settings = ["train.batch_size=8", "train.epochs=2", "train.threads=1", "model.hidden_dim=16", "model.proj_dim=8"]
    return with_overrides(RunConfig(images="test"), [*settings, "train.monitor_every=4"])


def test_looking_changes_nothing_that_is_learnt(config, tiny_images):
    seen, unseen = Training(config, tiny_images, held=tiny_images), Training(config, tiny_images)
    looked = [report.knn_accuracy for report in seen]
    list(unseen)
    a, b = seen.model.state_dict(), unseen.model.state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert [i + 1 for i, found in enumerate(looked) if found is not None] == [4, 8]
    assert seen._watch.seconds > 0


def test_without_labels_there_is_no_accuracy_and_weights_that_are_not_finite_are_not_judged(config, tiny_images):
    unlabelled = dataclasses.replace(tiny_images, label=None)
    model = build_model(config.model, 0)
    watch = Watch(unlabelled, unlabelled, config, model, torch.device("cpu"))
    assert watch.look(model).knn_accuracy is None
    assert watch.knn_untrained is None
    next(model.parameters()).data.fill_(float("nan"))
    assert watch.look(model) == Look(knn_accuracy=None, failing={})


def test_looks_keep_to_their_share_of_the_time(config, tiny_images):
    automatic = with_overrides(config, ["train.monitor_every=null"])
    watch = Watch(tiny_images, tiny_images, automatic, build_model(config.model, 0), torch.device("cpu"))
    spent = watch.seconds
    assert not watch.due(50, 480, spent)
    assert not watch.due(40, 480, 40 * spent)  # one more look would be above its share
    assert watch.due(40, 480, 51 * spent)
    assert not watch.due(41, 480, 51 * spent)  # off the grid
