"""Corrupted training images: noise, blur, fog, stray lines and the like, drawn for a whole batch at once.

The families are those of the audit's corruptions; the code, the shapes and the sizes are not, so that the audit still
asks for more than was practised. Every family takes images, float [N, 1, H, W] in 0 to 1, and the only source of
randomness, a generator on the images' device; it gives images of the same shape, not yet clipped to 0 to 1.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

AT_ONCE = 5
"""Families drawn for one batch: each costs time, however few its images."""
KERNEL = 9
"""Side of the blurring kernels, in pixels."""
CROSS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]).view(1, 1, 3, 3)


def corrupt(images: Tensor, count: int, generator: Generator) -> Tensor:
    """Corrupt the last ``count`` images of the batch, a run for each of a few families; leave the others alone.

    Returns:
        float [N, 1, H, W] in 0 to 1.
    """
    untouched, last = images.split([len(images) - count, count])
    runs = last.tensor_split(AT_ONCE)
    chosen = torch.randperm(len(PRACTICE), generator=generator)[:AT_ONCE].tolist()
    corrupted = [PRACTICE[family](run, generator) for family, run in zip(chosen, runs, strict=True) if len(run)]
    return torch.cat([untouched, *corrupted]).clamp(0, 1)


def uniform(images: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """A number for each image, float [N, 1, 1, 1]."""
    return torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) * (high - low) + low


def normal(images: Tensor, generator: Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator, device=images.device)


def plane(images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pixel coordinates from the image's middle, along and across a direction of its own: float [N, 1, H, W] each."""
    height, width = images.shape[2:]
    down = (torch.arange(height, device=images.device) - (height - 1) / 2).view(1, 1, -1, 1)
    right = (torch.arange(width, device=images.device) - (width - 1) / 2).view(1, 1, 1, -1)
    angle = uniform(images, -math.pi, math.pi, generator)
    return right * angle.cos() + down * angle.sin(), down * angle.cos() - right * angle.sin()


def clouds(images: Tensor, generator: Generator) -> Tensor:
    """Soft random fields of three sizes of detail, from 0 to 1: float [N, 1, H, W]."""
    field = torch.zeros_like(images)
    for weight, cells in ((1.0, 3), (0.6, 5), (0.36, 9)):
        coarse = torch.randn(len(images), 1, cells, cells, generator=generator, device=images.device)
        field += weight * F.interpolate(coarse, size=images.shape[2:], mode="bicubic", align_corners=True)
    low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
    return (field - low) / (high - low)


def noise(images: Tensor, generator: Generator) -> Tensor:
    """Normal noise, the same everywhere."""
    return images + normal(images, generator) * uniform(images, 0, 0.35, generator)


def grain(images: Tensor, generator: Generator) -> Tensor:
    """Normal noise that grows with the ink."""
    return images + normal(images, generator) * images.clamp(min=0).sqrt() * uniform(images, 0, 0.6, generator)


def specks(images: Tensor, generator: Generator) -> Tensor:
    """Pixels turned black or white."""
    draw = torch.rand(images.shape, generator=generator, device=images.device)
    half = uniform(images, 0, 0.125, generator)
    return images.masked_fill(draw < half, 0).masked_fill(draw > 1 - half, 1)


def blur(images: Tensor, generator: Generator) -> Tensor:
    """A normal kernel, longer in one direction than across it."""
    along, across = plane(images.new_zeros(len(images), 1, KERNEL, KERNEL), generator)
    length, breadth = uniform(images, 0.4, 4, generator), uniform(images, 0.3, 0.9, generator)
    kernels = torch.exp(-((along / length) ** 2 + (across / breadth) ** 2) / 2)
    kernels = kernels / kernels.sum((2, 3), keepdim=True)
    as_channels = images.transpose(0, 1)
    return F.conv2d(as_channels, kernels, padding=KERNEL // 2, groups=len(images)).transpose(0, 1)


def scatter(images: Tensor, generator: Generator) -> Tensor:
    """Each pixel taken from somewhere near, and a part of the mean of its neighbours."""
    count, _, height, width = images.shape
    grid = F.affine_grid(torch.eye(2, 3, device=images.device).expand(count, 2, 3), [count, 1, height, width], False)
    step = torch.rand(grid.shape, generator=generator, device=images.device) * 2 - 1
    reach = uniform(images, 0.5, 2.2, generator) * 2 / width
    moved = F.grid_sample(images, grid + step * reach, mode="nearest", align_corners=False)
    return 0.6 * F.avg_pool2d(moved, 3, 1, 1) + 0.4 * moved


def fog(images: Tensor, generator: Generator) -> Tensor:
    """Clouds up to 3.5 times as bright as the ink, the whole brought back to the range."""
    density = uniform(images, 0.2, 3.5, generator)
    return (images + density * clouds(images, generator)) / (1 + density)


def fade(images: Tensor, generator: Generator) -> Tensor:
    """Less contrast, on brighter or darker paper."""
    return images * uniform(images, 0.3, 1, generator) + uniform(images, -0.2, 0.6, generator)


def bands(images: Tensor, generator: Generator) -> Tensor:
    """Polarity turned within an upright or level band, or outside one in the middle."""
    width = images.shape[3]
    column = torch.arange(width, device=images.device).view(1, 1, 1, -1)
    inside = (column - uniform(images, 0, width, generator)).abs() < uniform(images, 1.5, 8, generator)
    middle = width / 2 + uniform(images, -3, 3, generator)
    outside = (column - middle).abs() >= uniform(images, 5, 9, generator)
    turned = torch.where(uniform(images, 0, 1, generator) < 0.5, inside, outside).expand(images.shape)
    turned = torch.where(uniform(images, 0, 1, generator) < 0.25, turned.transpose(2, 3), turned)
    return torch.where(turned, 1 - images, images)


def lines(images: Tensor, generator: Generator) -> Tensor:
    """A stray line across the image: straight, dashed or zigzag."""
    along, across = plane(images, generator)
    period = uniform(images, 2, 12, generator)
    zigzag = uniform(images, 0, 1, generator) < 0.65
    height = zigzag * period * uniform(images, 0.2, 0.7, generator)
    wave = height * (2 * (2 * ((along / period) % 1) - 1).abs() - 1)
    steepness = (1 + (4 * height / period) ** 2).sqrt()
    dash = ((along / uniform(images, 2, 5, generator)) % 1) < 0.55
    drawn = dash | zigzag | (uniform(images, 0, 1, generator) < 0.5)
    near = (across - uniform(images, -8, 8, generator) - wave).abs() < uniform(images, 0.4, 1.3, generator) * steepness
    return torch.where(near & drawn, images.maximum(uniform(images, 0.6, 1, generator)), images)


def blots(images: Tensor, generator: Generator) -> Tensor:
    """Spots of ink, or of paper."""
    coarse = torch.randn(len(images), 1, 10, 10, generator=generator, device=images.device)
    field = F.interpolate(coarse, size=images.shape[2:], mode="bicubic")
    cover = ((field - uniform(images, 0.9, 1.8, generator)) / 0.4).clamp(0, 1)
    ink = (uniform(images, 0, 1, generator) < 0.5) * uniform(images, 0.5, 1, generator)
    return images * (1 - cover) + cover * ink


def outlines(images: Tensor, generator: Generator) -> Tensor:
    """The contour of the ink alone, a pixel wide, inside it, outside it, or both."""
    sharp = uniform(images, 0, 1, generator)
    grey = images * sharp + F.avg_pool2d(images, 3, 1, 1) * (1 - sharp)
    ink = (grey > uniform(images, 0.15, 0.55, generator)).float()
    neighbours = F.conv2d(ink, CROSS.to(images.device), padding=1)
    inner, outer = ink * (neighbours < 5), (1 - ink) * (neighbours > 0)
    kind = uniform(images, 0, 1, generator)
    contour = (inner * (kind < 0.55) + outer * (kind > 0.45)).clamp(max=1)
    return contour * uniform(images, 0.7, 1, generator)


def stray(images: Tensor, generator: Generator) -> Tensor:
    """Turned, sheared, made smaller and moved further than handwriting is."""
    angle, shear, size = (
        uniform(images, low, high, generator).flatten() for low, high in ((-0.5, 0.5), (-0.5, 0.5), (0.85, 1.6))
    )
    shift = (torch.rand(len(images), 2, generator=generator, device=images.device) * 2 - 1) * 6 / images.shape[3]
    sine, cosine = angle.sin(), angle.cos()
    across = torch.stack([size * cosine, size * (shear - sine), shift[:, 0]], 1)
    down = torch.stack([size * sine, size * cosine, shift[:, 1]], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


FAMILIES = (noise, grain, specks, blur, scatter, fog, fade, bands, lines, blots, outlines, stray)
PRACTICE = (*FAMILIES, lines, lines, outlines, outlines)
"""What is drawn from: the two families that are hardest to learn three times as often as the others."""
