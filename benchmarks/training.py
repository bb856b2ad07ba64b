"""How fast the ConvNet trains: as the stage does it, in a bare PyTorch loop, and the plain way.

python -m benchmarks.training
"""

import statistics
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
from pipeline.models.classifier import objective
from pipeline.models.fit import exponential, fit, supported
from pipeline.models.networks import build

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


def stage(config: params.ConvNet, dials: params.Train, images: np.ndarray, labels: np.ndarray) -> float:
    """Images per second of the stage's own training."""
    count = (WARMUP + STEPS) * config.batch_size
    data = Digits((images[:count], labels[:count]), (images[:256], labels[:256]), config, dials.seed)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(config.model_copy(update={"epochs": 1}), data, dials.trainer, dials.seed, Path(folder), callbacks=[clock])
    return STEPS * config.batch_size / clock.seconds


def bare(config: params.ConvNet, dials: params.Train, images: np.ndarray, labels: np.ndarray) -> float:
    """Images per second of a plain loop that does the same work: augmentation, mixed precision, averaged weights."""
    generator = torch.Generator().manual_seed(dials.seed)
    model = build(config).train()
    averaged = AveragedModel(deepcopy(model), multi_avg_fn=exponential(config.ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=WARMUP + STEPS)
    pixels, targets = torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long()
    precision = supported(dials.trainer.precision, dials.trainer.accelerator)
    order = torch.randperm(len(pixels), generator=generator).split(config.batch_size)
    for step in range(WARMUP + STEPS):
        if step == WARMUP:
            started = time.perf_counter()
        batch, answers = prepare(pixels[order[step]].float() / 255, targets[order[step]], config, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
            logits = model(normalise(batch)).float()
        optimizer.zero_grad()
        objective(config, logits, answers).backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(model)
    return STEPS * config.batch_size / (time.perf_counter() - started)


def main() -> None:
    config, dials = params.load("networks.convnet", "train")
    images, labels = mnist.load("train")
    rates: dict[str, list[float]] = {"the stage (Lightning)": [], "a bare PyTorch loop": [], "the plain way": []}
    for _ in range(ROUNDS):
        measured = (
            stage(config, dials, images, labels),
            bare(config, dials, images, labels),
            plain.images_per_second(build(config), images, labels, config.batch_size, STEPS // 2),
        )
        for rate, rows in zip(measured, rates.values(), strict=True):
            rows.append(rate)

    ours = rates["the stage (Lightning)"]
    table = Table(
        title=f"Training the ConvNet, width {config.width}, batch {config.batch_size}: medians of {ROUNDS} rounds"
    )
    for column in ("", "images/s", "the stage is faster by", "bar"):
        table.add_column(column, justify="right" if column else "left")
    for (name, rows), bar in zip(rates.items(), ("", "0.90", "1.8"), strict=True):
        ratio = statistics.median(one / other for one, other in zip(ours, rows, strict=True))
        table.add_row(name, f"{statistics.median(rows):,.0f}", f"{ratio:.2f} times" if bar else "", bar)
    Console().print(table)


if __name__ == "__main__":
    main()
