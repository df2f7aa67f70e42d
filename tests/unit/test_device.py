"""Choosing device, precision and threads; giving a core back when it is needed elsewhere."""

import pytest
import torch

from simclr_core import device
from simclr_core.device import ThreadGovernor, choose_device, choose_precision, free_cores
from simclr_core.errors import ConfigError


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_processor_is_always_there_and_an_absent_device_is_named(monkeypatch):
    assert choose_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="cpu.*got 'cuda'"):
        choose_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_half_precision_is_used_only_where_the_processor_has_it(monkeypatch, fast, dtype):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)
    assert choose_precision("auto", torch.device("cpu")) == dtype
    assert choose_precision("fp32", torch.device("cpu")) == torch.float32
    assert choose_precision("bf16", torch.device("cpu")) == torch.bfloat16


def load(monkeypatch, busy_cores: float, cores: int = 4) -> int:
    readings = iter([(0.0, 0.0), (busy_cores * 100, cores * 100.0)])
    monkeypatch.setattr(device, "_cpu_times", lambda: next(readings))
    monkeypatch.setattr(device, "PROBE_SECONDS", 0)
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(device.os, "cpu_count", lambda: cores)
    return free_cores()


@pytest.mark.parametrize(("busy", "free"), [(0.0, 4), (0.1, 4), (1.0, 3), (2.5, 1), (4.0, 1), (9.0, 1)])
def test_free_cores_are_those_nobody_uses(monkeypatch, busy, free):
    assert load(monkeypatch, busy) == free


def test_threads_back_off_once_when_steps_become_slow(monkeypatch):
    monkeypatch.setattr(device, "free_cores", lambda: 2)
    governor = ThreadGovernor(None)
    assert torch.get_num_threads() == 2
    assert not any(governor.watch(step, 0.1) for step in range(10))
    assert governor.watch(11, 0.5)
    assert (governor.threads, governor.backed_off_at, torch.get_num_threads()) == (1, 11, 1)
    assert not governor.watch(12, 5.0)


def test_a_slow_start_is_noticed_too(monkeypatch):
    """The first steps are the yardstick; one lost core among them must not stretch it."""
    monkeypatch.setattr(device, "free_cores", lambda: 2)
    governor = ThreadGovernor(None)
    for step, seconds in enumerate([0.3, 0.1, 0.1, 4.0, 0.1]):
        governor.watch(step, seconds)
    assert governor.watch(6, 0.4)


def test_a_number_asked_for_is_kept(monkeypatch):
    governor = ThreadGovernor(1)
    assert not any(governor.watch(step, 10.0**step) for step in range(8))
    assert governor.threads == 1
    assert governor.backed_off_at is None
