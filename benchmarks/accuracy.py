"""Accuracy on MNIST's official test set, as a mean over three seeds: benchmarks/accuracy.json.

    python -m benchmarks.accuracy

Nothing is chosen here: the recipes are those of params.yaml, the checkpoints are chosen on validation.
"""

import json
import shutil
import statistics
import time
from pathlib import Path

from benchmarks import mnist, plain
from pipeline import params
from pipeline.models.batches import Digits
from pipeline.models.fit import fit

SEEDS = (0, 1, 2)
NETWORKS = ("perceptron", "mlp", "convnet")
RESULTS = Path("benchmarks/accuracy.json")


def main() -> None:
    dials = params.load("train")
    results = {}
    for name in NETWORKS:
        config = params.load(f"networks.{name}")
        runs = []
        for seed in SEEDS:
            print(f"{name}, seed {seed}", flush=True)
            data = Digits(
                mnist.load("train"), mnist.load("val"), config.batch_size, getattr(config, "augment", None), seed
            )
            checkpoints = Path(".resume") / f"accuracy-{name}-{seed}"
            started = time.perf_counter()
            fitted = fit(config, data, dials.trainer, seed, checkpoints)
            assert fitted is not None
            minutes = (time.perf_counter() - started) / 60
            reached = plain.accuracy(fitted[0], *mnist.load("test"))
            print(f"{name}, seed {seed}: {reached:.2%} after {minutes:.1f} minutes", flush=True)
            runs.append({"seed": seed, "test_accuracy": reached, "minutes": round(minutes, 2)})
            shutil.rmtree(checkpoints)
        results[name] = {"mean_test_accuracy": statistics.mean(run["test_accuracy"] for run in runs), "runs": runs}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    for name, result in results.items():
        print(f"{name}: {result['mean_test_accuracy']:.3%} over {len(SEEDS)} seeds")


if __name__ == "__main__":
    main()
