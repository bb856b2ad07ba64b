"""Accuracy on MNIST's official test set, as a mean over three seeds: benchmarks/accuracy.json.

    python -m benchmarks.accuracy

The first seed's figures are those of the pipeline's own run; the networks of the two others are trained here, two at a
time, a core each. Nothing is chosen: the recipes are those of params.yaml, the checkpoints are chosen on validation.
"""

import json
import multiprocessing
import shutil
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks import mnist, plain
from pipeline import params
from pipeline.models.batches import Digits
from pipeline.models.fit import fit

NETWORKS = ("perceptron", "mlp", "convnet")
MORE_SEEDS = (1, 2)
RESULTS = Path("benchmarks/accuracy.json")


def train(name: str, seed: int) -> float:
    """Train a network by its recipe with another seed, and return its accuracy on the test set."""
    torch.set_num_threads(1)
    dials, config = params.load("train", f"networks.{name}")
    data = Digits(mnist.load("train"), mnist.load("val"), config, seed)
    checkpoints = Path(".resume") / f"accuracy-{name}-{seed}"
    fitted = fit(config, data, dials.trainer, seed, checkpoints)
    assert fitted is not None
    accuracy = plain.accuracy(fitted[0], *mnist.load("test"))
    print(f"{name}, seed {seed}: {accuracy:.2%}", flush=True)
    shutil.rmtree(checkpoints)
    return accuracy


def main() -> None:
    first = params.load("train.seed")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        jobs = {
            (name, first + more): pool.submit(train, name, first + more) for name in NETWORKS for more in MORE_SEEDS
        }
    results: dict[str, Any] = {}
    for name in NETWORKS:
        own = json.loads((Path("reports/evaluate") / name / "test.json").read_text())["accuracy"]
        seeds = {first: own} | {seed: job.result() for (job_name, seed), job in jobs.items() if job_name == name}
        results[name] = {"mean": statistics.mean(seeds.values()), "by_seed": seeds}
        print(f"{name}: {results[name]['mean']:.3%} over {len(seeds)} seeds")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
