"""The networks of the texts: the textbook's perceptron with other layers, activations, losses, images and outputs."""

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from pipeline.models.networks import Perceptron

if TYPE_CHECKING:
    from torch import Tensor, nn

SIDES = {"processed": 28, "digits8": 8, "zero_or_one": 8}
"""Of the images of a data set, in pixels."""


class TextNetwork(Perceptron):
    """A perceptron. What an entry leaves out is as in the textbook's: sigmoid units and the squared error.

    No kind of the main pipeline: its kinds are the subclasses of `Network` itself.
    """

    kind: Literal["perceptron"] = "perceptron"
    data: Literal["processed", "digits8", "zero_or_one"]
    """the main pipeline's images, 28x28; UCI's, 8x8; of these the 0s and 1s alone"""
    outputs: Literal[1, 2, 10]
    """neurons; a single one says 1 where it is above its threshold, and else 0"""
    activation: Literal["sigmoid", "step", "relu"] = "sigmoid"
    loss: Literal["squared_error", "cross_entropy"] = "squared_error"

    @model_validator(mode="after")
    def _fits(self) -> "TextNetwork":
        if (self.data == "zero_or_one") != (self.outputs < 10):
            raise ValueError("zero_or_one has 1 output or 2, the other data have 10")
        if self.loss == "squared_error" and self.outputs < 10:
            raise ValueError("the squared error is that of ten outputs")
        return self

    @property
    def sizes(self) -> list[int]:
        """Of the layers, from pixels to outputs."""
        return [SIDES[self.data] ** 2, *self.hidden, self.outputs]

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(self.sizes))

    def layers(self) -> "nn.Sequential":
        from torch import nn

        from pipeline.texts.layers import Step, Threshold

        activations = {"sigmoid": nn.Sigmoid, "step": Step, "relu": nn.ReLU}
        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in pairwise(self.sizes):
            layers += [nn.Linear(fan_in, fan_out), activations[self.activation]()]
        return nn.Sequential(*layers[:-1], *([Threshold()] if self.outputs == 1 else []))

    def losses(self, logits: "Tensor", labels: "Tensor") -> "Tensor":
        from pipeline.models.layers import cross_entropy

        return cross_entropy(logits, labels) if self.loss == "cross_entropy" else super().losses(logits, labels)
