"""A trial: the training of the stage `train`, with other hyperparameters and on one core, told of epoch by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from ray import tune

from pipeline.models.batches import Digits
from pipeline.models.fit import CURVE, fit
from pipeline.models.networks import Network
from pipeline.params import Train
from pipeline.sweeps.space import applied, drawn


@dataclass(frozen=True)
class Setting:
    """What all trials of a sweep have in common.

    network: with the hyperparameters that are not searched; metric: that the trials are judged by; folder: an absolute
    path, in which each keeps its checkpoints while it trains.
    """

    network: Network
    train: Train
    metric: str
    folder: Path


class Report(Callback):
    """Tells Ray Tune after each epoch of its figures, and of `kept`: the metric of the weights that would be kept."""

    def __init__(self, metric: str) -> None:
        self.metric, self.kept, self.merit = metric, float("nan"), float("-inf")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        row = {name: float(trainer.callback_metrics[name]) for name in CURVE}
        merit = float(trainer.callback_metrics["val_merit"])
        if merit > self.merit:
            self.kept, self.merit = row[self.metric], merit
        tune.report({"epoch": trainer.current_epoch + 1, "epochs": trainer.max_epochs, **row, "kept": self.kept})

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept, "merit": self.merit}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.kept, self.merit = state_dict["kept"], state_dict["merit"]


def train(config: Mapping[str, Any], setting: Setting, data: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Train with the values that Ray Tune has drawn; one that was cut off goes on from its last epoch.

    Args:
        data: by split, train and val, images uint8 [N, 28, 28] and labels uint8 [N].
    """
    torch.set_num_threads(1)
    network, seed = applied(setting.network, drawn(config)), setting.train.seed
    train, val = ((images.copy(), labels.copy()) for images, labels in (data["train"], data["val"]))  # Ray's are frozen
    checkpoints = setting.folder / tune.get_context().get_trial_id()
    fit(
        network,
        Digits(train, val, network, seed),
        setting.train.trainer,
        seed,
        checkpoints,
        callbacks=[Report(setting.metric)],
    )
