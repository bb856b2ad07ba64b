"""How large the gradients are that reach each layer."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer


class Gradients(Callback):
    """Keeps each epoch's mean length of the loss's gradient by the biases of a layer, for all layers from the first on.

    That length is how fast a layer's units learn, whatever feeds them (Nielsen 2015, Neural Networks and Deep
    Learning, chapter 5).
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.lengths: list[Tensor] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        layers = [layer for layer in pl_module.modules() if isinstance(layer, nn.Linear)]
        self.lengths.append(torch.stack([layer.bias.grad.norm() for layer in layers if layer.bias.grad is not None]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        means = torch.stack(self.lengths).mean(0).tolist()
        self.rows.append({f"gradient_{number}": mean for number, mean in enumerate(means, start=1)})
        self.lengths.clear()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
