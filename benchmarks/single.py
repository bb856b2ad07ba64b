"""Networks trained on full MNIST, each on one core, two at a time."""

import multiprocessing
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch import nn

from benchmarks import mnist
from pipeline import params
from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.models.networks import Network


def trained(jobs: Mapping[str, tuple[Network, int]]) -> dict[str, nn.Module]:
    """Networks by the name of their job, which is what they are and their seed; a job cut off goes on where it was."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        begun = {name: pool.submit(_train, name, *job) for name, job in jobs.items()}
        return {name: job.result() for name, job in begun.items()}


def _train(name: str, config: Network, seed: int) -> nn.Module:
    torch.set_num_threads(1)
    data = Digits(mnist.load("train"), mnist.load("val"), config, seed)
    checkpoints = Path(".resume") / f"single-{name.replace(' ', '-')}"
    fitted = fit(config, data, params.load("train.trainer"), seed, checkpoints)
    assert fitted is not None
    print(f"{name}: trained", flush=True)
    shutil.rmtree(checkpoints)
    return fitted[0]
