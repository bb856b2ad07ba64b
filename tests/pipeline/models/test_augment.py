"""The warps: what each size does, and that the generator alone decides."""

import torch

from pipeline.models.augment import augment
from pipeline.models.networks import Augment

STILL = {"rotate": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0, "elastic": 0.0, "thickness": 0.0}


def bar(count: int) -> torch.Tensor:
    """Images of an upright bar in the middle."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 6:22, 13:15] = 1
    return images


def warp(images: torch.Tensor, seed: int = 0, **sizes: float) -> torch.Tensor:
    return augment(images, Augment(**{**STILL, **sizes}), torch.Generator().manual_seed(seed))


def centres(images: torch.Tensor) -> torch.Tensor:
    """The centre of mass of each image, x and y in pixels."""
    rows, columns = torch.arange(float(images.shape[2])), torch.arange(float(images.shape[3]))
    mass = images.sum((1, 2, 3))
    return torch.stack([(images.sum((1, 2)) @ columns) / mass, (images.sum((1, 3)) @ rows) / mass], 1)


def test_without_sizes_nothing_moves():
    assert torch.allclose(warp(bar(4)), bar(4), atol=1e-5)


def test_shift_moves_each_image_its_own_way_within_its_bound():
    moved = centres(warp(bar(200), shift=3.0)) - 13.5
    assert 2.5 < moved.abs().max() <= 3.01
    assert moved.std(0).min() > 1


def test_rotation_turns_within_its_bound():
    turned = warp(bar(200), rotate=20.0)
    upper, lower = centres(turned[:, :, :14]), centres(turned[:, :, 14:])
    angles = torch.rad2deg(torch.atan2(upper[:, 0] - lower[:, 0], 14 + lower[:, 1] - upper[:, 1]))
    assert 15 < angles.abs().max() < 22


def test_scale_changes_the_ink():
    ink = warp(bar(200), scale=0.2).sum((1, 2, 3)) / bar(1).sum()
    assert 0.6 < ink.min() < 0.85
    assert 1.15 < ink.max() < 1.6


def test_elastic_bends_but_keeps_the_place():
    bent = warp(bar(200), elastic=1.0)
    assert (bent - bar(200)).abs().mean() > 0.01
    assert (centres(bent) - 13.5).mean(0).abs().max() < 0.2


def test_thickness_adds_and_takes_ink_but_leaves_the_middle_of_the_stroke():
    ink = warp(bar(200), thickness=0.9).sum((1, 2, 3)) / bar(1).sum()
    assert ink.min() < 0.4
    assert ink.max() > 1.8
    block = torch.zeros(50, 1, 28, 28)
    block[:, :, 8:20, 8:20] = 1
    assert torch.allclose(warp(block, thickness=0.9)[:, :, 9:19, 9:19], block[:, :, 9:19, 9:19], atol=1e-5)


def test_the_seed_decides():
    assert torch.equal(warp(bar(8), seed=3, shift=2.0, elastic=1.0), warp(bar(8), seed=3, shift=2.0, elastic=1.0))
    assert not torch.equal(warp(bar(8), seed=3, shift=2.0), warp(bar(8), seed=4, shift=2.0))
