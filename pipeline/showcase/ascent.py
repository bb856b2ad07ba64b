"""Pictures that are led to excite a network.

After Olah, Mordvintsev and Schubert 2017, "Feature Visualization", Distill, doi 10.23915/distill.00007: ascent in a
decorrelated parametrisation (Fourier coefficients, the low frequencies scaled up to move as fast as the high ones),
through a small shift, turn and change of size drawn anew at each step (transformation robustness). Without these the
search ends in high frequencies, which excite a network and show nothing.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.audits.inputs.soften import soften
from pipeline.models.networks import SIDE, standardise

RATE = 0.05
"""Of Adam."""
SHIFT, TURN, SCALE = 2.0, 8.0, 0.08
"""Pixels, degrees and share by which pictures are moved at most."""
GREYS = 16
"""That a picture is rounded to, four bits a pixel: what is measured is what is shown."""
FREQUENCY = torch.hypot(torch.fft.fftfreq(SIDE).unsqueeze(1), torch.fft.rfftfreq(SIDE)).clamp(min=1 / SIDE)
"""Of each coefficient, in waves a pixel."""


def ascend(
    layers: nn.Sequential, logits: Tensor, goal: Callable[[Tensor], Tensor], frames: Sequence[int], seed: int
) -> NDArray[np.uint8]:
    """What becomes of pictures after so many steps of an ascent: uint8 [N, frames, 28, 28].

    Args:
        layers: from standardised images, float [N, 1, 28, 28], to a layer's answers.
        logits: of the greys of the pictures that it starts from, float [N, 28, 28].
        goal: from these answers to the number that is to be large.
    """
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.view_as_real(torch.fft.rfft2(logits, norm="ortho") * FREQUENCY).requires_grad_()
    optimiser = torch.optim.Adam([coefficients], RATE)
    softened, harden = soften(layers)
    kept = []
    for step in range(frames[-1] + 1):
        if step in frames:
            kept.append(rounded(pixels_of(coefficients.detach())))
        harden(step / frames[-1])
        answers = softened(standardise(moved(pixels_of(coefficients), generator)))
        optimiser.zero_grad()
        (-goal(answers)).backward()
        optimiser.step()
    return np.stack(kept, axis=1)


def pixels_of(coefficients: Tensor) -> Tensor:
    """Pictures, float [N, 1, 28, 28] in 0..1, of Fourier coefficients, float [N, 28, 15, 2]."""
    waves = torch.view_as_complex(coefficients) / FREQUENCY
    return torch.fft.irfft2(waves, s=(SIDE, SIDE), norm="ortho").sigmoid().unsqueeze(1)


def moved(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures, float [N, 1, 28, 28], all shifted, turned and changed in size by the same small amounts, drawn anew."""
    turn, scale, down, right = (2 * torch.rand(4, generator=generator) - 1).tolist()
    angle, size, pixel = math.radians(TURN * turn), 1 + SCALE * scale, 2 * SHIFT / SIDE
    sine, cosine = size * math.sin(angle), size * math.cos(angle)
    affine = torch.tensor([[[cosine, -sine, pixel * right], [sine, cosine, pixel * down]]])
    grid = F.affine_grid(affine, [1, 1, SIDE, SIDE], align_corners=False).expand(len(pictures), -1, -1, -1)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def rounded(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures, float [N, 1, 28, 28] in 0..1, as uint8 [N, 28, 28] of `GREYS` greys."""
    steps = (pictures.squeeze(1) * (GREYS - 1)).round().to(torch.uint8)
    return np.asarray(steps.numpy() * np.uint8(255 // (GREYS - 1)))
