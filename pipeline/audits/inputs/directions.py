"""Damage that grows by levels, which must not make a recogniser surer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.audits.inputs.small import changed, mapped
from serving.model.recogniser import SIDE


@dataclass(frozen=True)
class Direction:
    """A damage.

    unit: of its levels, which rise from none; damage: from an image, float32 [28, 28], a level and random numbers of
    the image's own, the same at every level, to the damaged image.
    """

    unit: str
    levels: tuple[float, ...]
    damage: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

    def at(self, level: float, images: NDArray[np.uint8], seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        """``images``, uint8 [N, 28, 28], damaged to a ``level``; ``seeds``, int [N], are of their random numbers."""
        each = iter(seeds)
        return changed(images, lambda image: self.damage(image, level, np.random.default_rng(next(each))))


def occluded(image: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """A square of paper over a place within the digit's box, growing around the same middle."""
    row, column = rng.uniform(8, 20, 2)
    grid = np.arange(SIDE)
    hidden = (np.abs(grid - row) < side / 2)[:, None] & (np.abs(grid - column) < side / 2)
    return np.where(hidden, np.float32(0), image)


DIRECTIONS = {
    "noise": Direction(
        "standard deviation, grey levels",
        (0, 25, 50, 75, 100),
        lambda image, level, rng: image + level * rng.standard_normal(image.shape),
    ),
    "blur": Direction(
        "standard deviation, pixels",
        (0, 0.7, 1.2, 1.7, 2.2),
        lambda image, level, _: ndimage.gaussian_filter(image, level),
    ),
    "occlusion": Direction("side of a blank square, pixels", (0, 4, 7, 10, 13), occluded),
    "rotation": Direction(
        "degrees, to either side",
        (0, 15, 30, 45, 60),
        lambda image, level, rng: mapped(degrees=level * rng.choice((-1, 1)))(image),
    ),
}
