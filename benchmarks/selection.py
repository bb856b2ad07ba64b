"""What the ConvNet gains by being shown the hardest images first, where it is shown as many images as without.

    python -m benchmarks.selection

Trains the ConvNet of params.yaml, cut to the time of six epochs over all images, with and without its choice of images,
with two seeds each, two at a time, a core each. Takes about ten minutes.
"""

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import mnist, plain, single
from pipeline import params
from pipeline.models.networks import Network

SEEDS = (0, 1)
PASSES = 6  # over all images, or so many images
ALL = {"hard_fraction": 0.0, "easy_fraction": 1.0}


def main() -> None:
    config: Network = params.load("networks.convnet")
    share = config.hard_fraction + config.easy_fraction * (1 - config.hard_fraction)
    variants = {
        "all images": config.model_copy(update={"epochs": PASSES, **ALL}),
        "the hardest, few others": config.model_copy(update={"epochs": round(PASSES / share)}),
    }
    networks = single.trained(
        {f"{name} {seed}": (variant, seed) for name, variant in variants.items() for seed in SEEDS}
    )
    table = Table(title=f"Errors, with the seeds {SEEDS[0]} and {SEEDS[1]}")
    for column in ("each epoch shows", "epochs", "of the validation images", "of the test images"):
        table.add_column(column, justify="right")
    for name, variant in variants.items():
        row = []
        for split in ("val", "test"):
            images, labels = mnist.load(split)
            errors = [len(labels) * (1 - plain.accuracy(networks[f"{name} {seed}"], images, labels)) for seed in SEEDS]
            row.append(f"{', '.join(f'{one:.0f}' for one in errors)}: {np.mean(errors) / len(labels):.2%}")
        table.add_row(name, str(variant.epochs), *row)
    Console().print(table)


if __name__ == "__main__":
    main()
