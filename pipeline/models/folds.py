"""Networks trained side by side, a core each, every one without a fold of the writers, whose digits it then reads."""

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
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.artifact.release import release
from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.params import Calibration, Network, Train
from serving.model.recogniser import Recogniser

TOLD = 10  # epochs, after every so many of which a training says how far it is


@dataclass(frozen=True)
class Fold:
    """What one network learns from, and what it then reads.

    train, val: images uint8 [N, 28, 28] and labels uint8 [N]; images: uint8 [M, 28, 28]; seed: of its training.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    val: tuple[np.ndarray, np.ndarray]
    images: np.ndarray
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


def read(
    folds: Sequence[Fold], config: Network, dials: Train, calibration: Calibration, folder: Path
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Train a network for each fold, and give its name and answers as they come, in any order.

    The answers are a row for each of its images: the most probable ``digit``, int64, its ``confidence``, float32, and
    ``abstained``, bool, by thresholds of its own. How many cores there are changes nothing about them. ``folder``
    belongs to these trainings alone: those that were cut off go on where they were.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(folds), os.cpu_count() or 1), context) as pool:
        begun = {pool.submit(_answers, fold, config, dials, calibration, folder): fold.name for fold in folds}
        for done in as_completed(begun):
            yield begun[done], done.result()


def _answers(fold: Fold, config: Network, dials: Train, calibration: Calibration, folder: Path) -> pd.DataFrame:
    finished = folder / f"{fold.name}.parquet"
    if finished.exists():
        return pd.read_parquet(finished)
    torch.set_num_threads(1)
    data = Digits(fold.train, fold.val, config, fold.seed)
    with redirect_stdout(None):
        fitted = fit(config, data, dials.trainer, fold.seed, folder / fold.name, callbacks=[Progress(fold.name)])
    assert fitted is not None
    identity = {"name": fold.name, "source": "folds", "run_key": fold.name}
    model = folder / fold.name / "model.onnx"
    model.write_bytes(release(fitted[0], fold.train, fold.val, calibration, identity))
    said = Recogniser(model).predict(fold.images.astype(np.float32))
    answers = pd.DataFrame({"digit": said.digit, "confidence": said.confidence, "abstained": said.abstained})
    answers.to_parquet(finished)
    return answers
