"""Batches cut from tensors in memory and warped a batch at a time, in an order that seed and epoch alone decide."""

from collections.abc import Iterator

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from pipeline.models.augment import augment
from pipeline.models.corrupt import corrupt
from pipeline.models.layers import OUTLIER
from pipeline.models.networks import Augment, Network, standardise
from pipeline.models.outliers import outliers

VALIDATION_BATCH = 1000
MILD_AUGMENT, MILD_CORRUPT = 0.5, 0.35
"""The size of the mild epochs' warps and the fraction that they corrupt, each as a share of that of the others."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Images, labels and rows."""


class HardFirst(Sampler[Tensor]):
    """Index batches of one epoch, shuffled; each of ``world`` processes draws its share of every batch.

    An epoch shows the images that were hardest when they were last shown, and a share of the others, drawn anew: most
    of MNIST is soon learnt, and teaches nothing more (Jiang et al. 2019, Accelerating deep learning by
    focusing on the biggest losers, arXiv 1910.00762). The last batch is dropped if it is short, since batch norm wants
    batches of one size.

    Args:
        difficulty: float [N], of each training image, infinite before it was shown; whoever trains keeps it up to date.
        hard_fraction: of the images, which every epoch shows.
        easy_fraction: of the others, of which it shows so many.
    """

    def __init__(
        self,
        difficulty: Tensor,
        batch_size: int,
        seed: int,
        rank: int,
        world: int,
        hard_fraction: float,
        easy_fraction: float,
    ) -> None:
        self.hard = int(hard_fraction * len(difficulty))
        self.easy = int(easy_fraction * (len(difficulty) - self.hard))
        if self.hard + self.easy < batch_size:
            raise ValueError(
                f"{self.hard + self.easy} training images do not fill a batch of {batch_size}; lower batch_size"
            )
        self.difficulty, self.batch_size, self.seed, self.rank, self.world = difficulty, batch_size, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning as each epoch starts."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (self.hard + self.easy) // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(mix(self.seed, self.epoch))

        def shuffled(rows: Tensor) -> Tensor:
            return rows[torch.randperm(len(rows), generator=generator)]

        order = shuffled(torch.arange(len(self.difficulty)))
        order = order[self.difficulty[order].argsort(descending=True, stable=True)]
        shown = shuffled(torch.cat([order[: self.hard], shuffled(order[self.hard :])[: self.easy]]))
        for batch in shown.split(self.batch_size)[: len(self)]:
            yield batch[self.rank :: self.world]


class TensorBatches(TensorDataset):
    """A data set that is asked for a whole batch of indices at once, and gives them back with it."""

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return *(tensor[indices] for tensor in self.tensors), indices


class Digits(LightningDataModule):
    """Training and validation images as Lightning wants them.

    Args:
        train, val: images uint8 [N, 28, 28] and labels uint8 [N].
        config: of the network that they are for, which says how its batches are made.

    Batches are normalised images, float [B, 1, 28, 28], labels, int64 [B], and the rows, int64 [R], of the digits that
    come first and are not corrupted: what is hard about the others is not their own.
    """

    def __init__(
        self,
        train: tuple[np.ndarray, np.ndarray],
        val: tuple[np.ndarray, np.ndarray],
        config: Network,
        seed: int,
    ) -> None:
        super().__init__()
        self.train, self.val = (
            TensorBatches(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
            for images, labels in (train, val)
        )
        self.config, self.seed = config, seed
        self.difficulty = torch.full((len(self.train),), torch.inf)

    def note(self, losses: Tensor) -> None:
        """Take in the losses of an epoch, float [N], 0 where an image was not shown: the mean with what was known."""
        known = torch.where(self.difficulty.isinf(), losses, (self.difficulty + losses) / 2)
        self.difficulty.copy_(torch.where(losses > 0, known, self.difficulty))

    def state_dict(self) -> dict[str, Tensor]:
        return {"difficulty": self.difficulty}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        self.difficulty.copy_(state_dict["difficulty"])

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        sampler = HardFirst(
            self.difficulty,
            self.config.batch_size,
            self.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
            self.config.hard_fraction,
            self.config.easy_fraction,
        )
        # A loader draws a number as it starts: from the global generator, that would move dropout.
        return DataLoader(self.train, sampler=sampler, batch_size=None, generator=torch.Generator())

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, sampler=torch.arange(len(self.val)).split(VALIDATION_BATCH), batch_size=None)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Scale a batch, prepare it if it is for training, and normalise it, on the device that it is on."""
        assert self.trainer is not None
        images, labels, rows = batch
        scaled = images.float() / 255
        if self.trainer.training:
            generator = torch.Generator(images.device).manual_seed(
                mix(self.seed, self.trainer.global_step, self.trainer.global_rank)
            )
            config = at(self.config, self.trainer.current_epoch)
            scaled, labels, count = prepare(scaled, labels, config, generator)
            rows = rows[:count]
        return normalise(scaled), labels, rows


def at(config: Network, epoch: int) -> Network:
    """What ``config`` says of the batches of one epoch, counted from 0: in the last ones digits are nearly as served.

    They are warped less, and few are corrupted: digits as they are served are recognised better for it (YOLOX leaves
    its mosaics out: Ge et al. 2021, arXiv 2107.08430). With none corrupted noise is soon taken for no digit at all.
    """
    if epoch < round((1 - config.mild_fraction) * config.epochs):
        return config
    milder = config.augment and Augment(**{name: size * MILD_AUGMENT for name, size in config.augment})
    return config.model_copy(update={"corrupt_fraction": config.corrupt_fraction * MILD_CORRUPT, "augment": milder})


def prepare(images: Tensor, labels: Tensor, config: Network, generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
    """Make a training batch as ``config`` says: warp the digits, corrupt a share of them, add outliers.

    Args:
        images: float [N, 1, 28, 28] in 0 to 1.
        labels: int64 [N].

    Returns:
        float [N + M, 1, 28, 28] in 0 to 1; int64 [N + M], of which the last M, those of outliers, are OUTLIER; how
        many digits come first that are not corrupted.
    """
    count = len(images)
    if config.augment is None:
        return images, labels, count
    images = augment(images, config.augment, generator)
    if not config.outlier_fraction and not config.corrupt_fraction:
        return images, labels, count
    extra = outliers(images, int(count * config.outlier_fraction), generator)
    unlabelled = labels.new_full((len(extra),), OUTLIER)
    corrupted = int(count * config.corrupt_fraction)
    images = corrupt(images, corrupted, generator)
    return torch.cat([images, extra]), torch.cat([labels, unlabelled]), count - corrupted


def normalise(images: Tensor) -> Tensor:
    """Standardised images, float [N, 1, 28, 28] from 0 to 1, channels last, which convolves faster."""
    return standardise(images).contiguous(memory_format=torch.channels_last)


def mix(*numbers: int) -> int:
    """One 64-bit seed out of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
