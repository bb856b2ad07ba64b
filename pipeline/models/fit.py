"""Train one network with Lightning: resumable after any epoch, its weights averaged and chosen by validation."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn

from pipeline.models.batches import Digits
from pipeline.models.classifier import Classifier
from pipeline.models.networks import Network
from pipeline.params import Trainer as TrainerConfig

CURVE = ("train_loss", "val_loss", "val_accuracy")

WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of ONEDNN_MAX_CPU_ISA under which oneDNN emulates bfloat16, 3 to 20 times slower than float32."""


class Curve(Callback):
    """Keeps each epoch's figures, over a resumption too, and prints them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        row = {name: float(trainer.callback_metrics[name]) for name in CURVE}
        self.rows.append({"epoch": trainer.current_epoch + 1, **row})
        pl_module.print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: training loss {row['train_loss']:.4f}, "
            f"validation loss {row['val_loss']:.4f}, validation accuracy {row['val_accuracy']:.2%}",
            flush=True,
        )

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


def fit(
    config: Network,
    data: Digits,
    options: TrainerConfig,
    seed: int,
    checkpoints: Path,
    logger: Logger | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[nn.Module, list[dict[str, float]]] | None:
    """Train the network that ``config`` describes and return its best state on validation, with its curve.

    The best is the most accurate; of those equally so, which a small set has many of, the one of the least loss.

    A training that was cut off goes on from its last epoch if ``checkpoints`` is the same folder; the result is the
    same to the bit as that of an unbroken one.

    Args:
        data: what to train on.
        options: Lightning's own arguments.
        checkpoints: a folder that belongs to this training alone.

    Returns:
        The network in evaluation mode and float32, and a row per epoch; None on all processes but the first.
    """
    quieten()
    # Determinism as Lightning asks for it would also fill all memory before it is used: a twelfth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    best = ModelCheckpoint(
        checkpoints,
        "best",
        monitor="val_merit",
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    last = ModelCheckpoint(checkpoints, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    curve = Curve()
    averaging = [WeightAveraging(multi_avg_fn=exponential(config.ema_decay))] if config.ema_decay else []
    trainer = Trainer(
        **{**options.model_dump(), "precision": supported(options.precision, options.accelerator)},
        max_epochs=config.epochs,
        logger=logger or False,
        callbacks=[*averaging, curve, best, last, *callbacks],
        deterministic=True,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        default_root_dir=checkpoints,
    )
    classifier = Classifier(config, seed)
    resumed = checkpoints / "last.ckpt"
    trainer.fit(classifier, data, ckpt_path=resumed if resumed.exists() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    chosen = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    classifier.load_state_dict(chosen["state_dict"])
    return classifier.network.cpu().float().eval(), curve.rows


def exponential(decay: float) -> Any:
    """An exponential moving average whose horizon grows with the steps taken until ``decay`` is reached."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], steps: int | Tensor) -> None:
        share = 1 - min(decay, (1 + int(steps)) / (10 + int(steps)))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, share)
        else:
            torch._foreach_copy_(averaged, current)

    return update


def quieten() -> None:
    """Silence what Lightning says of every training on tensors in memory."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in ("does not have many workers", "smaller than the logging", "LeafSpec", "exists and is not empty"):
        warnings.filterwarnings("ignore", message=f".*{message}")


def supported(precision: str, accelerator: str) -> str:
    """``precision``, or float32 where it is bfloat16 and this processor has no arithmetic for it, or may not use it."""
    emulated = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BFLOAT16
    native = torch.cpu._is_avx512_bf16_supported() and not emulated
    if precision.startswith("bf16") and accelerator == "cpu" and not native:
        warnings.warn(f"this processor has no bfloat16 arithmetic: training in 32-true, not {precision}", stacklevel=2)
        return "32-true"
    return precision
