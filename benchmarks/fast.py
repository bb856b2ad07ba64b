"""The preset `fast`: a small ConvNet that learns full MNIST in seconds.

python -m benchmarks.fast
"""

import tempfile
import time
from pathlib import Path

from benchmarks import mnist, plain
from pipeline import params
from pipeline.models.batches import Digits
from pipeline.models.fit import fit


def train() -> tuple[float, float]:
    """Train the preset; return its accuracy on the test set and the seconds that the training took."""
    config, options = params.load("networks.fast", "train")
    data = Digits(mnist.load("train"), mnist.load("val"), config, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fitted = fit(config, data, options.trainer, options.seed, Path(folder))
        seconds = time.perf_counter() - started
    assert fitted is not None
    return plain.accuracy(fitted[0], *mnist.load("test")), seconds


def main() -> None:
    accuracy, seconds = train()
    print(f"{accuracy:.2%} of the test set after {seconds:.1f} s of training")


if __name__ == "__main__":
    main()
