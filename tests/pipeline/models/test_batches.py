"""The batches: shuffled anew each epoch, repeatable, shared out among processes; what training makes of them."""

import math
from itertools import chain
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from pipeline.models.batches import MILD_CORRUPT, Digits, HardFirst, TensorBatches, at, prepare
from pipeline.models.layers import OUTLIER
from pipeline.params import load
from tests.pipeline.models.strokes import digits


def epoch(number: int, rank: int = 0, world: int = 1, seed: int = 0) -> list[list[int]]:
    sampler = HardFirst(torch.arange(100.0), 10, seed, rank, world, hard_fraction=0.0, easy_fraction=1.0)
    sampler.set_epoch(number)
    return [batch.tolist() for batch in sampler]


def shown(sampler: HardFirst, number: int) -> set[int]:
    sampler.set_epoch(number)
    return set(chain.from_iterable(batch.tolist() for batch in sampler))


def test_an_epoch_shows_each_image_once():
    assert sorted(chain.from_iterable(epoch(0))) == list(range(100))


def test_epochs_and_seeds_differ_and_repeat():
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert epoch(0) != epoch(0, seed=1)


def test_processes_share_each_batch():
    whole, first, second = epoch(2), epoch(2, rank=0, world=2), epoch(2, rank=1, world=2)
    assert [sorted(a + b) for a, b in zip(first, second, strict=True)] == [sorted(batch) for batch in whole]


def test_an_epoch_shows_the_hardest_images_and_a_share_of_the_others_drawn_anew():
    sampler = HardFirst(torch.arange(100.0), 10, 0, 0, 1, hard_fraction=0.2, easy_fraction=0.5)
    epochs = [shown(sampler, number) for number in range(2)]
    assert len(sampler) == 6
    for rows in epochs:
        assert len(rows) == 60
        assert rows >= set(range(80, 100))
    assert epochs[0] != epochs[1]


def test_an_epoch_follows_what_has_become_of_the_difficulties():
    difficulty = torch.arange(100.0)
    sampler = HardFirst(difficulty, 10, 0, 0, 1, hard_fraction=0.2, easy_fraction=0.0)
    assert shown(sampler, 0) == set(range(80, 100))
    difficulty.copy_(-difficulty)
    assert shown(sampler, 1) == set(range(20))


def test_what_was_never_shown_comes_first_and_in_no_order():
    sampler = HardFirst(torch.full((100,), torch.inf), 10, 0, 0, 1, hard_fraction=0.5, easy_fraction=0.0)
    first = shown(sampler, 0)
    assert len(first) == 50
    assert first != set(range(50))
    sampler.difficulty[list(first)] = 1e9
    assert shown(sampler, 1) == set(range(100)) - first


def test_an_images_difficulty_is_the_mean_of_its_last_loss_and_what_it_was_before():
    pixels, labels = (array.numpy() for array in (torch.zeros(4, 28, 28, dtype=torch.uint8), torch.zeros(4).byte()))
    data = Digits((pixels, labels), (pixels, labels), load("networks.fast"), 0)
    data.note(torch.tensor([1.0, 3.0, 0.0, 0.0]))
    assert data.difficulty.tolist() == [1, 3, math.inf, math.inf]
    data.note(torch.tensor([2.0, 0.0, 4.0, 0.0]))
    assert data.difficulty.tolist() == [1.5, 3, 4, math.inf]


def test_too_few_images_for_a_batch_are_refused():
    with pytest.raises(ValueError, match="9 training images do not fill a batch of 10; lower batch_size"):
        HardFirst(torch.zeros(9), 10, 0, 0, 1, hard_fraction=0.0, easy_fraction=1.0)


def test_a_batch_is_cut_at_once():
    images, labels, rows = TensorBatches(torch.arange(5) * 2, torch.arange(5) * 3)[torch.tensor([3, 1])]
    assert images.tolist() == [6, 2]
    assert labels.tolist() == [9, 3]
    assert rows.tolist() == [3, 1]


def prepared(**changes: float) -> tuple[torch.Tensor, torch.Tensor, int]:
    config = load("networks.convnet").model_copy(update=changes)
    return prepare(digits(50), torch.arange(50) % 10, config, torch.Generator().manual_seed(0))


def test_outliers_follow_the_digits_of_a_batch_and_say_so():
    images, labels, _ = prepared(outlier_fraction=0.1)
    assert images.shape == (55, 1, 28, 28)
    assert labels.tolist() == [*(number % 10 for number in range(50)), *[OUTLIER] * 5]


def test_corrupted_digits_keep_their_labels():
    clean, _, all_of_them = prepared(corrupt_fraction=0.0, outlier_fraction=0.0)
    images, labels, untouched = prepared(corrupt_fraction=0.4, outlier_fraction=0.0)
    assert (all_of_them, untouched) == (50, 30)
    assert torch.equal(images[:30], clean[:30])
    assert not torch.equal(images[30:], clean[30:])
    assert labels.tolist() == [number % 10 for number in range(50)]


def test_a_training_batch_names_the_rows_of_the_digits_that_are_not_corrupted():
    config = load("networks.convnet").model_copy(update={"corrupt_fraction": 0.4, "outlier_fraction": 0.1})
    pixels, labels = (255 * digits(50)[:, 0]).byte().numpy(), (torch.arange(50) % 10).byte().numpy()
    data = Digits((pixels, labels), (pixels, labels), config, 0)
    data.trainer = Mock(training=True, current_epoch=0, global_step=0, global_rank=0)
    shown = torch.randperm(50)
    batch: Any = data.train[shown]
    images, answers, rows = data.on_after_batch_transfer(batch, 0)
    assert (len(images), len(answers)) == (55, 55)
    assert torch.equal(rows, shown[:30])
    assert torch.equal(answers[:30], torch.from_numpy(labels).long()[rows])


def test_the_last_epochs_corrupt_few_and_warp_by_half():
    config = load("networks.convnet").model_copy(update={"corrupt_fraction": 0.4, "mild_fraction": 0.3, "epochs": 10})
    configs: list[Any] = [at(config, number) for number in range(10)]
    assert [each.corrupt_fraction for each in configs] == [*[0.4] * 7, *[0.4 * MILD_CORRUPT] * 3]
    assert [each.augment.rotate for each in configs] == [*[15.0] * 7, *[7.5] * 3]
    same = config.model_copy(update={"mild_fraction": 0.0})
    assert at(same, 9) == same


def test_without_augmentation_a_batch_stays_as_it_is():
    images, labels, untouched = prepare(digits(50), torch.arange(50), load("networks.fast"), torch.Generator())
    assert untouched == 50
    assert torch.equal(images, digits(50))
    assert labels.tolist() == list(range(50))
