"""What training minimises."""

import math

import pytest
import torch
import torch.nn.functional as F

from pipeline.models.classifier import SHARPENED, harden
from pipeline.models.layers import OUTLIER, OUTLIER_WEIGHT
from pipeline.params import load


def test_outliers_are_to_be_shared_out_among_all_digits():
    config = load("networks.convnet")
    logits = torch.tensor([[4.0, *[0.0] * 9], [0.0] * 10])
    labels = torch.tensor([0, OUTLIER])
    digit = F.cross_entropy(logits[:1], labels[:1])
    assert config.losses(logits, labels).tolist() == pytest.approx([float(digit), OUTLIER_WEIGHT * math.log(10)])
    sure = torch.stack([logits[0], logits[0]])
    assert config.losses(sure, labels)[1] > config.losses(logits, labels)[1]


def test_without_outliers_it_is_the_cross_entropy():
    logits, labels = torch.randn(20, 10, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 10
    each = load("networks.mlp").losses(logits, labels)
    assert each.tolist() == pytest.approx(F.cross_entropy(logits, labels, reduction="none").tolist())


def test_a_share_of_the_outliers_is_sharpened_and_no_digit_is():
    network = load("networks.convnet").build()
    images = torch.rand(14, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    before, labels = images.clone(), torch.tensor([*range(6), *[OUTLIER] * 8])
    harden(network, images, labels)
    changed = (images != before).any(dim=(1, 2, 3))
    assert not changed[:6].any()
    assert changed.sum() == 8 // SHARPENED
