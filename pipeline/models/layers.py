"""What the kinds of network are built of, and the losses that they are trained by."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.networks import BLACK, DIGITS, SIDE, WHITE

OUTLIER = -1
"""The label of a picture that is no digit."""
OUTLIER_WEIGHT = 0.6
"""Of an outlier's loss beside a digit's; Hendrycks, Mazeika and Dietterich 2019 took 0.5."""


class Rotated(nn.Module):
    """Rotates standardised images, float [N, 1, 28, 28], by so many degrees; in training it leaves them alone.

    Training images are all warped, and cubic interpolation makes them softer: an image that was never warped looks
    strange. The way round was chosen on validation: turned so, writing that slants backward is more like the rest.
    """

    grid: Tensor

    def __init__(self, degrees: float) -> None:
        super().__init__()
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        affine = torch.tensor([[[cosine, -sine, 0.0], [sine, cosine, 0.0]]])
        self.register_buffer("grid", F.affine_grid(affine, [1, 1, SIDE, SIDE], align_corners=False), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            return images
        grid = self.grid.expand(images.shape[0], -1, -1, -1)
        rotated = F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
        return rotated.clamp(BLACK, WHITE)


def stage(channels: int, first: int, width: int, channel_dropout: float) -> nn.Sequential:
    """Two 3x3 convolutions to ``first`` and ``width`` channels, and one that halves the picture's sides."""
    return nn.Sequential(
        *convolution(channels, first, 3),
        *convolution(first, width, 3),
        *convolution(width, width, 5, stride=2, padding=2),
        nn.Dropout2d(channel_dropout),
    )


def convolution(channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    """A convolution to ``width`` channels, batch norm and ReLU."""
    return [
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Each image's cross-entropy, float [N]; an outlier's target is every digit alike."""
    spread = -logits.log_softmax(1).mean(1)
    digits = F.cross_entropy(logits, labels, ignore_index=OUTLIER, reduction="none")
    return torch.where(labels == OUTLIER, OUTLIER_WEIGHT * spread, digits)


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Each image's squared error, float [N], of the outputs' sigmoids, summed over the ten; for digits alone."""
    return F.mse_loss(logits.sigmoid(), F.one_hot(labels, DIGITS).float(), reduction="none").sum(1)
