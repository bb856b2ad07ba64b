"""The three networks. Each maps normalised images, float [N, 1, 28, 28], to logits, float [N, 10]."""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline.params import MLP, ConvNet, Network, Perceptron

PIXELS = 28 * 28
DIGITS = 10
MEAN, STD = 0.1307, 0.3081


def build(config: Network) -> nn.Module:
    """The network that ``config`` describes, freshly initialised from torch's global generator, channels last."""
    match config:
        case Perceptron():
            network = perceptron(config.hidden)
        case MLP():
            network = mlp(config.hidden, config.dropout)
        case ConvNet():
            network = convnet(config.width, config.channel_dropout, config.dropout)
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


def convnet(width: int, channel_dropout: float, dropout: float) -> nn.Sequential:
    """Two stages of two 3x3 convolutions and a strided 5x5 instead of pooling, a 4x4 convolution, a linear layer.

    The stages drop whole channels (Tompson et al. 2015), which is quicker than drawing a mask for every pixel.
    """
    return nn.Sequential(
        OrderedDict(
            stage1=_stage(1, width, channel_dropout),
            stage2=_stage(width, 2 * width, channel_dropout),
            head=nn.Sequential(
                *_convolution(2 * width, 4 * width, 4), nn.Flatten(), nn.Dropout(dropout), nn.Linear(4 * width, DIGITS)
            ),
        )
    )


def _stage(channels: int, width: int, channel_dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, width, 3),
        *_convolution(width, width, 3),
        *_convolution(width, width, 5, stride=2, padding=2),
        nn.Dropout2d(channel_dropout),
    )


def _convolution(channels: int, width: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
