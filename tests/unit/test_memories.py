"""The queue and the bank: what they hold after so many rows, counted by hand; a queue against lightly's memory bank."""

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torch.nn.functional import normalize

from simclr_core.config import TrainConfig
from simclr_core.memories import EMPTY, Queue, Slots
from simclr_core.objectives import Batch, make_objective


def rows(*numbers: int) -> torch.Tensor:
    """Unit rows told apart by their angle."""
    angle = torch.tensor(numbers, dtype=torch.float32) / 10
    return torch.stack([angle.cos(), angle.sin()], 1)


def pushed(size: int, *batches: list[int]) -> Queue:
    queue = Queue(size, 2)
    for numbers in batches:
        queue.push(3 * rows(*numbers), torch.tensor(numbers))
    return queue


class TestQueue:
    def test_fills_then_wraps_over_the_oldest(self):
        queue = pushed(5, [1, 2, 3])
        assert queue.index.tolist() == [1, 2, 3, EMPTY, EMPTY]
        queue = pushed(5, [1, 2, 3], [4, 5, 6])
        assert queue.index.tolist() == [6, 2, 3, 4, 5]
        torch.testing.assert_close(queue.rows, rows(6, 2, 3, 4, 5))
        assert queue.place == 1

    def test_a_batch_larger_than_the_queue_leaves_its_last_rows(self):
        queue = pushed(3, [1, 2], [3, 4, 5, 6, 7])
        assert sorted(queue.index.tolist()) == [5, 6, 7]
        queue.push(rows(8), torch.tensor([8]))
        assert sorted(queue.index.tolist()) == [6, 7, 8], "the oldest went"

    def test_the_newest_rows_are_kept_whatever_the_batches(self):
        for size in (4, 7):
            numbers = list(range(20))
            for cut in (3, 5, 11):
                queue = pushed(size, *[numbers[i : i + cut] for i in range(0, 20, cut)])
                assert sorted(queue.index.tolist()) == numbers[-size:]

    def test_empty_slots_and_the_images_own_rows_are_hidden(self):
        hidden = pushed(4, [1, 2, 1]).hidden(torch.tensor([1, 2, 9]))
        assert hidden.tolist() == [
            [True, False, True, True],
            [False, True, False, True],
            [False, False, False, True],
        ]


class TestSlots:
    def test_a_first_row_is_taken_whole_and_later_ones_by_halves(self):
        slots = Slots(4, 2)
        slots.write(rows(3, 5), torch.tensor([2, 0]), momentum=0.5)
        torch.testing.assert_close(slots.rows[[2, 0]], rows(3, 5))
        slots.write(rows(7), torch.tensor([2]), momentum=0.5)
        torch.testing.assert_close(slots.rows[2], rows(5)[0], msg="half way between .3 and .7 radians")
        assert slots.filled.tolist() == [True, False, True, False]

    def test_the_draw_follows_seed_and_step_alone(self):
        slots = Slots(50, 2)
        first = slots.drawn(8, seed=1)
        torch.rand(9)
        assert torch.equal(slots.drawn(8, seed=1), first)
        assert not torch.equal(slots.drawn(8, seed=2), first)
        slots.write(rows(1), torch.tensor([0]), momentum=0.5)
        assert not torch.equal(slots.drawn(8, seed=1), first)
        assert len(first.unique()) == 8
        assert slots.drawn(50, seed=1).tolist() == list(range(50))


def moco(queue: int, temperature: float = 0.2):
    config = TrainConfig(objective="moco", temperature=temperature, objective_params={"queue": queue})
    return make_objective(config, images=100, dim=8)


def test_moco_equals_lightlys_loss_with_a_memory_bank():
    g = torch.Generator().manual_seed(0)
    a, b, k_a, k_b = torch.randn(4, 10, 8, generator=g)
    objective, old = moco(32), torch.randn(32, 8, generator=g)
    objective.queue.push(old, torch.arange(50, 82))
    theirs = NTXentLoss(temperature=0.2, memory_bank_size=(32, 8))
    theirs.memory_bank.bank = normalize(old)
    expected = (theirs(a, k_b) + theirs(b, k_a)).item() / 2
    batch = Batch(views=(a, b), index=torch.arange(10), keys=(k_a, k_b))
    assert objective(batch).item() == pytest.approx(expected, rel=1e-6)


def test_unfilled_slots_count_for_nothing():
    g = torch.Generator().manual_seed(0)
    a, b, old = (torch.randn(n, 8, generator=g) for n in (5, 5, 7))
    batch = Batch(views=(a, b), index=torch.arange(5), keys=(a, b))
    roomy, full = moco(100), moco(7)
    assert roomy(batch) == 0, "no negatives yet"
    for objective in (roomy, full):
        objective.queue.push(old, torch.arange(50, 57))
    torch.testing.assert_close(roomy(batch), full(batch))


def test_the_bank_asks_for_the_images_own_slot_among_those_filled():
    objective = make_objective(TrainConfig(objective="bank", temperature=0.5), images=6, dim=2)
    objective.bank.write(rows(1, 4, 9), torch.tensor([0, 1, 2]), momentum=0.5)
    loss = objective(Batch(views=(rows(2, 30), rows(3, 31)), index=torch.tensor([1, 5])))

    def term(view: int, own: int, others: list[int]) -> float:
        e = [math.exp(math.cos((view - k) / 10) / 0.5) for k in (own, *others)]
        return -math.log(e[0] / sum(e))

    known = term(2, 4, [1, 9]) + term(3, 4, [1, 9])
    new = term(30, 31, [1, 4, 9]) + term(31, 30, [1, 4, 9])  # image 5 has no slot: its other view is the target
    assert loss.item() == pytest.approx((known + new) / 4, rel=1e-5)
