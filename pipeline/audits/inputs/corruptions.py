"""Corrupted pictures of digits: MNIST-C-style corruptions, re-implemented, and the families of the severity curves.

After Mu and Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision" (arXiv 1906.02337, 2019): the names, the
severities and the default severity of each are theirs, the code is not. It works on a whole batch at once and is
seeded. Departures: blurs run in both directions, motion blur is a half Gaussian along a line of whole pixels, fog is
cut from as many as 256 fractal maps. What is measured on these pictures is not a score on MNIST-C itself.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import canny

from pipeline.audits.inputs.corruption import (
    CORRUPTIONS,
    CURVES,
    Batch,
    corruption,
    curve,
    degrees,
    pixels,
    share,
)

SIDE = 28
CENTRE = (SIDE - 1) / 2
MUD = 63 / 255
FOG_SIDE = 256
FOG_MAPS = 256
LINE_REACH = 2.3  # pixels above and below a drawn line's middle at which its shade is long gone
SHEET = 500  # images laid beside one another for one call of the edge detector
GAP = 4  # blank pixels around each of them, as far as its smoothing reaches


def corrupt(
    images: NDArray[np.uint8], name: str, rng: np.random.Generator, severity: int | None = None
) -> NDArray[np.uint8]:
    """Return ``images``, uint8 [N, 28, 28] with bright ink, corrupted in the way called ``name``: uint8 [N, 28, 28].

    Args:
        severity: counted from 1, the slightest.

    Raises:
        ValueError: there is no such corruption, or it has no such severity.
    """
    known = CORRUPTIONS | CURVES
    if name not in known:
        raise ValueError(f"there is no corruption {name!r}; there is: {', '.join(known)}")
    one = known[name]
    severity = one.default if severity is None else severity
    if not 1 <= severity <= len(one.severities):
        raise ValueError(f"{name} has the severities 1 to {len(one.severities)}, not {severity}")
    made = one.apply(np.divide(images, 255, dtype=np.float32), one.severities[severity - 1], rng)
    return np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)


@corruption("grain of a dim light", (60, 25, 12, 5, 3), 5, (0.9640, 0.9771))
def shot_noise(images: Batch, photons: float, rng: np.random.Generator) -> Batch:
    """Grain of a dim light: as many photons as chance sends, ``photons`` on average at full brightness."""
    return (rng.poisson(images * photons) / photons).astype(np.float32)


@corruption("black and white specks", (0.03, 0.06, 0.09, 0.17, 0.27), 4, (0.7749, 0.9590))
def impulse_noise(images: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Salt and pepper: this share of the pixels turns black or white, either as often."""
    chance = rng.random(images.shape, dtype=np.float32)
    return np.where(chance < share, chance < share / 2, images).astype(np.float32)


@curve((0.1, 0.2, 0.3, 0.4, 0.5), lambda deviation: f"±{share(deviation)}")
def noise(images: Batch, deviation: float, rng: np.random.Generator) -> Batch:
    return images + deviation * rng.standard_normal(images.shape, dtype=np.float32)


@curve((0.5, 1.0, 1.5, 2.0, 2.5), pixels)
def blur(images: Batch, sigma: float, rng: np.random.Generator | None = None) -> Batch:
    return ndimage.gaussian_filter(images, (0, sigma, sigma), mode="nearest")


@corruption(
    "seen through frosted glass",
    ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    1,
    (0.3966, 0.8979),
)
def glass_blur(images: Batch, severity: tuple[float, int, int], rng: np.random.Generator) -> Batch:
    """Frosted glass: blurred, pixels swapped with near ones, blurred again.

    Args:
        severity: the blur's sigma; how far a pixel may move, in pixels; how often all are gone through.
    """
    sigma, reach, rounds = severity
    pixels = blur(images, sigma).reshape(len(images), SIDE * SIDE).T.copy()
    inner = range(SIDE - reach, reach, -1)
    everyone = np.arange(len(images))
    for row, column in [(row, column) for _ in range(rounds) for row in inner for column in inner]:
        here = row * SIDE + column
        down, right = rng.integers(-reach, reach, (2, len(images))) * (rng.random(len(images)) < 0.5)
        there = here + down * SIDE + right
        moved = pixels[there, everyone]
        pixels[there, everyone] = pixels[here]
        pixels[here] = moved
    return blur(pixels.T.reshape(images.shape), sigma)


@corruption("smeared by a moving hand", ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)), 1, (0.4740, 0.9082))
def motion_blur(images: Batch, severity: tuple[int, float], rng: np.random.Generator) -> Batch:
    """The trail of a moving hand: a half Gaussian to one side, along a line at most 45 degrees from the level.

    Args:
        severity: the kernel's radius and sigma, in pixels, as ImageMagick means them.
    """
    radius, sigma = severity
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    angle = rng.uniform(-np.pi / 4, np.pi / 4, len(images))
    views = shifted_views(images, 2 * radius, mode="edge")
    blurred = np.zeros_like(images)
    for step, weight in zip(steps, weights, strict=True):
        down, right = (np.rint(step * part(angle)).astype(int) for part in (np.sin, np.cos))
        blurred += np.float32(weight) * views(down, right)
    return blurred


def shifted_views(images: Batch, reach: int, mode: Any = "constant") -> Callable[[np.ndarray, np.ndarray], Batch]:
    """A function that gives each image as seen from so many pixels, int [N] within ``reach``, further down and right.

    Args:
        mode: what lies outside the frame, as numpy.pad names it.
    """
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), mode=mode)
    windows = sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    everyone = np.arange(len(images))
    return lambda down, right: windows[everyone, reach + down, reach + right]


def warp(images: Batch, matrix: np.ndarray) -> Batch:
    """Look each point up where ``matrix``, [2, 2] on rows and columns, sends it; the centre stays, outside is black."""
    whole = np.eye(3)
    whole[1:, 1:] = matrix
    offset = np.array([0, *(CENTRE - matrix @ (CENTRE, CENTRE))])
    return ndimage.affine_transform(images, whole, offset, order=1, mode="grid-constant")


def one_way_or_the_other(
    images: Batch, matrix: Callable[[float], np.ndarray], size: float, rng: np.random.Generator
) -> Batch:
    """Warp each image by the matrix of ``size`` or of minus ``size``, as chance has it."""
    forward = rng.random(len(images)) < 0.5
    warped = np.empty_like(images)
    for rows, severity in ((forward, size), (~forward, -size)):
        warped[rows] = warp(images[rows], matrix(severity))
    return warped


@corruption(
    "slanted by 21°",
    (0.2, 0.4, 0.6, 0.8, 1.0),
    2,
    (0.9545, 0.9556),
    told=lambda angle: degrees(np.arctan(np.sin(angle))),
)
def shear(images: Batch, angle: float, rng: np.random.Generator) -> Batch:
    """Slanted so that the top moves by the sine of ``angle``, and taller by its cosine, as scikit-image sheared."""
    return one_way_or_the_other(images, lambda turn: np.array([[np.cos(turn), 0], [-np.sin(turn), 1]]), angle, rng)


@corruption("shrunk to 70 %", (0.9, 0.8, 0.7, 0.6, 0.5), 3, (0.8910, 0.8842), told=share)
def scale(images: Batch, size: float, rng: np.random.Generator) -> Batch:
    """Shrunk to ``size``."""
    return warp(images, np.eye(2) / size)


@corruption("turned by 23°", (0.2, 0.4, 0.6, 0.8, 1.0), 2, (0.8989, 0.8895), told=degrees)
def rotate(images: Batch, angle: float, rng: np.random.Generator) -> Batch:
    """Turned by ``angle``, in radians."""

    def rotation(turn: float) -> np.ndarray:
        return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    return one_way_or_the_other(images, rotation, angle, rng)


@corruption("everything much brighter", (0.1, 0.2, 0.3, 0.4, 0.5), 5, (0.8266, 0.9698))
def brightness(images: Batch, more: float, rng: np.random.Generator) -> Batch:
    return images + np.float32(more)


@corruption("moved by 3 pixels both ways", (1, 2, 3, 4, 5), 3, (0.4742, 0.4436), told=pixels)
def translate(images: Batch, pixels: int, rng: np.random.Generator) -> Batch:
    """Moved to one of the four corners, by as many pixels across as down."""
    down, right = rng.choice([-pixels, pixels], (2, len(images)))
    return shifted_views(images, pixels)(down, right)


@curve((0.8, 0.6, 0.4, 0.2, 0.1), share)
def contrast(images: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Faded towards each image's own mean until this share of its contrast is left."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + np.float32(share) * (images - mean)


@corruption("both sides turned to their negative", (7,), 1, (0.9540, 0.9540))
def stripe(images: Batch, columns: int, rng: np.random.Generator) -> Batch:
    """The outermost columns on either side turned into their negative."""
    outer = np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) < columns
    return np.where(outer, 1 - images, images)


@corruption("behind clouds", ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)), 5, (0.1435, 0.9700))
def fog(images: Batch, severity: tuple[float, float], rng: np.random.Generator) -> Batch:
    """Clouds in front of the digit.

    Args:
        severity: their brightness beside the digit's, and how fast finer structure loses strength.
    """
    density, decay = severity
    maps = clouds(min(len(images), FOG_MAPS), decay, rng)
    chosen = np.arange(len(images)) % max(len(maps), 1)
    windows = sliding_window_view(maps, (SIDE, SIDE), axis=(1, 2))
    top, left = rng.integers(0, FOG_SIDE - SIDE + 1, (2, len(images)))
    brightest = images.max(axis=(1, 2), keepdims=True)
    return (images + density * windows[chosen, top, left]) * brightest / (brightest + density)


def clouds(count: int, decay: float, rng: np.random.Generator) -> Batch:
    """Fractal height maps that wrap around, float32 [count, 256, 256], each from 0 to 1 (diamond-square algorithm)."""
    maps = np.zeros((count, FOG_SIDE, FOG_SIDE), np.float32)

    def settle(rows: slice, columns: slice, neighbours: np.ndarray, roughness: float) -> None:
        maps[:, rows, columns] = neighbours / 4 + roughness * rng.uniform(-1, 1, neighbours.shape)

    step, roughness = FOG_SIDE, 1.0
    while step > 1:
        half = step // 2
        on, between = slice(0, None, step), slice(half, None, step)
        corners = maps[:, on, on]
        pairs = corners + np.roll(corners, -1, 1)
        settle(between, between, pairs + np.roll(pairs, -1, 2), roughness)
        centres = maps[:, between, between]
        across = corners + np.roll(corners, -1, 2) + centres + np.roll(centres, 1, 1)
        down = corners + np.roll(corners, -1, 1) + centres + np.roll(centres, 1, 2)
        settle(on, between, across, roughness)
        settle(between, on, down, roughness)
        step, roughness = half, roughness / decay**2
    low, high = (end(axis=(1, 2), keepdims=True) for end in (maps.min, maps.max))
    return (maps - low) / (high - low)


@corruption(
    "spattered with mud",
    (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    ),
    4,
    (0.9778, 0.9796),
)
def spatter(images: Batch, severity: tuple[float, float, float, float, float], rng: np.random.Generator) -> Batch:
    """Splashes of mud.

    Args:
        severity: mean and deviation of the noise that the splashes come from, its blur's sigma, the level above
            which it is mud, the sigma that softens the mud's edge.
    """
    mean, deviation, sigma, level, softness = severity
    noise = rng.normal(mean, deviation, images.shape).astype(np.float32)
    mud = blur((blur(noise, sigma) > level).astype(np.float32), softness)
    mud[mud < 0.8] = 0
    return images * (1 - mud) + np.float32(MUD) * mud


@corruption("a dotted line across", (4,), 1, (0.9819, 0.9801))
def dotted_line(images: Batch, period: int, rng: np.random.Generator) -> Batch:
    """A line from the left edge to the right one, anywhere, half of each ``period`` of columns left out."""
    first, last = rng.integers(0, SIDE - 1, (2, len(images)))
    edge = np.zeros(len(images))
    line = stroke(edge, first, edge + SIDE - 1, last)
    return images + line * (np.arange(SIDE) % period >= period // 2)


@corruption("a zigzag across", (2.0,), 1, (0.9040, 0.9226))
def zigzag(images: Batch, size: float, rng: np.random.Generator) -> Batch:
    """A zigzag from left to right, anywhere, ``size`` pixels high to each side, its strokes at right angles."""
    left, right = 2, SIDE - 3
    start = rng.integers(0, SIDE - 1, len(images))
    slope = np.arctan(rng.integers(-5, 5, len(images)) / (right - left))
    length = (right - left) / np.cos(slope)
    turns = np.arange(size, left + length.min(initial=right) - size, 2 * size)
    along = [np.zeros_like(length), *(np.full_like(length, turn) for turn in turns), length]
    aside = [0.0, *(size * (-1) ** np.arange(len(turns))), 0.0]
    columns = [left + a * np.cos(slope) - b * np.sin(slope) for a, b in zip(along, aside, strict=True)]
    rows = [start + a * np.sin(slope) + b * np.cos(slope) for a, b in zip(along, aside, strict=True)]
    drawn = images.copy()
    for i in range(len(along) - 1):
        drawn = np.minimum(drawn + stroke(columns[i], rows[i], columns[i + 1], rows[i + 1]), 1)
    return drawn


def stroke(left: np.ndarray, first: np.ndarray, right: np.ndarray, last: np.ndarray) -> Batch:
    """A soft line in each of N images, from column ``left`` and row ``first`` to column ``right`` and row ``last``."""
    place = np.arange(SIDE, dtype=np.float32)
    slope = (last - first) / (right - left)
    middle = (first + slope * (place[:, None] - left)).astype(np.float32)
    distance = np.abs(place[:, None, None] - middle)
    shade = np.clip(1 + np.log1p(-np.minimum(distance / np.float32(LINE_REACH), np.float32(0.99))), 0, 1)
    shade *= (place[:, None] >= np.floor(left)) & (place[:, None] < np.ceil(right))
    return shade.transpose(2, 0, 1)


@corruption("outlines alone", (1.0,), 1, (0.7722, 0.7734))
def canny_edges(images: Batch, sigma: float, rng: np.random.Generator) -> Batch:
    """Outlines alone (Canny 1986)."""
    edges = np.empty_like(images)
    for start in range(0, len(images), SHEET):
        part = np.pad(images[start : start + SHEET], ((0, 0), (GAP, GAP), (GAP, GAP)))
        sheet = canny(part.reshape(-1, part.shape[2]), sigma)
        edges[start : start + SHEET] = sheet.reshape(part.shape)[:, GAP:-GAP, GAP:-GAP]
    return edges


@curve((4, 6, 8, 10, 12), pixels)
def occlusion(images: Batch, side: int, rng: np.random.Generator) -> Batch:
    """A black square of ``side`` pixels, anywhere within the 20x20 that the digit fills."""
    top, left = rng.integers(4, SIDE - 4 - side + 1, (2, len(images), 1))
    rows, columns = ((start <= np.arange(SIDE)) & (np.arange(SIDE) < start + side) for start in (top, left))
    return np.where(rows[:, :, None] & columns[:, None, :], 0, images)
