"""Random affine maps, elastic fields and stroke widths, drawn for a whole batch of images at once."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.params import Augment

GRID = 5
"""Side of the coarse grid whose random displacements make the elastic field."""


def augment(images: Tensor, dials: Augment, generator: torch.Generator) -> Tensor:
    """Warp each image by its own affine and elastic map (Simard et al. 2003, on a coarse grid); thin or thicken it.

    Args:
        images: float [N, 1, H, W]; what lies outside the frame counts as 0.
        dials: the sizes of the distributions that the maps are drawn from.
        generator: the only source of randomness, on the images' device.

    Returns:
        float [N, 1, H, W].
    """
    count, _, height, width = images.shape

    def uniform(half_width: float) -> Tensor:
        return (torch.rand(count, generator=generator, device=images.device) * 2 - 1) * half_width

    angle = torch.deg2rad(uniform(dials.rotate))
    sine, cosine = angle.sin(), angle.cos()
    stretch_x, stretch_y, shear = 1 + uniform(dials.scale), 1 + uniform(dials.scale), uniform(dials.shear)
    shift_x, shift_y = uniform(2 * dials.shift / width), uniform(2 * dials.shift / height)
    affine = torch.stack(
        [
            torch.stack([cosine * stretch_x, (cosine * shear - sine) * stretch_x, shift_x], 1),
            torch.stack([sine * stretch_y, (sine * shear + cosine) * stretch_y, shift_y], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, [count, 1, height, width], align_corners=False)
    coarse = torch.randn(count, 2, GRID, GRID, generator=generator, device=images.device) * (2 * dials.elastic / width)
    field = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    warped = F.grid_sample(images, grid + field.permute(0, 2, 3, 1), align_corners=False)
    if not dials.thickness:
        return warped
    thicker, thinner = F.max_pool2d(warped, 3, 1, 1), -F.max_pool2d(-warped, 3, 1, 1)
    share = uniform(dials.thickness).view(-1, 1, 1, 1)
    return warped + share.clamp(min=0) * (thicker - warped) - share.clamp(max=0) * (thinner - warped)
