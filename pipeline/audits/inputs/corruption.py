"""The register of corruptions: what each is called, how strong it may be, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.float32]
"""Images, float32 [N, 28, 28] in 0..1, ink bright."""


@dataclass(frozen=True)
class Corruption:
    """A way of corrupting pictures.

    apply: from a batch, a severity and a generator to a batch, which may leave 0..1.
    description: what it does, for people.
    severities: from the slightest on; one alone where there are no degrees of it.
    default: which of them is used where none is asked for, counted from 1.
    published: accuracy on the original MNIST-C, of a plain convolutional network and of the same behind a Hopfield
        network that cleans its input (arXiv 2408.11309, ICPR 2024; from the logs in its repository), where there is
        any.
    told: a severity in a unit that people know.
    """

    apply: Callable[[Batch, Any, np.random.Generator], Batch]
    description: str
    severities: tuple[Any, ...]
    default: int
    published: tuple[float, float] | None
    told: Callable[[float], str] | None


Apply = TypeVar("Apply", bound=Callable[[Batch, Any, np.random.Generator], Batch])
CORRUPTIONS: dict[str, Corruption] = {}
"""By name, those under which every test image is asked about: MNIST-C's fifteen, in its order."""
CURVES: dict[str, Corruption] = {}
"""Those whose accuracy is followed from the slightest severity to the strongest."""


def corruption(
    description: str,
    severities: tuple[Any, ...],
    default: int = 1,
    published: tuple[float, float] | None = None,
    told: Callable[[float], str] | None = None,
) -> Callable[[Apply], Apply]:
    """Enter the function that follows in `CORRUPTIONS`, and in `CURVES` where ``told`` is given, under its own name."""

    def enter(apply: Apply) -> Apply:
        one = Corruption(apply, description, severities, default, published, told)
        CORRUPTIONS[apply.__name__] = one
        if told:
            CURVES[apply.__name__] = one
        return apply

    return enter


def curve(severities: tuple[Any, ...], told: Callable[[float], str]) -> Callable[[Apply], Apply]:
    """Enter the function that follows in `CURVES` alone."""

    def enter(apply: Apply) -> Apply:
        CURVES[apply.__name__] = Corruption(apply, apply.__name__, severities, 1, None, told)
        return apply

    return enter


def degrees(angle: float) -> str:
    return f"{np.degrees(angle):.0f}°"


def share(of_all: float) -> str:
    return f"{100 * of_all:.0f} %"


def pixels(count: float) -> str:
    return f"{count:g} px"
