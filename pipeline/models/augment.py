"""Random affine maps, elastic fields and stroke widths, drawn for a whole batch of images at once."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.models.networks import Augment

GRID = 5
"""Side of the coarse grid whose random displacements make the elastic field."""


def augment(images: Tensor, sizes: Augment, generator: torch.Generator) -> Tensor:
    """Warp each image by its own affine and elastic map (Simard et al. 2003, on a coarse grid); thin or thicken it.

    Pixels are interpolated with cubic weights: linear ones blur, and images that were never warped would look strange
    to a network that has seen only blurred ones.

    Args:
        images: float [N, 1, H, W] in 0 to 1; what lies outside the frame counts as 0.
        sizes: those of the distributions that the maps are drawn from.
        generator: the only source of randomness, on the images' device.

    Returns:
        float [N, 1, H, W] in 0 to 1.
    """
    count, _, height, width = images.shape

    def uniform(half_width: float) -> Tensor:
        return (torch.rand(count, generator=generator, device=images.device) * 2 - 1) * half_width

    angle = torch.deg2rad(uniform(sizes.rotate))
    sine, cosine = angle.sin(), angle.cos()
    stretch_x, stretch_y, shear = 1 + uniform(sizes.scale), 1 + uniform(sizes.scale), uniform(sizes.shear)
    shift_x, shift_y = uniform(2 * sizes.shift / width), uniform(2 * sizes.shift / height)
    affine = torch.stack(
        [
            torch.stack([cosine * stretch_x, (cosine * shear - sine) * stretch_x, shift_x], 1),
            torch.stack([sine * stretch_y, (sine * shear + cosine) * stretch_y, shift_y], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, [count, 1, height, width], align_corners=False)
    coarse = torch.randn(count, 2, GRID, GRID, generator=generator, device=images.device) * (2 * sizes.elastic / width)
    down, across = smooth(height).to(coarse), smooth(width).to(coarse)
    field = (down @ coarse @ across.T).permute(0, 2, 3, 1)
    warped = F.grid_sample(images, grid + field, mode="bicubic", align_corners=False).clamp(0, 1)
    if not sizes.thickness:
        return warped
    thicker, thinner = widest(warped), -widest(-warped)
    share = uniform(sizes.thickness).view(-1, 1, 1, 1)
    return warped + share.clamp(min=0) * (thicker - warped) - share.clamp(max=0) * (thinner - warped)


@cache
def smooth(size: int) -> Tensor:
    """Bicubic interpolation from GRID points to ``size``, float [size, GRID]: many times faster as a product."""
    return F.interpolate(torch.eye(GRID).expand(1, 1, -1, -1), (size, GRID), mode="bicubic", align_corners=True)[0, 0]


def widest(images: Tensor) -> Tensor:
    """The greatest of each pixel and its eight neighbours, float [N, 1, H, W], faster than torch's pooling."""
    padded = F.pad(images, (1, 1, 1, 1), value=-torch.inf)
    rows = padded[..., :-2].maximum(padded[..., 1:-1]).maximum(padded[..., 2:])
    return rows[..., :-2, :].maximum(rows[..., 1:-1, :]).maximum(rows[..., 2:, :])
