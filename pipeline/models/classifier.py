"""The Lightning module: the loss, the optimiser and its one-cycle schedule, and what is logged of an epoch."""

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from pipeline.models.batches import NO_DIGIT, Batch, Digits, mix
from pipeline.models.networks import DIGITS, build
from pipeline.models.outliers import sharpened
from pipeline.params import Network, Perceptron

OUTLIER_WEIGHT = 0.6
"""Of an outlier's loss beside a digit's; Hendrycks, Mazeika and Dietterich 2019 took 0.5."""

SHARPENED = 2
"""One outlier in so many is sharpened."""

TIE = 1e-3
"""What a unit of validation loss counts beside accuracy: enough to decide between checkpoints equally accurate."""

SMALLEST = 1e-12
"""A loss that is no larger is told as this: 0 is that of an image that was not shown."""


class Classifier(LightningModule):
    """Trains one network on `Digits`' batches, and tells them how large the loss of each image was."""

    losses: Tensor

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
        self.losses = torch.zeros(len(self.digits.train), device=self.device)

    def on_train_epoch_end(self) -> None:
        self.digits.note(self.trainer.strategy.reduce(self.losses, reduce_op="sum").cpu())

    @property
    def digits(self) -> Digits:
        """What is trained on."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def training_step(self, batch: Batch, _: int) -> Tensor:
        images, labels, rows = batch
        harden(self.network, images, labels)
        each = losses(self.config, self(images), labels)
        self.losses[rows] = each[: len(rows)].detach().clamp(min=SMALLEST)
        loss = each.sum() / (labels != NO_DIGIT).sum()
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        images, labels = batch[:2]
        logits = self(images)
        loss = losses(self.config, logits, labels).mean()
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


def losses(config: Network, logits: Tensor, labels: Tensor) -> Tensor:
    """Each image's loss, float [N]: the textbook's squared error of sigmoids for the perceptron, else cross-entropy.

    An outlier's target is every digit alike. Training minimises their sum, divided by the number of digits.
    """
    if isinstance(config, Perceptron):
        return F.mse_loss(logits.sigmoid(), F.one_hot(labels, DIGITS).float(), reduction="none").sum(1)
    spread = -logits.log_softmax(1).mean(1)
    digits = F.cross_entropy(logits, labels, ignore_index=NO_DIGIT, reduction="none")
    return torch.where(labels == NO_DIGIT, OUTLIER_WEIGHT * spread, digits)
