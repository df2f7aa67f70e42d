"""NT-Xent forward and backward beside lightly's: time, memory, and how far both are from float64.

    python -m benchmarks.bench_loss

One thread, d = 128, τ = 0.1, random rows. The implementations take turns on the same inputs, and medians of the process's own
processor time are told, so that other programs count as little as they can. Memory is the peak above what a fresh process
held just before. `whole` keeps the strips of the similarity matrix, `tiles` makes them twice; `ours` is the one of them that
an objective runs, whole up to DENSE_MAX_ROWS rows.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.machine import write
from simclr_core.device import choose_precision
from simclr_core.losses import DENSE_MAX_ROWS, nt_xent, nt_xent_tiled

TAU, DIM = 0.1, 128
RUNS = {256: 41, 1024: 15, 2048: 5, 4096: 3, 8192: 3}  # images: turns of each implementation
HALF_RUNS = {256: 5, 1024: 3}  # the same with bfloat16 inputs
MEMORY_FROM = 2048  # images; below, the interpreter's own noise is as large
KEPT_MIB = 64  # what keeping the strips may cost at most
Loss = Callable[[Tensor, Tensor], Tensor]


def _lightly(z_a: Tensor, z_b: Tensor) -> Tensor:
    from lightly.loss import NTXentLoss

    return NTXentLoss(temperature=TAU)(z_a, z_b)


LOSSES: dict[str, Loss] = {
    "lightly": _lightly,
    "whole": lambda a, b: nt_xent(a, b, temperature=TAU),
    "tiles": lambda a, b: nt_xent_tiled(a, b, temperature=TAU),
}


def views(n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(n)
    a, b = (torch.randn(n, DIM, generator=g).to(dtype).requires_grad_() for _ in range(2))
    return a, b


def reference(z_a: Tensor, z_b: Tensor) -> tuple[float, Tensor]:
    """Value and gradient in float64 by autograd, some anchors at a time."""
    z = torch.cat([z_a, z_b]).detach().double().requires_grad_()
    m, value = len(z), 0.0
    for rows in torch.arange(m).split(512):
        u = functional.normalize(z, dim=1)
        logits = (u[rows] @ u.T / TAU).index_put((torch.arange(len(rows)), rows), z.new_tensor(-torch.inf))
        part = functional.cross_entropy(logits, (rows + m // 2) % m, reduction="sum") / m
        part.backward()
        value += part.item()
    assert z.grad is not None
    return value, z.grad


def errors(loss: Loss, z: tuple[Tensor, Tensor], exact: tuple[float, Tensor]) -> tuple[float, float]:
    """Relative error of the value, and of the gradient by its norm."""
    value = loss(*z)
    gradient = torch.cat(torch.autograd.grad(value, z)).double()
    off = (gradient - exact[1]).norm() / exact[1].norm()
    return abs(value.item() / exact[0] - 1), off.item()


def milliseconds(loss: Loss, z: tuple[Tensor, Tensor]) -> float:
    began = time.process_time()
    torch.autograd.grad(loss(*z), z)
    return 1e3 * (time.process_time() - began)


def _status(key: str) -> float:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def peak(name: str, n: int) -> float:
    """MiB at the peak of one run above what this process held before; for a process of its own."""
    torch.set_num_threads(1)
    loss, z = LOSSES[name], views(n)
    loss(*views(8)).backward()  # what the first call of all loads
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    loss(*z).backward()
    return _status("VmHWM") - before


def memory(name: str, n: int) -> float:
    code = f"from benchmarks.bench_loss import peak; print(peak({name!r}, {n}))"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _with_ours(row: dict[str, Any]) -> dict[str, Any]:
    form = "whole" if 2 * row["images"] <= DENSE_MAX_ROWS else "tiles"
    ours = {key.replace(form, "ours"): value for key, value in row.items() if key.startswith(form)}
    compared = {"times_faster": round(row["lightly_ms"] / ours["ours_ms"], 2)}
    if "ours_mib" in ours:
        compared["times_smaller"] = round(row["lightly_mib"] / ours["ours_mib"], 1)
    return row | ours | compared


def measured(n: int, runs: int, dtype: torch.dtype) -> dict[str, Any]:
    """Every implementation at one size."""
    z = views(n, dtype)
    exact = reference(*z)
    row: dict[str, Any] = {"images": n, "dtype": str(dtype).removeprefix("torch."), "runs": runs}
    for name, loss in LOSSES.items():  # also the first, slower call
        row[f"{name}_value_error"], row[f"{name}_gradient_error"] = errors(loss, z, exact)
    turns = [{name: milliseconds(loss, z) for name, loss in LOSSES.items()} for _ in range(runs)]
    row |= {f"{name}_ms": round(statistics.median(turn[name] for turn in turns), 3) for name in LOSSES}
    if n >= MEMORY_FROM:
        row |= {f"{name}_mib": round(memory(name, n), 1) for name in LOSSES}
    print(row, flush=True)
    return _with_ours(row)


def dense_max_rows(rows: list[dict[str, Any]]) -> int:
    """The most rows measured at which keeping the strips is faster and within its budget."""
    return max(2 * r["images"] for r in rows if r["whole_ms"] < r["tiles_ms"] and r.get("whole_mib", 0) <= KEPT_MIB)


def main() -> None:
    torch.set_num_threads(1)
    native = choose_precision("auto", torch.device("cpu")) == torch.bfloat16
    full = [measured(n, runs, torch.float32) for n, runs in RUNS.items()]
    half = [measured(n, runs, torch.bfloat16) | {"native_bf16": native} for n, runs in HALF_RUNS.items()]
    about = {"dim": DIM, "temperature": TAU, "threads": 1, "clock": "processor time of the process"}
    write("loss", about | {"dense_max_rows": dense_max_rows(full), "float32": full, "bfloat16": half})


if __name__ == "__main__":
    main()
