"""Networks trained side by side, a core each, every one without a fold of the writers."""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.models.networks import Network
from pipeline.params import Trainer as TrainerConfig

TOLD = 10  # epochs, after every so many of which a training says how far it is


@dataclass(frozen=True)
class Fold:
    """What one network learns from.

    name: as the training is told of; train, val: images uint8 [N, 28, 28] and labels uint8 [N]; seed: of its training.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    val: tuple[np.ndarray, np.ndarray]
    seed: int


class Progress(Callback):
    """Says now and then how far a training is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not (trainer.current_epoch + 1) % TOLD:
            accuracy = float(trainer.callback_metrics["val_accuracy"])
            text = f"{self.name}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, validation accuracy"
            print(f"{text} {accuracy:.2%}", file=sys.stderr, flush=True)


def deal(writers: pd.Series, populations: pd.Series, count: int, seed: int) -> np.ndarray:
    """The fold of each image, int [N] in 0..count-1: of whole writers, each with like shares of the populations."""
    dealt = np.empty(len(writers), int)
    cut = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(writers, populations, writers)
    for fold, (_, held) in enumerate(cut):
        dealt[held] = fold
    return dealt


def train(folds: Sequence[Fold], config: Network, options: TrainerConfig, folder: Path) -> Iterator[tuple[str, Path]]:
    """Train a network for each fold, and give its name and the file of its weights as they come, in any order.

    How many cores there are changes nothing about them. ``folder`` belongs to these trainings alone: those that were
    cut off go on where they were, and those that were finished are not begun again.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(folds), os.cpu_count() or 1), context) as pool:
        begun = {pool.submit(_train, fold, config, options, folder): fold.name for fold in folds}
        for done in as_completed(begun):
            yield begun[done], done.result()


def _train(fold: Fold, config: Network, options: TrainerConfig, folder: Path) -> Path:
    finished = folder / f"{fold.name}.safetensors"
    if finished.exists():
        return finished
    torch.set_num_threads(1)
    alone = options.model_copy(update={"devices": 1, "num_nodes": 1, "strategy": "auto"})
    data = Digits(fold.train, fold.val, config, fold.seed)
    with redirect_stdout(None):
        fitted = fit(config, data, alone, fold.seed, folder / fold.name, callbacks=[Progress(fold.name)])
    assert fitted is not None
    half = finished.with_suffix(".half")
    save_file({name: tensor.contiguous() for name, tensor in fitted[0].state_dict().items()}, half)
    half.rename(finished)
    return finished
