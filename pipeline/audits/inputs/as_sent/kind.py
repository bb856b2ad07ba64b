"""The register of what people send: what each kind is called, how it is drawn, and what is right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Digit = NDArray[np.uint8]
"""A test digit, uint8 [28, 28], ink bright."""
STRENGTHS = 3
"""Of each kind, counted from 1."""


@dataclass(frozen=True)
class Kind:
    """One kind of picture that people send.

    draw: from a test digit, a strength and a generator to the bytes of an image file.
    description: what it is, with its strengths, for people.
    strengths: from the slightest to the strongest.
    lenient: whether abstaining is as right as the digit; else the digit alone is.
    """

    draw: Callable[[Digit, Any, np.random.Generator], bytes]
    description: str
    strengths: tuple[Any, Any, Any]
    lenient: bool = False


Draw = TypeVar("Draw", bound=Callable[[Digit, Any, np.random.Generator], bytes])
KINDS: dict[str, Kind] = {}
"""By name."""


def kind(name: str, description: str, *strengths: Any, lenient: bool = False) -> Callable[[Draw], Draw]:
    """Enter the function that follows in `KINDS`, under a name without a slash and with three strengths."""

    def enter(draw: Draw) -> Draw:
        slight, middling, strong = strengths
        KINDS[name] = Kind(draw, description, (slight, middling, strong), lenient)
        return draw

    return enter


def sent(name: str, strength: int, seed: int, digit: Digit, place: int) -> bytes:
    """The file of a ``digit`` of one kind in its first, second or third ``strength``; each place has draws of its own.

    Raises:
        KeyError: there is no such kind.
    """
    one = KINDS[name]
    return one.draw(digit, one.strengths[strength - 1], np.random.default_rng([seed, place]))
