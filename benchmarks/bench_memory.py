"""Peak memory of a training step above model and pictures: batch 256, batch 4,096 in chunks, and batch 4,096 whole.

python -m simclr_core bench memory
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

from benchmarks.machine import write

CASES = {
    "256": (256, None),
    "4096 in chunks of 256": (4096, 256),
    "4096 in chunks of 128": (4096, 128),
    "4096 whole": (4096, None),
}
STEPS = 2


def peak_mib() -> float:
    """The process's largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(batch: int, chunk: int | None) -> float:
    """MiB that steps add above what model, optimizer and pictures take."""
    import numpy as np

    from simclr_core.config import RunConfig, with_overrides
    from simclr_core.records import ImageSet
    from simclr_core.train import Training

    image = np.random.default_rng(0).integers(0, 256, (8192, 32, 32, 3), dtype=np.uint8)
    images = ImageSet(image=image, label=None, index=np.arange(8192), spec="random", split="train")
    settings = [f"train.batch_size={batch}", f"train.chunk={json.dumps(chunk)}", "train.threads=1", "train.epochs=1"]
    training = Training(with_overrides(RunConfig(), settings), images)
    before = peak_mib()
    for _, report in zip(range(STEPS), training, strict=False):  # with its report, as in a real run
        assert report.loss > 0
    return peak_mib() - before


def main() -> None:
    if len(sys.argv) > 1:
        print(measure(*json.loads(sys.argv[1])))
        return
    found = {}
    for name, case in CASES.items():
        done = subprocess.run([sys.executable, __file__, json.dumps(case)], capture_output=True, text=True, check=True)
        found[name] = round(float(done.stdout), 1)
    ratio = {name: round(peak / found["256"], 3) for name, peak in found.items()}
    write("memory", {"peak_mib_above_model_and_pictures": found, "over_batch_256": ratio})


if __name__ == "__main__":
    main()
