"""What is measured while a network learns.

Two sources: every report's own batch, which costs next to nothing, and now and then a held-out sample that is encoded,
classified by its neighbours and diagnosed by the very rules of `verdict`. The second keeps to a share of the run's time.

Legend: n images of a batch, m = 2n views of it (the first two of each image).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from simclr_core.alarms import Look
from simclr_core.augment import augment_pair
from simclr_core.cloud import Cloud, Undefined
from simclr_core.config import RunConfig
from simclr_core.errors import DataError
from simclr_core.forward import embed, image_tensor, unit_interval
from simclr_core.knn import knn_accuracy
from simclr_core.losses import unit_rows
from simclr_core.model import SimClr
from simclr_core.records import CollapseReport, EmbeddingTable, ImageSet, PairTable
from simclr_core.spectrum import effective_rank
from simclr_core.verdict import diagnose, measure

ENTRIES_AT_ONCE = 2**20  # of the similarity matrix: a large batch is never held whole
RANKED = 2048  # views whose spectrum is taken
HELD, BANK = 500, 2000  # pictures looked at, and pictures that vote on their class
SHARE_OF_TIME = 0.04
LOOKS = 24  # at most, spread over the run


# -- the batch -----------------------------------------------------------------------------------------------------------
def _row_numbers(s: Tensor, first: int, m: int, temperature: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of some rows of the matrix: twin cosine, sum of negative cosines, twin is nearest, effective negatives."""
    i = torch.arange(len(s), device=s.device)
    own, partner = i + first, (i + first + m // 2) % m
    twin = s[i, partner].clone()
    s[i, own] = s[i, partner] = 0
    total = s.sum(1)
    s[i, own] = s[i, partner] = -torch.inf
    right = s.amax(1) <= twin
    log_p = (s / temperature).log_softmax(1)
    entropy = -(log_p.exp() * log_p.clamp(min=-1e30)).sum(1)
    return twin, total, right, entropy.exp()


def _rank(u: Tensor) -> float:
    """Effective rank of unit rows; 1 for a point, where no direction varies."""
    with suppress(Undefined):
        return effective_rank(Cloud(x=u[:RANKED].cpu().numpy()))
    return 1.0


def batch_numbers(views: Sequence[Tensor], temperature: float) -> dict[str, float]:
    """What a batch's projections say of z; exact at any size, a block of rows at a time.

    Returns:
        contrastive_accuracy in [0, 1]: share of views nearer to their twin than to any other; positive_cosine and
        negative_cosine: means; std_ratio: 1 on the uniform sphere, 0 in a point; effective_rank of z in [1, d];
        effective_negatives: exp of the entropy of the softmax over negatives, 1 to 2n − 2.
    """
    u = unit_rows(torch.cat(tuple(views[:2])))
    m = len(u)
    rows = max(1, ENTRIES_AT_ONCE // m)
    parts = [_row_numbers(u[a : a + rows] @ u.T, a, m, temperature) for a in range(0, m, rows)]
    twin, total, right, effective = (torch.cat(column) for column in zip(*parts, strict=True))
    return {
        "contrastive_accuracy": right.float().mean().item(),
        "positive_cosine": twin.mean().item(),
        "negative_cosine": (total.sum() / max(1, m * (m - 2))).item(),
        "std_ratio": (u.std(0).mean() * u.shape[1] ** 0.5).item(),
        "effective_rank": _rank(u),
        "effective_negatives": effective.mean().item(),
    }


# -- the held-out sample -------------------------------------------------------------------------------------------------
class Watch:
    """A held-out sample and the pictures that vote on it, looked at within a share of the run's time.

    Args:
        held: pictures that are not trained on; the first `HELD` of a random order are looked at.
        images: the training pictures, a sample of which votes.
        config: of the run; the pairs are drawn by its `augment`.
        untrained: the network before training, the reference of every verdict.
        device: where to encode.
    """

    def __init__(
        self, held: ImageSet, images: ImageSet, config: RunConfig, untrained: SimClr, device: torch.device
    ) -> None:
        self._held, self._bank = held.sample(HELD), images.sample(BANK)
        self._config, self._device = config, device
        size = config.image_size
        self._x, self._bank_x = (unit_interval(image_tensor(i.image, device), size) for i in (self._held, self._bank))
        generator = torch.Generator(device).manual_seed(config.train.seed)
        self._pair = augment_pair(image_tensor(self._held.image, device), config.augment, generator, size=size)
        self.seconds = 0.0
        self._last = 0.0
        self._reference: dict[str, Mapping[str, float | None]] = {}
        began = time.perf_counter()
        table, pairs = self._tables(untrained)
        for space in table.spaces:
            self._reference[f"untrained_{space}"] = measure(table.space(space), table.label, pairs.space(space))
        self.knn_untrained = self._accuracy(untrained, table)
        self._spent(began)

    def _spent(self, began: float) -> None:
        self._last = time.perf_counter() - began
        self.seconds += self._last

    def _tables(self, model: SimClr) -> tuple[EmbeddingTable, PairTable]:
        was = model.training
        model.eval()
        h, z = embed(model, self._x)
        (h_a, z_a), (h_b, z_b) = (embed(model, x) for x in self._pair)
        model.train(was)
        held = self._held
        table = EmbeddingTable(h=h, z=z, label=held.label, index=held.index)
        return table, PairTable(z_a=z_a, z_b=z_b, h_a=h_a, h_b=h_b, label=held.label, index=held.index)

    def _accuracy(self, model: SimClr, table: EmbeddingTable) -> float | None:
        bank = self._bank.label
        if table.label is None or bank is None or len(np.unique(bank)) < 2:
            return None
        was = model.training
        h, _ = embed(model.eval(), self._bank_x)
        model.train(was)
        return knn_accuracy(h, bank, table.space("h"), table.label)

    def due(self, step: int, steps: int, seconds: float) -> bool:
        """Whether to look after this step. Asked for: every so many steps. Else on a grid, if the time allows it."""
        every = self._config.train.monitor_every
        if every is not None:
            return step % every == 0
        on_grid = step % max(1, steps // LOOKS) == 0
        return on_grid and self.seconds + self._last <= SHARE_OF_TIME * seconds

    def examine(self, model: SimClr) -> tuple[CollapseReport, float | None]:
        """Encode, diagnose and classify the sample: the diagnosis, and the kNN accuracy of h, None without labels.

        Raises:
            DataError: what the network gives is not finite.
        """
        table, pairs = self._tables(model)
        found = diagnose(table, pairs=pairs, references=self._reference, intervals=False)
        return found, self._accuracy(model, table)

    def look(self, model: SimClr) -> Look:
        """What the sample says now, within the share of the time."""
        began = time.perf_counter()
        try:
            report, accuracy = self.examine(model)
        except DataError:  # not finite: the loop says so itself
            return Look(knn_accuracy=None, failing={})
        failing: dict[str, tuple[str, ...]] = {
            space: tuple(f.id for f in found.findings if f.severity == "fail") for space, found in report.spaces.items()
        }
        self._spent(began)
        return Look(knn_accuracy=accuracy, failing=failing)
