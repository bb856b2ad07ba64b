"""The order of the images: shuffled anew each epoch, repeatable, shared out among processes."""

from itertools import chain

import pytest
import torch

from pipeline.models.batches import ShuffledBatches, TensorBatches


def epoch(number: int, rank: int = 0, world: int = 1, seed: int = 0) -> list[list[int]]:
    sampler = ShuffledBatches(100, 10, seed, rank, world)
    sampler.set_epoch(number)
    return [batch.tolist() for batch in sampler]


def test_an_epoch_shows_each_image_once():
    assert sorted(chain.from_iterable(epoch(0))) == list(range(100))


def test_epochs_and_seeds_differ_and_repeat():
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert epoch(0) != epoch(0, seed=1)


def test_processes_share_each_batch():
    whole, first, second = epoch(2), epoch(2, rank=0, world=2), epoch(2, rank=1, world=2)
    assert [sorted(a + b) for a, b in zip(first, second, strict=True)] == [sorted(batch) for batch in whole]


def test_too_few_images_for_a_batch_are_refused():
    with pytest.raises(ValueError, match="9 training images do not fill a batch of 10; lower batch_size"):
        ShuffledBatches(9, 10, 0, 0, 1)


def test_a_batch_is_cut_at_once():
    images, labels = TensorBatches(torch.arange(5) * 2, torch.arange(5))[torch.tensor([3, 1])]
    assert images.tolist() == [6, 2]
    assert labels.tolist() == [3, 1]
