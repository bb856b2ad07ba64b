"""The kinds of network: for each its hyperparameters, as they stand in params.yaml, and what they build.

A kind is a subclass of `Network`, which params.yaml names by its `kind`; there is no other list of kinds. Every network
maps normalised images, float [N, 1, 28, 28], to logits, float [N, 10]. Torch is imported only where something is built:
stages that never build a network check params.yaml too.
"""

from collections import OrderedDict
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Union

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, TypeAdapter

from pipeline.strict import Share, Strict

if TYPE_CHECKING:
    from torch import Tensor, nn

SIDE = 28
PIXELS = SIDE * SIDE
DIGITS = 10
MEAN, STD = 0.1307, 0.3081
"""Of MNIST's training pixels."""
BLACK, WHITE = -MEAN / STD, (1 - MEAN) / STD
"""What 0 and 1 become, standardised."""


def standardise(images: "Tensor") -> "Tensor":
    """Images, float of any shape in 0 to 1, by the mean and deviation of MNIST's training pixels."""
    return (images - MEAN) / STD


class Augment(Strict):
    """Half-widths of the uniform distributions that an image's affine map is drawn from; the elastic field's size."""

    rotate: NonNegativeFloat
    """degrees"""
    scale: Share
    shear: NonNegativeFloat
    """tangent of the shear angle"""
    shift: NonNegativeFloat
    """pixels"""
    elastic: NonNegativeFloat
    """standard deviation, in pixels, of the displacements on a coarse grid"""
    thickness: Share
    """how far strokes may go towards being a pixel wider, or thinner, on each side"""


class Network(Strict):
    """What every kind is trained with. Where a default stands, the kind or the entry may leave that technique out."""

    title: ClassVar[str]
    """What people call the kind."""

    kind: str
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    ema_decay: Share = 0.0
    """of the moving average of the weights that is kept; 0 keeps the weights themselves"""
    augment: Augment | None = None
    """without it no image is corrupted and no outlier added either"""
    corrupt_fraction: Share = 0.0
    """of each batch, corrupted by noise, blur and the like"""
    outlier_fraction: Share = 0.0
    """pictures that are no digit, added to each batch, as a share of its size"""
    mild_fraction: Share = 0.0
    """of the epochs, at the end, in which digits are augmented by half and few are corrupted"""
    hard_fraction: Share = 0.0
    """of the training images, shown in each epoch: those of the largest losses"""
    easy_fraction: Annotated[float, Field(ge=0, le=1)] = 1.0
    """of the other training images, shown in each epoch, others each time"""

    def build(self) -> "nn.Module":
        """The network, freshly initialised from torch's global generator, channels last."""
        import torch

        return self.layers().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def layers(self) -> "nn.Sequential":
        """The network's layers. The last is its head; what is fitted to its features is fitted to those before it."""
        raise NotImplementedError

    def losses(self, logits: "Tensor", labels: "Tensor") -> "Tensor":
        """Each image's loss, float [N], of logits, float [N, 10], and labels, int64 [N], OUTLIER among them."""
        from pipeline.models.layers import cross_entropy

        return cross_entropy(logits, labels)


class Perceptron(Network):
    """The textbook's multilayer perceptron: sigmoid units throughout, the outputs' sigmoid left to the loss."""

    title: ClassVar[str] = "textbook's perceptron"

    kind: Literal["perceptron"]
    hidden: list[PositiveInt]

    def layers(self) -> "nn.Sequential":
        from torch import nn

        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in pairwise([PIXELS, *self.hidden, DIGITS]):
            layers += [nn.Linear(fan_in, fan_out), nn.Sigmoid()]
        return nn.Sequential(*layers[:-1])

    def losses(self, logits: "Tensor", labels: "Tensor") -> "Tensor":
        from pipeline.models.layers import squared_error

        return squared_error(logits, labels)


class MLP(Network):
    """A multilayer perceptron with batch norm, ReLU and dropout after each hidden layer."""

    title: ClassVar[str] = "multilayer perceptron"

    kind: Literal["mlp"]
    hidden: list[PositiveInt]
    dropout: Share

    def layers(self) -> "nn.Sequential":
        from torch import nn

        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in pairwise([PIXELS, *self.hidden]):
            layers += [
                nn.Linear(fan_in, fan_out, bias=False),
                nn.BatchNorm1d(fan_out),
                nn.ReLU(),
                nn.Dropout(self.dropout),
            ]
        return nn.Sequential(*layers, nn.Linear(self.hidden[-1], DIGITS))


class ConvNet(Network):
    """Two stages of two 3x3 convolutions and a strided 5x5 instead of pooling, a 4x4 convolution, a linear layer.

    The first convolution has half the width of its stage, which loses nothing and saves a fifth of the time. The stages
    drop whole channels (Tompson et al. 2015), which is quicker than drawing a mask for every pixel.
    """

    title: ClassVar[str] = "convolutional network"
    FEWEST: ClassVar[int] = 16
    """Channels of a convolution's output: vector units are as long, and with fewer nothing is quicker."""

    kind: Literal["convnet"]
    width: PositiveInt
    rotation: float
    """degrees by which images are turned before the network sees them, in evaluation"""
    channel_dropout: Share
    dropout: Share

    def layers(self) -> "nn.Sequential":
        from torch import nn

        from pipeline.models.layers import Rotated, convolution, stage

        width = self.width
        return nn.Sequential(
            OrderedDict(
                view=Rotated(self.rotation) if self.rotation else nn.Identity(),
                stage1=stage(1, max(width // 2, self.FEWEST), width, self.channel_dropout),
                stage2=stage(width, 2 * width, 2 * width, self.channel_dropout),
                head=nn.Sequential(
                    *convolution(2 * width, 4 * width, 4),
                    nn.Flatten(),
                    nn.Dropout(self.dropout),
                    nn.Linear(4 * width, DIGITS),
                ),
            )
        )


if TYPE_CHECKING:
    AnyNetwork = Network
else:
    AnyNetwork = Annotated[Union[tuple(Network.__subclasses__())], Field(discriminator="kind")]  # noqa: UP007
"""A network's entry in params.yaml, as pydantic is to check it."""


def kinds() -> dict[str, type[Network]]:
    """The kinds by the name that params.yaml has for them."""
    return {kind.model_fields["kind"].annotation.__args__[0]: kind for kind in Network.__subclasses__()}  # type: ignore[union-attr]


def parse(entry: dict[str, object]) -> Network:
    """The network that an entry, or the dump of one, describes. Raises pydantic's ValidationError."""
    return TypeAdapter[Network](AnyNetwork).validate_python(entry)
