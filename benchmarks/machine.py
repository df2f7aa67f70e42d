"""What every result carries: which machine, which versions, how busy it was."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "torchvision", "numpy", "streamlit", "lightly", "umap-learn", "openTSNE")


def processor() -> str:
    """The processor's name and family as the kernel tells them."""
    facts: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    except OSError:
        return platform.processor()
    wide = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in facts.get("flags", "").split()]
    return f"{facts.get('model name', platform.machine())}, family {facts.get('cpu family', '?')}, {' '.join(wide)}"


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """The facts a number means nothing without."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: installed(name) for name in PACKAGES if installed(name)},
    }


def write(name: str, result: dict[str, Any]) -> None:
    """Write `results/NAME.json` and say where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine()} | result, indent=1) + "\n")
    print(f"{path}: {json.dumps(result)}")
