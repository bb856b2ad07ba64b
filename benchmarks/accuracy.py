"""Accuracy on MNIST's official test set, as a mean over three seeds: benchmarks/accuracy.json.

    python -m benchmarks.accuracy

The first seed's figures are those of the pipeline's own run; the networks of the two others are trained here, two at a
time, a core each. Nothing is chosen: the recipes are those of params.yaml, the checkpoints are chosen on validation.
"""

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks import mnist, plain, single
from pipeline import params

NETWORKS = ("perceptron", "mlp", "convnet")
MORE_SEEDS = (1, 2)
RESULTS = Path("benchmarks/accuracy.json")


def main() -> None:
    first = params.load("train.seed")
    jobs = {
        f"{name} {first + more}": (params.load(f"networks.{name}"), first + more)
        for name in NETWORKS
        for more in MORE_SEEDS
    }
    found = {name: plain.accuracy(network, *mnist.load("test")) for name, network in single.trained(jobs).items()}
    results: dict[str, Any] = {}
    for name in NETWORKS:
        own = json.loads((Path("reports/evaluate") / name / "test.json").read_text())["accuracy"]
        seeds = {first: own} | {first + more: found[f"{name} {first + more}"] for more in MORE_SEEDS}
        results[name] = {"mean": statistics.mean(seeds.values()), "by_seed": seeds}
        print(f"{name}: {results[name]['mean']:.3%} over {len(seeds)} seeds")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
