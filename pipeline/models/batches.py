"""Batches cut from tensors in memory and warped a batch at a time, in an order that seed and epoch alone decide."""

from collections.abc import Iterator

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from pipeline.models.augment import augment
from pipeline.models.corrupt import degrade
from pipeline.models.networks import standardise
from pipeline.models.outliers import outliers
from pipeline.params import Augment, ConvNet, Network, Perceptron

VALIDATION_BATCH = 1000
NO_DIGIT = -1
"""The label of an outlier."""
POLISH_WARP, POLISH_DEGRADED = 0.5, 0.35
"""The size of the last epochs' warps and the share that they degrade, each as a share of that of the others."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Images, labels and rows."""


class HardFirst(Sampler[Tensor]):
    """Index batches of one epoch, shuffled; each of ``world`` processes draws its share of every batch.

    An epoch shows the images that were hardest when they were last shown, and a share of the others, drawn anew: most
    of MNIST is soon read without effort, and teaches nothing more (Jiang et al. 2019, Accelerating deep learning by
    focusing on the biggest losers, arXiv 1910.00762). The last batch is dropped if it is short, since batch norm wants
    batches of one size.

    Args:
        difficulty: float [N], of each training image, infinite before it was shown; whoever trains keeps it up to date.
        hardest: the share of the images that every epoch shows.
        others: the share of the others that it shows.
    """

    def __init__(
        self, difficulty: Tensor, batch_size: int, seed: int, rank: int, world: int, hardest: float, others: float
    ) -> None:
        self.hard = int(hardest * len(difficulty))
        self.easy = int(others * (len(difficulty) - self.hard))
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
    come first and are not degraded: what is hard about the others is not their own.
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
        shares = (self.config.hardest, self.config.others) if isinstance(self.config, ConvNet) else (0.0, 1.0)
        sampler = HardFirst(
            self.difficulty,
            self.config.batch_size,
            self.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
            *shares,
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
            recipe = at(self.config, self.trainer.current_epoch)
            scaled, labels, count = prepare(scaled, labels, recipe, generator)
            rows = rows[:count]
        return normalise(scaled), labels, rows


def at(config: Network, epoch: int) -> Network:
    """What ``config`` says of the batches of one epoch, counted from 0: in the last ones digits are nearly as served.

    They are warped less, and few are degraded: digits as they are served are read better for it (YOLOX leaves its
    mosaics out: Ge et al. 2021, arXiv 2107.08430). With none degraded noise is soon taken for no digit at all.
    """
    if not isinstance(config, ConvNet) or epoch < round((1 - config.polish) * config.epochs):
        return config
    milder = config.augment and Augment(**{dial: size * POLISH_WARP for dial, size in config.augment})
    return config.model_copy(update={"degraded": config.degraded * POLISH_DEGRADED, "augment": milder})


def prepare(images: Tensor, labels: Tensor, config: Network, generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
    """Make a training batch as ``config`` says: warp the digits, degrade a share of them, add outliers.

    Args:
        images: float [N, 1, 28, 28] in 0 to 1.
        labels: int64 [N].

    Returns:
        float [N + M, 1, 28, 28] in 0 to 1; int64 [N + M], of which the last M, those of outliers, are NO_DIGIT; how
        many digits come first that are not degraded.
    """
    count = len(images)
    if isinstance(config, Perceptron) or config.augment is None:
        return images, labels, count
    images = augment(images, config.augment, generator)
    if not isinstance(config, ConvNet):
        return images, labels, count
    extra = outliers(images, int(count * config.outliers), generator)
    unlabelled = labels.new_full((len(extra),), NO_DIGIT)
    degraded = int(count * config.degraded)
    images = degrade(images, degraded, generator)
    return torch.cat([images, extra]), torch.cat([labels, unlabelled]), count - degraded


def normalise(images: Tensor) -> Tensor:
    """Standardised images, float [N, 1, 28, 28] from 0 to 1, channels last, which convolves faster."""
    return standardise(images).contiguous(memory_format=torch.channels_last)


def mix(*numbers: int) -> int:
    """One 64-bit seed out of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
