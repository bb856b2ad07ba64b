"""Corrupted images: which part of a batch, by what, and that the same seed draws the same."""

import pytest
import torch

from pipeline.models.corrupt import FAMILIES, corrupt
from tests.pipeline.models.strokes import digits


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_changes_each_image_and_keeps_it_to_be_seen(family):
    images = digits(32)
    changed = family(images, generator()).clamp(0, 1)
    assert changed.shape == images.shape
    assert changed.isfinite().all()
    assert ((changed - images).abs().flatten(1).amax(1) > 0.01).float().mean() > 0.9
    assert (changed.flatten(1).std(1) > 0.02).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_draws_from_its_generator_alone(family):
    images = digits(4)
    assert torch.equal(family(images, generator(1)), family(images, generator(1)))
    assert not torch.equal(family(images, generator(1)), family(images, generator(2)))


def test_the_last_of_the_batch_are_corrupted_and_the_others_left():
    images = digits(100)
    corrupted = corrupt(images, 30, generator())
    assert torch.equal(corrupted[:70], images[:70])
    assert ((corrupted[70:] - images[70:]).abs().amax((1, 2, 3)) > 0.01).float().mean() > 0.8
    assert corrupted.min() >= 0
    assert corrupted.max() <= 1


def test_batches_too_small_for_every_family_take_turns():
    seen = {tuple(corrupt(digits(10), 2, generator(seed)).flatten().tolist()) for seed in range(8)}
    assert len(seen) == 8


def test_none_changes_nothing():
    images = digits(10)
    assert torch.equal(corrupt(images, 0, generator()), images)
