"""Two trials of a sweep side by side, against one after the other: as a ratio of seconds in the same run.

    python -m benchmarks.sweep
    python -m benchmarks.sweep 12      epochs of each trial instead of 24

Trials are of the MLP on the sample of MNIST that needs no network, a core each; all are alike, and none is pruned. Ray
is started once, its workers anew each time. It takes about two minutes.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bars import Bar, hold
from pipeline import params
from pipeline.data.sources import mnist_sample
from pipeline.sweeps import search
from pipeline.sweeps.space import Sweep

TRIALS = 2
EPOCHS = 24


def seconds(concurrent: int, epochs: int, data: dict[str, tuple[np.ndarray, np.ndarray]]) -> float:
    """What the trials take with so many at a time, from the first one's start on."""
    from pipeline.sweeps.trial import Setting

    network, train = params.load("networks.mlp", "train")
    sweep = Sweep.model_validate(
        {
            "network": "mlp",
            "space": {"epochs": {"choice": [epochs]}},
            "trials": TRIALS,
            "concurrent": concurrent,
            "metric": "val_accuracy",
            "early_stopping": {"grace_period": epochs, "reduction_factor": 2},
            "seed": 0,
        }
    )
    folder = Path(tempfile.mkdtemp()) / "sweep"
    started = time.perf_counter()
    found = search.search(sweep, Setting(network, train, sweep.metric, folder), data, [])
    taken = time.perf_counter() - started
    shutil.rmtree(folder.parent)
    assert [(one.metrics or {})["epoch"] for one in found] == [epochs] * TRIALS
    return taken


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else EPOCHS
    images, labels = mnist_sample()
    held = np.arange(len(images)) % 12 == 0
    data = {"train": (images[~held], labels[~held]), "val": (images[held], labels[held])}
    with search.cluster(TRIALS):
        side_by_side = seconds(TRIALS, epochs, data)
        one_by_one = seconds(1, epochs, data)
    print(f"{TRIALS} trials side by side: {side_by_side:.1f} s; one after the other: {one_by_one:.1f} s")
    bars = [Bar("side by side, times as soon", one_by_one / side_by_side, least=1)]
    sys.exit(not hold("A sweep", bars))


if __name__ == "__main__":
    main()
