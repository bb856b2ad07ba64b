"""Small changes of an image, which must not change the answer."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from serving.model.recogniser import SIDE

Change = Callable[[np.ndarray], np.ndarray]
"""From an image, float32 [28, 28], to a picture, float [H, W]."""


def changed(images: NDArray[np.uint8], change: Change) -> NDArray[np.uint8]:
    """What ``change`` makes of each of ``images``, in whole grey levels: uint8 [N, H, W]."""
    pictures = (np.round(change(image.astype(np.float32))) for image in images)
    return np.stack([np.clip(picture, 0, 255).astype(np.uint8) for picture in pictures])


def moved(rows: int, columns: int) -> Change:
    """Down by ``rows`` and right by ``columns``; what leaves the frame is lost."""
    return lambda image: ndimage.shift(image, (rows, columns), order=0)


def mapped(degrees: float = 0, scale: float = 1) -> Change:
    """Turned anticlockwise and scaled about the middle, with linear interpolation."""
    radians = np.radians(degrees)
    matrix = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]]) / scale
    middle = np.full(2, (SIDE - 1) / 2)
    return lambda image: ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=1)


JPEG = "JPEG of quality 90"
SMALL: dict[str, Change] = {
    "moved a pixel down": moved(1, 0),
    "moved a pixel up": moved(-1, 0),
    "moved a pixel right": moved(0, 1),
    "moved a pixel left": moved(0, -1),
    "moved a pixel down and right": moved(1, 1),
    "moved a pixel down and left": moved(1, -1),
    "moved a pixel up and right": moved(-1, 1),
    "moved a pixel up and left": moved(-1, -1),
    "turned by 5° to the left": mapped(degrees=5),
    "turned by 5° to the right": mapped(degrees=-5),
    "10 % larger": mapped(scale=1.1),
    "10 % smaller": mapped(scale=0.9),
    "10 % more contrast": lambda image: image * 1.1,
    "10 % less contrast": lambda image: image * 0.9,
    JPEG: lambda image: image,  # the file does it
    "on paper of 40x40 pixels": lambda image: np.pad(image, 6),
    "enlarged twice": lambda image: np.kron(image, np.ones((2, 2))),
}
