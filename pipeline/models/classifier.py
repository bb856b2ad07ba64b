"""The Lightning module: the loss, the optimiser and its one-cycle schedule, and what is logged of an epoch."""

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from pipeline.models.batches import NO_DIGIT, mix
from pipeline.models.networks import DIGITS, build
from pipeline.models.outliers import sharpened
from pipeline.params import Network, Perceptron

OUTLIER_WEIGHT = 0.6
"""Of an outlier's loss beside a digit's; Hendrycks, Mazeika and Dietterich 2019 took 0.5."""

SHARPENED = 2
"""One outlier in so many is sharpened."""

TIE = 1e-3
"""What a unit of validation loss counts beside accuracy: enough to decide between checkpoints equally accurate."""


class Classifier(LightningModule):
    """Trains one network. Steps take normalised images, float [N, 1, 28, 28], and labels, int64 [N], NO_DIGIT too."""

    def __init__(self, config: Network, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        torch.manual_seed(seed)
        self.network = build(config)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).float()

    def on_train_epoch_start(self) -> None:
        """Tie dropout to the epoch, so that a training resumed here draws what an unbroken one would have drawn."""
        torch.manual_seed(mix(self.seed, self.current_epoch, self.global_rank))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        images, labels = batch
        harden(self.network, images, labels)
        loss = objective(self.config, self(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        images, labels = batch
        logits = self(images)
        loss = objective(self.config, logits, labels)
        accuracy = (logits.argmax(1) == labels).float().mean()
        measures = {"val_loss": loss, "val_accuracy": accuracy, "val_merit": accuracy - TIE * loss}
        self.log_dict(measures, sync_dist=True, batch_size=len(labels))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.config.learning_rate, weight_decay=self.config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.config.learning_rate, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def harden(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Sharpen a share of the outliers in a batch, in place."""
    rows = (labels == NO_DIGIT).nonzero().flatten()[::SHARPENED]
    if len(rows):
        images[rows] = sharpened(network, images[rows])


def objective(config: Network, logits: Tensor, labels: Tensor) -> Tensor:
    """What training minimises: the textbook's squared error of sigmoids for the perceptron, else cross-entropy.

    An outlier's target is every digit alike.
    """
    if isinstance(config, Perceptron):
        return F.mse_loss(logits.sigmoid(), F.one_hot(labels, DIGITS).float(), reduction="sum") / len(labels)
    digits = (labels != NO_DIGIT).sum()
    loss = F.cross_entropy(logits, labels, ignore_index=NO_DIGIT, reduction="sum")
    spread = -(logits.log_softmax(1).mean(1) * (labels == NO_DIGIT)).sum()
    return (loss + OUTLIER_WEIGHT * spread) / digits
