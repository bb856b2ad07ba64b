"""Train one network: data/processed/ to models/trained/NETWORK/, its weights and its curve.

    python -m pipeline.train convnet

A training that was killed goes on from its last epoch, in the same MLflow run, when the same command is run again.
"""

import csv
import json
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only
from safetensors.torch import save_file
from torch import nn

from pipeline import params
from pipeline.data.store import load_split
from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.paths import PROCESSED, RESUME, TRAINED
from pipeline.stage import stage
from pipeline.tracking.logger import RunLogger
from pipeline.tracking.runkey import Inputs, inputs
from pipeline.tracking.runs import publish_training, training


@stage("train", network="a name under networks in params.yaml")
def main(network: str) -> None:
    source, options, config = params.load("data.source", "train", f"networks.{network}")

    data = Digits(load_split(PROCESSED, "train"), load_split(PROCESSED, "val"), config, options.seed)
    read = inputs(f"train@{network}")
    checkpoints = RESUME / read.key

    started = time.perf_counter()
    with ExitStack() as stack:
        logger = tracked(stack, network, source, read)
        fitted = fit(config, data, options.trainer, options.seed, checkpoints, logger)
        if fitted is None:
            sys.exit()
        write(TRAINED / network, *fitted, read.record(network, source))
        publish_training(network)
    shutil.rmtree(checkpoints)
    print(f"{network}: trained in {time.perf_counter() - started:.0f} s, written to {TRAINED / network}/", flush=True)


@rank_zero_only
def tracked(stack: ExitStack, name: str, source: str, read: Inputs) -> RunLogger:
    """Open the training's MLflow run until ``stack`` closes; None on all processes but the first."""
    print(f"{name}: run key {read.key}", flush=True)
    return RunLogger(stack.enter_context(training(name, source, read)))


def write(folder: Path, network: nn.Module, curve: list[dict[str, float]], record: dict[str, object]) -> None:
    """Write what the later stages read of a trained network."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    (folder / "run.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    with (folder / "curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(curve[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(curve)


if __name__ == "__main__":
    main()
