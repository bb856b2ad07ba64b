"""The smallest change is about as small as it can be, changes the answer, and half of it does not."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.showcase.fool import smallest_change


@pytest.fixture
def linear() -> nn.Module:
    """From pixels to logits by one layer: the nearest picture of another digit has a formula."""
    torch.manual_seed(4)
    layer = nn.Linear(784, 10)
    nn.init.normal_(layer.weight, std=0.3)
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False)


def digits_of(network, images):
    return network(torch.from_numpy(images).float().unsqueeze(1) / 255).softmax(1)


def grey(count):
    """Pictures from which nothing within reach is black or white."""
    return np.random.default_rng(1).integers(100, 156, (count, 28, 28), dtype=np.uint8)


def test_it_is_hardly_longer_than_the_shortest_there_is(linear):
    images = grey(8)
    ranked = digits_of(linear, images).argsort(1, descending=True)
    first, second = ranked[:, 0], ranked[:, 1]
    keeping = nn.Sequential(linear, Only(first, second))
    found = smallest_change(keeping, images, second.numpy(), 0.5)
    weight, bias = linear[1].weight, linear[1].bias
    pixels = torch.from_numpy(images).float().flatten(1) / 255
    towards = weight[second] - weight[first]
    needed = -((pixels * towards).sum(1) + bias[second] - bias[first]) / towards.norm(dim=1)
    length = np.linalg.norm((found.astype(float) - images).reshape(8, -1), axis=1) / 255
    assert (length <= 1.1 * needed.numpy() + 0.05).all()
    assert (length >= needed.numpy()).all()


class Only(nn.Module):
    """Keeps two logits of each picture, so that no third digit is in the way."""

    def __init__(self, first, second):
        super().__init__()
        self.kept = torch.full((len(first), 10), -torch.inf)
        for digit in (first, second):
            self.kept[torch.arange(len(first)), digit] = 0

    def forward(self, logits):
        return logits + self.kept


def test_it_changes_the_answer_and_half_of_it_does_not(linear):
    images = grey(10)
    targets = (digits_of(linear, images).argmax(1).numpy() + 1 + np.arange(10) % 9) % 10
    found = smallest_change(linear, images, targets, 0.5)
    assert (digits_of(linear, found)[torch.arange(10), torch.from_numpy(targets)] >= 0.5).all()
    half = np.rint((images.astype(float) + found) / 2).astype(np.uint8)
    assert (digits_of(linear, half).argmax(1).numpy() != targets).all()
    np.testing.assert_array_equal(found, smallest_change(linear, images, targets, 0.5))
    sure = smallest_change(linear, images, targets, 0.99)
    assert (digits_of(linear, sure)[torch.arange(10), torch.from_numpy(targets)] >= 0.99).all()


def test_what_cannot_be_reached_is_left_as_it_is(linear):
    linear[1].bias[3] = -1e4
    images = grey(3)
    np.testing.assert_array_equal(smallest_change(linear, images, np.full(3, 3), 0.5), images)
