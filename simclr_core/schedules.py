"""What changes over a run by the step alone, never by the clock: the learning rate and the temperature."""

from __future__ import annotations

import math

from simclr_core.config import TrainConfig


def rate_at(step: int, steps: int, *, warmup: float) -> float:
    """Share of the full learning rate: linear warm-up over a share of the steps, then half a cosine down to 0."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def temperature_at(config: TrainConfig, step: int, steps: int) -> float:
    """τ of a step: constant, or on a cosine between its two ends; a learned τ begins at `temperature`.

    Half a cycle goes from `temperature` to `temperature_end`; whole cycles swing between them.
    Source: Kukleva et al. 2023, "Temperature schedules for self-supervised contrastive methods on long-tail data".
    """
    if config.temperature_schedule != "cosine":
        return config.temperature
    share = 0.5 * (1 + math.cos(2 * math.pi * config.temperature_cycles * step / max(1, steps - 1)))
    return config.temperature_end + (config.temperature - config.temperature_end) * share
