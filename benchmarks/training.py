"""How fast the ConvNet's stage trains: against a bare PyTorch loop, and against the plain way. Each does the same work.

python -m benchmarks.training
"""

import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.table import Table
from torch.optim.swa_utils import AveragedModel

from benchmarks import mnist, plain
from pipeline import params
from pipeline.models.batches import Digits, normalise, prepare
from pipeline.models.classifier import harden
from pipeline.models.fit import exponential, fit, supported
from pipeline.models.networks import Network

STEPS, WARMUP, ROUNDS = 40, 5, 3


class Clock(Callback):
    """Times the training steps after the first few."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx == WARMUP:
            self.started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.seconds = time.perf_counter() - self.started if batch_idx > WARMUP else 0.0


def stage(config: Network, options: params.Train, images: np.ndarray, labels: np.ndarray) -> float:
    """Images per second of the stage's own training."""
    count = (WARMUP + STEPS) * config.batch_size
    config = config.model_copy(update={"epochs": 1, "hard_fraction": 0.0, "easy_fraction": 1.0})
    data = Digits((images[:count], labels[:count]), (images[:256], labels[:256]), config, options.seed)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(config, data, options.trainer, options.seed, Path(folder), callbacks=[clock])
    return STEPS * config.batch_size / clock.seconds


def bare(config: Network, options: params.Train, images: np.ndarray, labels: np.ndarray) -> float:
    """Images per second of a plain loop that does the same work: augmentation, mixed precision, averaged weights."""
    generator = torch.Generator().manual_seed(options.seed)
    model = config.build().train()
    averaged = AveragedModel(deepcopy(model), multi_avg_fn=exponential(config.ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=WARMUP + STEPS)
    pixels, targets = torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long()
    precision = supported(options.trainer.precision, options.trainer.accelerator)
    order = torch.randperm(len(pixels), generator=generator).split(config.batch_size)
    for step in range(WARMUP + STEPS):
        if step == WARMUP:
            started = time.perf_counter()
        batch, answers, _ = prepare(pixels[order[step]].float() / 255, targets[order[step]], config, generator)
        seen = normalise(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
            harden(model, seen, answers)
            logits = model(seen).float()
        optimizer.zero_grad()
        (config.losses(logits, answers).sum() / config.batch_size).backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(model)
    return STEPS * config.batch_size / (time.perf_counter() - started)


def main() -> None:
    config, options = params.load("networks.convnet", "train")
    undisturbed = config.model_copy(update={"augment": None})
    images, labels = mnist.load("train")
    comparisons = {
        "a bare loop, whole recipe": (
            lambda: stage(config, options, images, labels),
            lambda: bare(config, options, images, labels),
            0.90,
        ),
        "the plain way, no warps": (
            lambda: stage(undisturbed, options, images, labels),
            lambda: plain.images_per_second(config.build(), images, labels, config.batch_size, STEPS // 2),
            1.8,
        ),
    }
    table = Table(
        title=f"Training the ConvNet, width {config.width}, batch {config.batch_size}: medians of {ROUNDS} rounds"
    )
    for column in ("against", "its images/s", "the stage's images/s", "ratio", "bar"):
        table.add_column(column, justify="left" if column == "against" else "right")
    for name, (ours, other, bar) in comparisons.items():
        rates = np.array([(other(), ours()) for _ in range(ROUNDS)])
        ratio = np.median(rates[:, 1] / rates[:, 0])
        table.add_row(name, *(f"{rate:,.0f}" for rate in np.median(rates, axis=0)), f"{ratio:.2f}", f"{bar:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
