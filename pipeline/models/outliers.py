"""Pictures that are no digit, made of digits and noise, for outlier exposure (Hendrycks, Mazeika, Dietterich 2019).

Noise and two digits in one frame the audit has too, drawn otherwise; its letters, shapes, scribbles and fooling images
have no like here, so that what a network learns has to carry over to what it never saw.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from pipeline.models.degrade import clouds, lines, uniform

BLOCK = 7
"""Side, in pixels, of the blocks that a digit is shuffled by; the image's side is a multiple of it."""


ANGULAR = (4, 5, 7)
"""Digits that have corners, and whose quarters, mirrored, make no round shape that could be a 0 or an 8."""


def outliers(images: Tensor, labels: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw ``count`` pictures, a run of each kind.

    Args:
        images: digits, float [N, 1, H, W] in 0 to 1; labels: int64 [N].

    Returns:
        float [count, 1, H, W] in 0 to 1.
    """
    angular = torch.isin(labels, torch.tensor(ANGULAR, device=labels.device)).nonzero().flatten()
    runs = torch.arange(count, device=images.device).tensor_split(len(KINDS))
    drawn = []
    for kind, run in zip(KINDS, runs, strict=True):
        pool = images[angular] if kind is kaleidoscope else images
        if len(run) and len(pool):
            chosen = torch.randint(len(pool), (4, len(run)), generator=generator, device=images.device)
            drawn.append(kind(pool[chosen], generator))
    return torch.cat([images[:0], *drawn]).clamp(0, 1)


def quarters(digits: Tensor, _: Generator) -> Tensor:
    """Outer quarters of four digits the wrong way round; ``digits`` are float [4, N, 1, H, W] here and below."""
    half = digits.shape[3] // 2
    upper = torch.cat([digits[0, ..., half:, half:], digits[1, ..., half:, :half]], 3)
    lower = torch.cat([digits[2, ..., :half, half:], digits[3, ..., :half, :half]], 3)
    return torch.cat([upper, lower], 2)


def kaleidoscope(digits: Tensor, generator: Generator) -> Tensor:
    """A quarter of a digit with corners, mirrored both ways: squares, lozenges, crosses, combs."""
    half = digits.shape[3] // 2
    turned = torch.where(uniform(digits[0], 0, 1, generator) < 0.5, digits[0], digits[0].flip(3))
    turned = torch.where(uniform(turned, 0, 1, generator) < 0.5, turned, turned.flip(2))
    quarter = turned[..., :half, :half]
    upper = torch.cat([quarter, quarter.flip(3)], 3)
    return torch.cat([upper, upper.flip(2)], 2)


def blocks(digits: Tensor, generator: Generator) -> Tensor:
    """A digit cut into blocks, and those shuffled."""
    _, count, _, height, width = digits.shape
    cut = F.unfold(digits[0], BLOCK, stride=BLOCK)
    order = torch.rand(count, 1, cut.shape[2], generator=generator, device=digits.device).argsort(2)
    return F.fold(cut.gather(2, order.expand(cut.shape)), (height, width), BLOCK, stride=BLOCK)


def scrambled(digits: Tensor, generator: Generator) -> Tensor:
    """A digit's spectrum with the phases of noise."""
    phases = torch.fft.fft2(torch.rand(digits[0].shape, generator=generator, device=digits.device))
    picture = torch.fft.ifft2(torch.fft.fft2(digits[0]).abs() * torch.sgn(phases)).real
    low, high = picture.amin((2, 3), keepdim=True), picture.amax((2, 3), keepdim=True)
    return (picture - low) / (high - low).clamp(min=1e-6)


def side_by_side(digits: Tensor, _: Generator) -> Tensor:
    """Two digits in one frame."""
    height, width = digits.shape[3:]
    margin = width // 7
    narrow = [
        F.interpolate(digit[..., margin:-margin], size=(height, width // 2), mode="bilinear") for digit in digits[:2]
    ]
    return torch.cat(narrow, 3)


def overlaid(digits: Tensor, _: Generator) -> Tensor:
    """Two digits on one another, somewhat apart."""
    return digits[0].maximum(digits[1].roll((3, -3), (2, 3)))


def static(digits: Tensor, generator: Generator) -> Tensor:
    """Noise: grey or black and white, sharp or smoothed."""
    grey = torch.rand(digits[0].shape, generator=generator, device=digits.device)
    white = (grey > uniform(grey, 0.3, 0.95, generator)).float()
    picture = torch.where(uniform(grey, 0, 1, generator) < 0.5, grey, white)
    return torch.where(uniform(grey, 0, 1, generator) < 0.3, F.avg_pool2d(picture, 3, 1, 1), picture)


def strokes(digits: Tensor, generator: Generator) -> Tensor:
    """A few stray lines, here and there rubbed out."""
    picture = torch.zeros_like(digits[0])
    for _ in range(3):
        picture = lines(picture, generator)
    return picture * (clouds(picture, generator) > uniform(picture, 0, 0.5, generator))


KINDS = (quarters, kaleidoscope, kaleidoscope, blocks, scrambled, side_by_side, overlaid, static, strokes)
