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


class Machine:
    """A machine that tells how busy it is: seconds pass in `work`, in which this process and others use its cores."""

    def __init__(self, monkeypatch, cores: int) -> None:
        self.now = self.mine = self.busy = 0.0
        monkeypatch.setattr(device, "allowed_cores", lambda: set(range(cores)))
        monkeypatch.setattr(device, "QUOTA", "/nowhere")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(device, "_clocks", lambda: (self.now, self.mine, self.busy))
        monkeypatch.setattr(device.time, "sleep", lambda seconds: self.work(seconds, 0, self.others))
        self.others = 0.0

    def work(self, seconds: float, mine: float, others: float) -> float:
        self.now += seconds
        self.mine += mine * seconds
        self.busy += (mine + others) * seconds
        return seconds


@pytest.fixture
def machine(monkeypatch) -> Machine:
    return Machine(monkeypatch, 4)


@pytest.mark.parametrize(("busy", "free"), [(0.0, 4), (0.1, 4), (1.0, 3), (2.5, 1), (4.0, 1), (9.0, 1)])
def test_free_cores_are_those_nobody_uses(machine, busy, free):
    machine.others = busy
    assert free_cores() == free


def test_a_quota_or_openmp_s_variable_may_allow_fewer_cores(machine, monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    monkeypatch.setattr(device, "QUOTA", tmp_path / "cpu.max")
    assert free_cores() == 2
    machine.others = 1.9  # on the two cores that the quota leaves to others
    assert free_cores() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert free_cores() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert free_cores() == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    machine.others = 0
    assert free_cores() == 4


def test_a_machine_that_tells_nothing_keeps_one_core(monkeypatch):
    monkeypatch.setattr(device, "_busy_seconds", lambda: None)
    monkeypatch.setattr(device, "core_count", lambda: 4)
    assert free_cores() == 3


def test_the_kernel_s_ticks_hold_our_own_time():
    """Our own work on all we may use is not other people's; what is left is theirs, and positive."""
    others = device._Others()
    x = torch.randn(300, 300)
    while device.time.process_time() - others._before[1] < 0.3:
        x @ x
    mine, wall = device.time.process_time() - others._before[1], device.time.perf_counter() - others._before[0]
    busy = device._busy_seconds() - others._before[2]
    assert busy >= mine - 0.05  # ticks are hundredths of a second
    assert 0 <= others.cores() <= (busy - mine) / wall + 0.2


def test_threads_become_as_many_as_others_leave(machine):
    governor = ThreadGovernor(None)
    assert governor.threads == torch.get_num_threads() == 4
    assert not any(governor.watch(step, machine.work(0.6, 4, 0)) for step in range(5))
    assert governor.watch(6, machine.work(2.0, 3, 1))
    assert (governor.threads, governor.backed_off_at, torch.get_num_threads()) == (3, 6, 3)
    assert not governor.watch(7, machine.work(0.7, 3, 1))
    assert governor.watch(8, machine.work(5.0, 1, 3))
    assert (governor.threads, governor.backed_off_at) == (1, 6)
    assert not governor.watch(9, machine.work(50.0, 1, 4))


def test_idle_cores_are_taken_again_after_a_calm_that_doubles(machine):
    governor = ThreadGovernor(None)
    governor.watch(0, machine.work(0.6, 4, 0))
    for calm in (20, 40, 80):
        assert governor.watch(1, machine.work(2.0, 2, 2))
        assert governor.threads == 2
        assert not any(governor.watch(2, machine.work(1.0, 2, 0)) for _ in range(calm - 1))
        assert governor.watch(3, machine.work(1.0, 2, 0))
        assert (governor.threads, torch.get_num_threads(), governor.backed_off_at) == (4, 4, 1)


def test_a_calm_that_is_broken_begins_anew_and_nobody_takes_more_than_at_the_start(machine):
    machine.others = 1.0
    governor = ThreadGovernor(None)
    assert governor.threads == 3
    assert not any(governor.watch(0, machine.work(1.0, 3, 0)) for _ in range(100))
    assert governor.watch(1, machine.work(2.0, 2, 2))
    assert not any(governor.watch(2, machine.work(1.0, 2, 2 * (second == 15))) for second in range(30))
    assert any(governor.watch(3, machine.work(1.0, 2, 0)) for _ in range(10))
    assert governor.threads == 3


def test_a_neighbour_in_the_very_first_steps_is_noticed(machine):
    """There is no undisturbed step to compare with yet."""
    governor = ThreadGovernor(None)
    assert governor.watch(1, machine.work(9.0, 2, 2))
    assert governor.threads == 2


def test_neighbours_that_slow_nothing_and_slow_steps_without_neighbours_change_nothing(machine):
    governor = ThreadGovernor(None)
    assert not governor.watch(1, machine.work(1.0, 4, 0))
    assert not governor.watch(2, machine.work(1.1, 3, 1))
    assert not governor.watch(3, machine.work(9.0, 4, 0))  # waited for the disk
    assert governor.threads == 4


def test_short_steps_are_watched_together(machine):
    governor = ThreadGovernor(None)
    assert not any(governor.watch(step, machine.work(0.05, 4, 0)) for step in range(20))
    heard = [governor.watch(step, machine.work(0.2, 2, 2)) for step in range(20, 26)]
    assert heard.count(True) == 1
    assert governor.threads == 2


def test_the_other_processes_of_a_run_are_no_strangers(machine):
    governor = ThreadGovernor(None, processes=2)
    assert governor.threads == 2
    assert not governor.watch(1, machine.work(1.0, 2, 2))
    assert governor.watch(2, machine.work(3.0, 1.5, 2.5 + 1))
    assert governor.threads == 1


def test_counters_that_stand_still_tell_nothing(machine):
    others = device._Others()
    machine.now += 1.0
    assert others.cores() == 0  # nobody worked
    machine.now, machine.mine = machine.now + 1.0, 2.0
    assert others.cores() is None


def test_where_the_kernel_tells_nothing_a_step_that_takes_much_longer_tells(machine, monkeypatch):
    monkeypatch.setattr(device._Others, "cores", lambda self: None)
    governor = ThreadGovernor(None)
    assert governor.threads == 3
    assert not any(governor.watch(step, 0.6) for step in range(5))
    assert not governor.watch(6, 1.4)
    assert governor.watch(7, 6.0)
    assert governor.threads == 2


def test_a_number_asked_for_is_kept(monkeypatch):
    governor = ThreadGovernor(1)
    assert not any(governor.watch(step, 10.0**step) for step in range(8))
    assert governor.threads == 1
    assert governor.backed_off_at is None
