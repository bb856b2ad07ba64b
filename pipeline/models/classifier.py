"""The Lightning module: a step, the optimiser and its one-cycle schedule, and what is logged of an epoch."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from pipeline.models.batches import Batch, Digits, mix
from pipeline.models.layers import OUTLIER
from pipeline.models.networks import Network
from pipeline.models.outliers import sharpened

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
        self.network = config.build()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).float()

    def on_train_epoch_start(self) -> None:
        """Tie dropout to the epoch, so that a training resumed here draws what an unbroken one would have drawn.

        All processes begin with the first one's running statistics, which are those in the checkpoint: after
        validation, a forward pass without gradient, DDP omits its own broadcast of buffers once.
        """
        torch.manual_seed(mix(self.seed, self.current_epoch, self.global_rank))
        for buffer in self.buffers():
            buffer.copy_(self.trainer.strategy.broadcast(buffer))
        self.losses = torch.zeros(len(self.digits.train), device=self.device)

    def on_train_epoch_end(self) -> None:
        self.digits.note(self.trainer.strategy.reduce(self.losses, reduce_op="sum").cpu())

    @property
    def digits(self) -> Digits:
        """What is trained on."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The sum of the images' losses, outliers' included, divided by the number of digits."""
        images, labels, rows = batch
        harden(self.network, images, labels)
        each = self.config.losses(self(images), labels)
        self.losses[rows] = each[: len(rows)].detach().clamp(min=SMALLEST)
        loss = each.sum() / (labels != OUTLIER).sum()
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        images, labels = batch[:2]
        logits = self(images)
        loss = self.config.losses(logits, labels).mean()
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
    rows = (labels == OUTLIER).nonzero().flatten()[::SHARPENED]
    if len(rows):
        images[rows] = sharpened(network, images[rows])
