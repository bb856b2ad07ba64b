"""Pictures that are no digit, made of digits and at random, for outlier exposure (Hendrycks, Mazeika, Dietterich 2019).

Noise, straight-sided shapes, crosses, tangled lines and two digits at once the audit has too, drawn otherwise; its
letters, patterns and permuted pixels have no like here: what is learnt has to carry over to them. Its fooling images
are searched for in many small steps from noise; here a picture of any kind takes one.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from pipeline.models.corrupt import clouds, lines, uniform
from pipeline.models.networks import BLACK, STD, WHITE

AT_ONCE = 4
"""Kinds drawn for one batch."""
BLOCK = 7
"""Side, in pixels, of the blocks that a digit is shuffled by; the image's side is a multiple of it."""
REACH = 6.0
"""The longest step that a picture is sharpened by, in Euclidean distance, pixels counting to 1."""


def outliers(images: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw ``count`` pictures, a run of each of a few kinds.

    Args:
        images: digits, float [N, 1, H, W] in 0 to 1.

    Returns:
        float [count, 1, H, W] in 0 to 1.
    """
    chosen = torch.randint(len(images), (4, count), generator=generator, device=images.device)
    runs = torch.arange(count, device=images.device).tensor_split(AT_ONCE)
    kinds = [EXPOSURE[kind] for kind in torch.randperm(len(EXPOSURE), generator=generator)[:AT_ONCE].tolist()]
    drawn = [kind(images[chosen[:, run]], generator) for kind, run in zip(kinds, runs, strict=True) if len(run)]
    return torch.cat([images[:0], *drawn]).clamp(0, 1)


def sharpened(network: nn.Module, pictures: Tensor) -> Tensor:
    """Change pictures by one step of random length towards the digit that the network is surest to see in each.

    Of such a picture the network learns not to be sure, wherever its gradient leads (Hein, Andriushchenko and
    Bitterwolf 2019, arXiv 1812.05720, who take 40 steps). The length is drawn from torch's global generator.

    Args:
        network: to logits, in any mode, which it is left in; it is asked in evaluation mode.
        pictures: standardised, float [N, 1, H, W].

    Returns:
        Pictures of the same kind.
    """
    mode = network.training
    network.eval()
    leaf = pictures.detach().requires_grad_()
    surest = network(leaf).float().log_softmax(1).amax(1)
    (gradient,) = torch.autograd.grad(surest.sum(), leaf)
    network.train(mode)
    direction = F.normalize(gradient.flatten(1)).view_as(pictures)
    length = REACH / STD * torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
    return (pictures + length * direction).clamp(BLACK, WHITE)


def quarters(digits: Tensor, _: Generator) -> Tensor:
    """Outer quarters of four digits the wrong way round; ``digits`` are float [4, N, 1, H, W] here and below."""
    half = digits.shape[3] // 2
    upper = torch.cat([digits[0, ..., half:, half:], digits[1, ..., half:, :half]], 3)
    lower = torch.cat([digits[2, ..., :half, half:], digits[3, ..., :half, :half]], 3)
    return torch.cat([upper, lower], 2)


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


def polygons(digits: Tensor, generator: Generator) -> Tensor:
    """Triangles and quadrangles, regular or not, drawn as outlines or filled."""
    picture = digits[0]
    sides = 3 + (uniform(picture, 0, 1, generator) < 0.6).flatten(1)
    number = torch.arange(4, device=picture.device).minimum(sides - 1)
    wobble = torch.rand(len(picture), 4, 2, generator=generator, device=picture.device).gather(
        1, number.unsqueeze(2).expand(-1, -1, 2)
    )
    wobble = wobble * uniform(picture, 0, 0.8, generator).flatten(1).unsqueeze(2)
    turn = uniform(picture, 0, 2 * math.pi, generator).flatten(1)
    angles = turn + 2 * math.pi * (number + 0.5 * wobble[..., 0]) / sides
    radii = uniform(picture, 5, 14, generator).flatten(1) * (1 - 0.35 * wobble[..., 1])
    corners = torch.stack([angles.cos(), angles.sin()], 2) * radii.unsqueeze(2)
    ink, inside = outline(picture, corners, generator)
    return torch.where(uniform(picture, 0, 1, generator) < 0.4, ink.maximum(inside), ink)


def crosses(digits: Tensor, generator: Generator) -> Tensor:
    """Two bars across each other near the middle."""
    picture = digits[0]
    turn = uniform(picture, 0, math.pi, generator).flatten(1)
    bars = []
    for angle in (turn, turn + math.pi / 2 + uniform(picture, -0.3, 0.3, generator).flatten(1)):
        half = uniform(picture, 5, 12, generator).flatten(1) * torch.cat([angle.cos(), angle.sin()], 1)
        middle = torch.cat([uniform(picture, -2, 2, generator).flatten(1) for _ in range(2)], 1)
        bars.append(outline(picture, torch.stack([middle - half, middle + half], 1), generator)[0])
    return bars[0].maximum(bars[1])


def outline(picture: Tensor, corners: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The closed line through ``corners``, float [N, V, 2] from the middle, and what it surrounds if it is convex.

    Returns:
        Two pictures, float [N, 1, H, W] in 0 to 1.
    """
    height, width = picture.shape[2:]
    down = torch.arange(height, device=picture.device) - (height - 1) / 2
    right = torch.arange(width, device=picture.device) - (width - 1) / 2
    place = torch.cartesian_prod(down, right)
    side = (corners.roll(-1, 1) - corners).unsqueeze(2)
    reach = place - corners.unsqueeze(2)
    along = ((reach * side).sum(3) / side.square().sum(3).clamp(min=1e-6)).clamp(0, 1)
    distance = (reach - along.unsqueeze(3) * side).norm(dim=3).amin(1)
    across = side[..., 0] * reach[..., 1] - side[..., 1] * reach[..., 0]
    ink = (uniform(picture, 1, 2, generator).flatten(1) - distance).clamp(0, 1)
    return ink.view(picture.shape), (across >= 0).all(1).float().view(picture.shape)


def tangles(digits: Tensor, generator: Generator) -> Tensor:
    """One curved line that crosses itself many times."""
    picture = digits[0]
    time = torch.linspace(0, 2 * math.pi, 40, device=picture.device).view(1, -1, 1, 1)
    pace = torch.arange(1, 6, device=picture.device).view(1, 1, 1, -1)
    shape = (len(picture), 1, 2, 5)
    phase = 2 * math.pi * torch.rand(shape, generator=generator, device=picture.device)
    size = torch.randn(shape, generator=generator, device=picture.device)
    curve = (size * (pace * time + phase).sin()).sum(3)
    curve = curve / curve.abs().amax((1, 2), keepdim=True) * uniform(picture, 8, 12, generator).flatten(1).unsqueeze(2)
    return outline(picture, curve, generator)[0]


KINDS = (quarters, blocks, scrambled, side_by_side, overlaid, static, strokes, polygons, crosses, tangles)
EXPOSURE = (*KINDS, *[polygons] * 4)
"""What is drawn from: closed outlines, which come nearest to a digit, five times as often as the others."""
