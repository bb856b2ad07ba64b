"""Pictures that show no digit, made from a seed: what the recogniser must decline to read.

Every set is uint8 [count, 28, 28], ink bright on a dark ground where there is ink. Digits shown upside down or in
inverted colours are left out: the service turns colours round itself, and 0, 1, 8 and often 6 and 9 stay digits on
their heads.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 28
FINE = 4
"""Shapes, letters and scribbles are drawn this much larger and then reduced, which smooths their edges."""
BOX = 20
"""MNIST's digits fill a square of this side."""
LETTERS = "ACEFHKLMNPRUVWXacdefhkmnprtuvwx"
"""The letters that no digit resembles. Left out: O o D Q (0), I i l J j (1), Z z (2), Y y (4), S s (5), G b (6), T (7),
B (8), g q (9)."""
FONTS = tuple(
    f"DejaVu{family}.ttf"
    for family in ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "SansMono-Bold", "Serif", "Serif-Bold")
)
"""Bundled with matplotlib."""


def sets(
    images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> dict[str, Callable[[], np.ndarray]]:
    """What makes each set but the fooling images, by its name.

    Args:
        images: uint8 [N, 28, 28], digits of which the sets "two digits", "overlapping digits" and "permuted pixels" are
            made; labels: [N], theirs.
        count: of the pictures in each set.
    """
    drawn = {
        "uniform noise": uniform_noise,
        "Gaussian noise": gaussian_noise,
        "salt and pepper": salt_and_pepper,
        "blanks": blanks,
        "shapes": shapes,
        "patterns": patterns,
        "scribbles": scribbles,
        "hearts and smileys": hearts_and_smileys,
        "letters": letters,
    }
    made = {
        "two digits": two_digits,
        "overlapping digits": overlapping_digits,
        "permuted pixels": permuted_pixels,
    }
    streams = iter(rng.spawn(len(drawn) + len(made)))
    return {
        **{name: partial(draw, count, next(streams)) for name, draw in drawn.items()},
        **{name: partial(make, images, labels, count, next(streams)) for name, make in made.items()},
    }


def uniform_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Every pixel of any brightness."""
    return rng.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def gaussian_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Normal noise of mean 0.5 and deviation 1 on a scale of 0 to 1, clipped (Hendrycks and Gimpel 2017)."""
    return _pixels(rng.normal(127.5, 255, (count, SIDE, SIDE)))


def salt_and_pepper(count: int, rng: np.random.Generator) -> np.ndarray:
    """Black pixels, of which a share between 2 and 50 % is white."""
    share = rng.uniform(0.02, 0.5, (count, 1, 1))
    return np.where(rng.random((count, SIDE, SIDE)) < share, 255, 0).astype(np.uint8)


def blanks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Black, white, any grey, and a grey ground with faint noise, in turn."""
    kind = np.arange(count) % 4
    ground = np.select([kind == 0, kind == 1], [0, 255], rng.uniform(0, 255, count))
    noise = rng.normal(0, 1, (count, SIDE, SIDE)) * np.where(kind == 3, rng.uniform(1, 16, count), 0)[:, None, None]
    return _pixels(ground[:, None, None] + noise)


def shapes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Squares, triangles, crosses and stars, filled or in outline; no circles, which are 0s, no bars, which are 1s."""
    return _drawn(count, rng, _shape)


def patterns(count: int, rng: np.random.Generator) -> np.ndarray:
    """Checkerboards and stripes over the whole picture, of periods of 2 to 14 pixels and any direction."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pictures = np.empty((count, SIDE, SIDE))
    for index in range(count):
        angle, period, phase = rng.uniform(0, np.pi), rng.uniform(2, 14), rng.uniform(0, 1, 2)
        along = np.floor(2 * ((columns * np.cos(angle) + rows * np.sin(angle)) / period + phase[0]))
        across = np.floor(2 * ((rows * np.cos(angle) - columns * np.sin(angle)) / period + phase[1]))
        pictures[index] = (along + across * (index % 2)) % 2
    return _pixels(255 * pictures)


def scribbles(count: int, rng: np.random.Generator) -> np.ndarray:
    """A pen led over 18 to 30 random points without lifting it, rounded at the turns: too many for a digit."""
    return _drawn(count, rng, _scribble)


def hearts_and_smileys(count: int, rng: np.random.Generator) -> np.ndarray:
    """The two in turn, in outline, of many proportions, leaning a little, fitted to a box as MNIST's digits are."""
    return np.stack([_fitted(_heart_or_smiley(index, rng)) for index in range(count)])


def letters(count: int, rng: np.random.Generator) -> np.ndarray:
    """Letters that no digit resembles, in fonts that come with matplotlib, fitted to a box as MNIST's digits are."""
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    fonts = [ImageFont.truetype(folder / name, BOX * FINE) for name in FONTS]
    glyphs = [_glyph(letter, font) for letter in LETTERS for font in fonts]
    return np.stack([glyphs[index] for index in rng.permutation(np.resize(np.arange(len(glyphs)), count))])


def two_digits(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Two digits beside each other, made smaller to fit the picture."""
    pairs = rng.integers(0, len(images), (count, 2))
    return np.stack([_fitted(np.hstack(_close(images[left], images[right]))) for left, right in pairs])


def overlapping_digits(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Two different digits in full size, moved apart by 7 to 11 pixels, so that they cross or touch.

    Ones are left out: with one across it a 0 or a 7 is a digit still.
    """
    rows = np.flatnonzero(labels != 1)
    first, second = rng.choice(rows, (2, 4 * count))
    differ = np.flatnonzero(labels[first] != labels[second])[:count]
    apart = rng.integers(7, 12, len(differ))
    pictures = np.empty((len(differ), SIDE, SIDE), np.uint8)
    for place, (index, gap) in enumerate(zip(differ, apart, strict=True)):
        left, right = images[first[index]], images[second[index]]
        pictures[place] = np.maximum(_moved(left, -(gap // 2)), _moved(right, gap - gap // 2))
    return pictures


def permuted_pixels(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Digits whose pixels are shuffled, in each picture otherwise."""
    chosen = images[rng.integers(0, len(images), count)].reshape(count, -1)
    return rng.permuted(chosen, axis=1).reshape(count, SIDE, SIDE)


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _drawn(
    count: int, rng: np.random.Generator, draw: Callable[[ImageDraw.ImageDraw, int, np.random.Generator], None]
) -> np.ndarray:
    """Pictures of what ``draw`` puts on canvases FINE times as large; it is given the canvas and a running number."""
    pictures = np.empty((count, SIDE, SIDE), np.uint8)
    for index in range(count):
        canvas = Image.new("L", (SIDE * FINE, SIDE * FINE))
        draw(ImageDraw.Draw(canvas), index, rng)
        pictures[index] = np.asarray(canvas.reduce(FINE))
    return pictures


def _shape(canvas: ImageDraw.ImageDraw, index: int, rng: np.random.Generator) -> None:
    """A square, a triangle, a star of five points or a cross, turned, in its place."""
    corners = (4, 3, 10, 0)[index % 4]
    centre = FINE * (SIDE / 2 + rng.uniform(-2, 2, 2))
    radius = FINE * rng.uniform(7, 12)
    width = round(FINE * rng.uniform(1.5, 3.5))
    turn = rng.uniform(0, 2 * np.pi)

    def point(angle: float, distance: float) -> tuple[float, float]:
        return (
            float(centre[0] + distance * np.cos(turn + angle)),
            float(centre[1] + distance * np.sin(turn + angle)),
        )

    if not corners:
        for angle in (0, np.pi / 2):
            canvas.line([point(angle, radius), point(angle + np.pi, radius)], fill=255, width=width)
        return
    outline = [
        point(2 * np.pi * corner / corners, radius * (0.45 if corners == 10 and corner % 2 else 1))
        for corner in range(corners)
    ]
    if index // 4 % 2:
        canvas.polygon(outline, fill=255)
    else:
        canvas.line([*outline, *outline[:2]], fill=255, width=width, joint="curve")


def _heart_or_smiley(index: int, rng: np.random.Generator) -> np.ndarray:
    picture = Image.new("L", (SIDE * FINE, SIDE * FINE))
    canvas = ImageDraw.Draw(picture)
    size, width, lean = SIDE * FINE / 3, round(FINE * rng.uniform(1.5, 3)), rng.uniform(-0.25, 0.25)
    turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])

    def stroke(across: np.ndarray, down: np.ndarray) -> None:
        points = SIDE * FINE / 2 + size * np.stack([across, down], 1) @ turn
        canvas.line([(float(x), float(y)) for x, y in points], fill=255, width=width, joint="curve")

    around = np.linspace(0, 2 * np.pi, 60)
    if index % 2:
        notch = rng.uniform(2.5, 5)
        stroke(
            np.sin(around) ** 3,
            -(13 * np.cos(around) - notch * np.cos(2 * around) - 2 * np.cos(3 * around) - np.cos(4 * around)) / 16,
        )
    else:
        left, right = rng.uniform([0.1, 0.75], [0.25, 0.9])
        mouth = np.linspace(left, right, 20) * np.pi
        depth, apart, eye = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.45), rng.uniform(0.02, 0.1)
        stroke(np.cos(around), np.sin(around))
        stroke(0.6 * np.cos(mouth), 0.05 + depth * np.sin(mouth))
        for side in (-apart, apart):
            stroke(side + eye * np.cos(around), -0.3 + eye * np.sin(around))
    return np.asarray(picture)


def _scribble(canvas: ImageDraw.ImageDraw, index: int, rng: np.random.Generator) -> None:
    points = rng.uniform(2, SIDE - 2, (rng.integers(18, 31), 2)) * FINE
    for _ in range(3):  # cutting the corners (Chaikin 1974) rounds the line
        first, last = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        points = np.stack([first, last], 1).reshape(-1, 2)
    canvas.line([(float(x), float(y)) for x, y in points], fill=255, width=round(FINE * rng.uniform(1.5, 3)))


def _glyph(letter: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    canvas = Image.new("L", (2 * SIDE * FINE, 2 * SIDE * FINE))
    ImageDraw.Draw(canvas).text((SIDE * FINE, SIDE * FINE), letter, fill=255, font=font, anchor="mm")
    return _fitted(np.asarray(canvas))


def _fitted(picture: np.ndarray) -> np.ndarray:
    """The ink of a picture, uint8 [H, W], scaled to fit the box of 20x20 and put in the middle of 28x28."""
    ink = Image.fromarray(picture)
    ink = ink.crop(ink.getbbox())
    scale = BOX / max(ink.size)
    small = ink.resize((max(1, round(ink.width * scale)), max(1, round(ink.height * scale))), Image.Resampling.BOX)
    canvas = Image.new("L", (SIDE, SIDE))
    canvas.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return np.asarray(canvas)


def _close(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two digits, uint8 [28, 28], without the empty columns at their sides but for two on the left one's right."""
    columns = [np.flatnonzero(digit.any(axis=0)) for digit in (left, right)]
    first, second = (digit[:, used.min() : used.max() + 1] for digit, used in zip((left, right), columns, strict=True))
    return np.pad(first, ((0, 0), (0, 2))), second


def _moved(digit: np.ndarray, columns: int) -> np.ndarray:
    """A digit, uint8 [28, 28], moved to the right; what leaves the picture is lost."""
    moved = np.roll(digit, columns, axis=1)
    moved[:, slice(0, columns) if columns > 0 else slice(SIDE + columns, SIDE)] = 0
    return moved
