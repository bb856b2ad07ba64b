"""The pictures to try, in serving/page/samples/: drawn here, by code, from no data set and nobody's hand.

    python -m pipeline.showcase.samples

writes them again. /docs offers them, README's lines send them, and the page draws its examples by digits.json: of each
digit its strokes, points from left and from top, in thousandths of a square.
"""

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from pipeline.drawing.fit import fitted
from pipeline.drawing.forms import Stroke, arc, bent, straight

FOLDER = Path("serving/page/samples")
SIDE = 240
FINER = 4
"""Pictures are drawn so many times as large, for soft edges."""
INK, SHEET = (27, 34, 51), (255, 253, 248)
PENCIL, PAPER = (70, 70, 78), (226, 218, 200)

DIGITS: list[list[Stroke]] = [
    [arc(0.5, 0.5, 0.34, 0.5, -0.25, 0.75)],
    [straight((0.5, 0), (0.5, 1))],
    [bent((0.1, 0.3), (0.15, -0.2), (1.0, -0.15), (0.85, 0.5), (0.1, 1)), straight((0.1, 1), (0.9, 0.97))],
    [
        bent((0.15, 0.1), (0.5, -0.15), (1.0, 0.05), (0.8, 0.42), (0.4, 0.47)),
        bent((0.4, 0.47), (1.0, 0.45), (1.0, 1.1), (0.4, 1.05), (0.1, 0.88)),
    ],
    [straight((0.3, 0), (0.12, 0.6), (0.9, 0.6)), straight((0.7, 0.28), (0.66, 1))],
    [straight((0.85, 0), (0.3, 0.02), (0.24, 0.42)), bent((0.24, 0.42), (1.05, 0.25), (1.1, 1.15), (0.1, 0.98))],
    [bent((0.7, 0), (0.2, 0.15), (0.1, 0.6), (0.2, 0.8)), arc(0.5, 0.73, 0.3, 0.27, 0.45, 1.47)],
    [straight((0.1, 0), (0.9, 0), (0.42, 1))],
    [arc(0.5, 0.25, 0.26, 0.25, 0.25, 1.25), arc(0.5, 0.75, 0.33, 0.25, -0.25, 0.75)],
    [arc(0.48, 0.28, 0.29, 0.28, 0, 1), straight((0.77, 0.28), (0.68, 1))],
]
"""A few strokes for each digit, points from left and from top in a unit square."""
HEART: list[Stroke] = [
    bent((0.5, 0.3), (0.4, -0.3), (-0.35, 0), (0.05, 0.6), (0.5, 1)),
    bent((0.5, 0.3), (0.6, -0.3), (1.35, 0), (0.95, 0.6), (0.5, 1)),
]


def all_of_them() -> dict[str, bytes]:
    """Each sample's content by its name."""
    ten = np.stack([fitted(inked(digit, 0.13)) for digit in DIGITS])
    twelve = [stroke * 0.45 + (0, 0.2) for stroke in DIGITS[1]] + [stroke * 0.45 + (0.55, 0.2) for stroke in DIGITS[2]]
    return {
        "seven.png": png(painted(inked(DIGITS[7], 0.1), INK, SHEET)),
        "photo.jpg": photographed(inked(DIGITS[3], 0.07)),
        "blank.png": png(np.full((SIDE, SIDE, 3), SHEET, np.uint8)),
        "twelve.png": png(painted(inked(twelve, 0.06), INK, SHEET)),
        "heart.png": png(painted(inked(HEART, 0.1), INK, SHEET)),
        "one.json": json.dumps({"pixels": ten[1].tolist(), "scale": "0-255"}).encode(),
        "ten.bin": ten.tobytes(),
        "digits.json": json.dumps([[in_thousandths(one) for one in strokes] for strokes in DIGITS]).encode(),
    }


def inked(strokes: list[Stroke], width: float) -> NDArray[np.float64]:
    """How much a round pen, ``width`` of the drawing's side wide, covers of each pixel: float [SIDE, SIDE], 0 to 1."""
    side, size = SIDE * FINER, 0.6 * SIDE * FINER
    canvas = Image.new("L", (side, side))
    brush, radius = ImageDraw.Draw(canvas), width * size / 2
    for stroke in strokes:
        points = [(float(x), float(y)) for x, y in (side - size) / 2 + size * stroke]
        brush.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64) / 255


def in_thousandths(stroke: Stroke) -> list[list[int]]:
    return [[round(1000 * x), round(1000 * y)] for x, y in stroke]


def painted(ink: NDArray[np.float64], pen: tuple[int, ...], paper: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture, uint8 [H, W, 3], of ink of a colour on paper of another."""
    return np.rint(ink[..., None] * pen + (1 - ink[..., None]) * paper).astype(np.uint8)


def photographed(ink: NDArray[np.float64]) -> bytes:
    """A JPEG of pencil on paper, held a little askew, in light that falls off to one side."""
    askew = np.clip(ndimage.rotate(ink, 5, reshape=False, order=1), 0, 1)
    light = 1 - 0.3 * np.add.outer(np.arange(SIDE), np.arange(SIDE)) / (2 * SIDE)
    grain = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 1))
    seen = painted(0.9 * askew, PENCIL, PAPER) * light[..., None] + grain
    buffer = io.BytesIO()
    Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in all_of_them().items():
        (FOLDER / name).write_bytes(content)
        print(f"{FOLDER / name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
