"""Strokes changed as a pen would change them: Morpho-MNIST's thinning, thickening, swelling and fractures.

After Castro, Tan, Kainz, Konukoglu and Glocker, "Morpho-MNIST: Quantitative Assessment and Diagnostics for
Representation Learning", JMLR 20(178), 2019, with its default sizes: images are enlarged four times, cut at half their
range, changed, and made small again. The code is our own, and thins to Zhang and Suen's skeleton, not to the medial
axis. Sizes are in pixels of the original image, as in the paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from skimage.transform import pyramid_expand, pyramid_reduce

ENLARGEMENT = 4
THINNING = 0.7  # of the stroke's thickness
THICKENING = 1.0
SWELLING_STRENGTH = 3
SWELLING_RADIUS = 7  # times the square root of the thickness, across
FRACTURES = 3
FRACTURE_WIDTH = 1.5
FRACTURE_OVERHANG = 0.5  # how far a fracture goes on beyond the stroke's edge
CLEARANCE = 2  # how far a fracture keeps from ends and forks, where there is room
WINDOW = 2  # how far around a point the direction of its stroke is taken from

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Stroke:
    """A digit, enlarged, in black and white.

    ink, skeleton: bool [112, 112]; distance: float [112, 112], from each point of the ink to its edge.
    thickness: twice the mean distance along the skeleton; 0 where there is no ink. Both in enlarged pixels.
    """

    ink: Mask
    skeleton: Mask
    distance: np.ndarray
    thickness: float


Apply = Callable[[Stroke, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Perturbation:
    """A change of strokes, from a stroke to its ink, bool or float [112, 112] in 0..1; what it does, for people."""

    apply: Apply
    description: str


PERTURBATIONS: dict[str, Perturbation] = {}


def perturbation(name: str, description: str) -> Callable[[Apply], Apply]:
    """Enter the function that follows in `PERTURBATIONS`."""

    def enter(apply: Apply) -> Apply:
        PERTURBATIONS[name] = Perturbation(apply, description)
        return apply

    return enter


def strokes(images: NDArray[np.uint8]) -> list[Stroke]:
    """The strokes of ``images``, uint8 [N, H, W] with bright ink."""
    return [stroke(image) for image in images]


def stroke(image: NDArray[np.uint8]) -> Stroke:
    large = pyramid_expand(image, upscale=ENLARGEMENT, order=3)
    ink = (2 * large >= large.min() + large.max()) & (np.ptp(large) > 0)
    skeleton, distance = skeletonize(ink), ndimage.distance_transform_edt(ink)
    return Stroke(ink, skeleton, distance, 2 * float(distance[skeleton].mean()) if skeleton.any() else 0.0)


def perturb(digits: Sequence[Stroke], name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return ``digits``, N of them, changed in the way called ``name``, in their original size: uint8 [N, H, W].

    Raises:
        ValueError: there is no such change.
    """
    if name not in PERTURBATIONS:
        raise ValueError(f"there is no perturbation {name!r}; there is: {', '.join(PERTURBATIONS)}")
    apply = PERTURBATIONS[name].apply
    small = [
        pyramid_reduce(apply(digit, rng).astype(np.float64), downscale=ENLARGEMENT, order=3)
        if digit.skeleton.any()
        else np.zeros(np.array(digit.ink.shape) // ENLARGEMENT)
        for digit in digits
    ]
    return np.rint(np.clip(np.stack(small), 0, 1) * 255).astype(np.uint8)


@perturbation("thinning", "strokes 70 % thinner")
def thin(digit: Stroke, rng: np.random.Generator) -> Mask:
    return digit.distance > int(THINNING * digit.thickness / 2)


@perturbation("thickening", "strokes twice as thick")
def thicken(digit: Stroke, rng: np.random.Generator) -> Mask:
    return ndimage.distance_transform_edt(~digit.ink) <= int(THICKENING * digit.thickness / 2)


@perturbation("swelling", "blown up at one point")
def swell(digit: Stroke, rng: np.random.Generator) -> np.ndarray:
    """Blown up around a point of the stroke, float [112, 112] in 0..1."""
    centre = rng.choice(np.argwhere(digit.skeleton))[:, None, None]
    radius = SWELLING_RADIUS * np.sqrt(digit.thickness / ENLARGEMENT) / 2 * ENLARGEMENT
    offset = np.indices(digit.ink.shape) - centre
    pull = np.minimum(np.hypot(*offset) / radius, 1) ** (SWELLING_STRENGTH - 1)
    return ndimage.map_coordinates(digit.ink.astype(np.float64), centre + pull * offset, order=1)


@perturbation("fractures", "strokes broken in 3 places")
def fracture(digit: Stroke, rng: np.random.Generator) -> Mask:
    """Broken straight across, at points of the skeleton away from its ends and forks."""
    broken = digit.ink.copy()
    for place in rng.choice(breakable(digit.skeleton), FRACTURES):
        half = digit.distance[tuple(place)] + FRACTURE_OVERHANG * ENLARGEMENT
        along, across = directions(digit.skeleton, place)
        offset = np.moveaxis(np.indices(broken.shape), 0, -1) - place
        beyond = np.maximum(np.abs(offset @ across) - half, 0)
        broken &= np.hypot(offset @ along, beyond) > FRACTURE_WIDTH * ENLARGEMENT / 2
    return broken


def breakable(skeleton: Mask) -> NDArray[np.int64]:
    """The points of ``skeleton``, int [M, 2], away from its ends and forks; all, if there are none such."""
    neighbours = ndimage.convolve(skeleton.astype(int), np.ones((3, 3), int), mode="constant") - 1
    special = skeleton & np.isin(neighbours, (1, 3))
    if special.any():
        plain = skeleton & (ndimage.distance_transform_edt(~special) > CLEARANCE * ENLARGEMENT)
        skeleton = plain if plain.any() else skeleton
    return np.argwhere(skeleton)


def directions(skeleton: Mask, place: NDArray[np.int64]) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along the ``skeleton`` near ``place`` and across it, float [2] each, in rows and columns."""
    points = np.argwhere(skeleton)
    near = points[np.abs(points - place).max(axis=1) <= WINDOW * ENLARGEMENT]
    spread = (near - near.mean(axis=0)).T
    across, along = np.linalg.eigh(spread @ spread.T)[1].T
    return along, across
