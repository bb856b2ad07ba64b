"""The three networks. Each maps normalised images, float [N, 1, 28, 28], to logits, float [N, 10]."""

import math
from collections import OrderedDict
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.params import MLP, ConvNet, Network, Perceptron

SIDE = 28
PIXELS = SIDE * SIDE
DIGITS = 10
FEWEST = 16
"""Channels of a convolution's output: vector units are as long, and with fewer nothing is quicker."""
MEAN, STD = 0.1307, 0.3081
BLACK, WHITE = -MEAN / STD, (1 - MEAN) / STD
"""What 0 and 1 become, standardised."""


def build(config: Network) -> nn.Module:
    """The network that ``config`` describes, freshly initialised from torch's global generator, channels last."""
    match config:
        case Perceptron():
            network = perceptron(config.hidden)
        case MLP():
            network = mlp(config.hidden, config.dropout)
        case ConvNet():
            network = convnet(config.width, config.turn, config.channel_dropout, config.dropout)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def standardise(images: Tensor) -> Tensor:
    """Images, float of any shape in 0 to 1, by the mean and deviation of MNIST's training pixels."""
    return (images - MEAN) / STD


def perceptron(hidden: list[int]) -> nn.Sequential:
    """The textbook's multilayer perceptron: sigmoid units throughout, the outputs' sigmoid left to the loss."""
    sizes = [PIXELS, *hidden, DIGITS]
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.Sigmoid()]
    return nn.Sequential(*layers[:-1])


def mlp(hidden: list[int], dropout: float) -> nn.Sequential:
    """A multilayer perceptron with batch norm, ReLU and dropout after each hidden layer."""
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise([PIXELS, *hidden]):
        layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], DIGITS))


class Turned(nn.Module):
    """Turns standardised images, float [N, 1, 28, 28], by so many degrees; in training it leaves them alone.

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
        turned = F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
        return turned.clamp(BLACK, WHITE)


def convnet(width: int, turn: float, channel_dropout: float, dropout: float) -> nn.Sequential:
    """Two stages of two 3x3 convolutions and a strided 5x5 instead of pooling, a 4x4 convolution, a linear layer.

    The first convolution has half the width of its stage, which loses nothing and saves a fifth of the time. The stages
    drop whole channels (Tompson et al. 2015), which is quicker than drawing a mask for every pixel.
    """
    return nn.Sequential(
        OrderedDict(
            view=Turned(turn) if turn else nn.Identity(),
            stage1=_stage(1, max(width // 2, FEWEST), width, channel_dropout),
            stage2=_stage(width, 2 * width, 2 * width, channel_dropout),
            head=nn.Sequential(
                *_convolution(2 * width, 4 * width, 4), nn.Flatten(), nn.Dropout(dropout), nn.Linear(4 * width, DIGITS)
            ),
        )
    )


def _stage(channels: int, first: int, width: int, channel_dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, first, 3),
        *_convolution(first, width, 3),
        *_convolution(width, width, 5, stride=2, padding=2),
        nn.Dropout2d(channel_dropout),
    )


def _convolution(channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
