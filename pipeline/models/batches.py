"""Batches cut from tensors in memory and warped a batch at a time, in an order that seed and epoch alone decide."""

from collections.abc import Iterator

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from pipeline.models.augment import augment
from pipeline.models.networks import MEAN, STD
from pipeline.params import Augment

VALIDATION_BATCH = 1000


class ShuffledBatches(Sampler[Tensor]):
    """Index batches of one epoch, shuffled; each of ``world`` processes draws its share of every batch.

    The last batch is dropped if it is short, since batch norm wants batches of one size.
    """

    def __init__(self, count: int, batch_size: int, seed: int, rank: int, world: int) -> None:
        if count < batch_size:
            raise ValueError(f"{count} training images do not fill a batch of {batch_size}; lower batch_size")
        self.count, self.batch_size, self.seed, self.rank, self.world = count, batch_size, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning as each epoch starts."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.count, generator=torch.Generator().manual_seed(mix(self.seed, self.epoch)))
        for batch in order.split(self.batch_size)[: len(self)]:
            yield batch[self.rank :: self.world]


class TensorBatches(TensorDataset):
    """A data set that is asked for a whole batch of indices at once."""

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor[indices] for tensor in self.tensors)


class Digits(LightningDataModule):
    """Training and validation images as Lightning wants them.

    Args:
        train, val: images uint8 [N, 28, 28] and labels uint8 [N].
        dials: the augmentation of training images, or None for none.
    """

    def __init__(
        self,
        train: tuple[np.ndarray, np.ndarray],
        val: tuple[np.ndarray, np.ndarray],
        batch_size: int,
        dials: Augment | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.train, self.val = (
            TensorBatches(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
            for images, labels in (train, val)
        )
        self.batch_size, self.dials, self.seed = batch_size, dials, seed

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        sampler = ShuffledBatches(
            len(self.train), self.batch_size, self.seed, self.trainer.global_rank, self.trainer.world_size
        )
        own = (
            torch.Generator()
        )  # a loader draws a number as it starts: from the global generator, it would move dropout
        return DataLoader(self.train, sampler=sampler, batch_size=None, generator=own)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, sampler=torch.arange(len(self.val)).split(VALIDATION_BATCH), batch_size=None)

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Scale, warp and normalise a batch on the device that it is on."""
        assert self.trainer is not None
        images, labels = batch
        scaled = images.float() / 255
        if self.trainer.training and self.dials is not None:
            generator = torch.Generator(images.device).manual_seed(
                mix(self.seed, self.trainer.global_step, self.trainer.global_rank)
            )
            scaled = augment(scaled, self.dials, generator)
        return normalise(scaled), labels


def normalise(images: Tensor) -> Tensor:
    """Standardise images, float in 0 to 1, by MNIST's mean and deviation; channels last, which convolves faster."""
    return ((images - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def mix(*numbers: int) -> int:
    """One 64-bit seed out of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
