"""What people draw or send that is no digit: letters and symbols of many fonts, things, pieces of photographs.

No font and no drawing here is one of the audit's.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path as File

import matplotlib
import numpy as np
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.drawing.forms import Stroke, arc, bent, straight
from pipeline.drawing.pens import SIDE, Path, line

FONTS = {
    name: File(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    for name in ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10", "cmb10", "cmti10")
}
LETTERS = "ABCEFHKLMNPRTUVWXacdefhkmnprtuvwx"
"""Those that nobody takes for a digit."""
SYMBOLS = "#$%&*+=?@<>^ΓΔΛΠΣΨΩλμπψω♠♡♢♣★∑√∃∀←→♯♮"
"""In STIX's fonts alone."""
SCRIPT = [chr(code) for code in (*range(0x1D4D0, 0x1D504), *range(0x1D504, 0x1D538))]
NOT_SCRIPT = {"O", "o", "I", "l", "i", "j", "Z", "z", "S", "s", "Y", "y", "G", "g", "q", "b", "Q", "D", "B", "J", "T"}
PHOTOGRAPHS = ("camera", "astronaut", "chelsea", "coffee", "rocket", "brick", "grass", "gravel", "coins")


@cache
def font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS[name], 88)


def glyph(rng: np.random.Generator) -> NDArray[np.bool_]:
    """A letter or a symbol as its font has it: bool [SIDE, SIDE]."""
    kind = rng.random()
    name = str(rng.choice(list(FONTS)))
    if kind < 0.7:
        text = str(rng.choice(list(LETTERS)))
    elif kind < 0.85:
        name, text = str(rng.choice(["STIXGeneral", "STIXGeneralBol"])), str(rng.choice(list(SYMBOLS)))
    else:
        name, text = "STIXGeneral", str(rng.choice(scripts()))
    canvas = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(canvas).text((SIDE / 2, SIDE / 2), text, fill=255, font=font(name), anchor="mm")
    return np.asarray(canvas) >= 128


@cache
def scripts() -> list[str]:
    """Letters of a script and of a black letter, but those that are like digits."""
    plain = {char: chr((65 if place % 52 < 26 else 71) + place % 52) for place, char in enumerate(SCRIPT)}
    return [char for char, letter in plain.items() if letter not in NOT_SCRIPT]


def heart(rng: np.random.Generator) -> list[Stroke]:
    """In one curve a side, or with round lobes over a point."""
    dip, wide, high = rng.uniform(0.15, 0.35), rng.uniform(0.1, 0.5), rng.uniform(-0.3, -0.1)
    if rng.random() < 0.5:
        left = bent((0.5, dip), (0.35, high), (-wide, high + 0.1), (0.05, 0.65), (0.5, 1))
    else:
        side = bent((0, dip), (rng.uniform(-0.1, 0.15), rng.uniform(0.4, 0.8)), (0.5, 1))
        left = np.concatenate([arc(0.25, dip, 0.25, dip, 0, -0.5), side])
    return [left, [1, 0] + left * [-1, 1]]


def smiley(rng: np.random.Generator) -> list[Stroke]:
    x, y, size = rng.uniform(0.15, 0.22), rng.uniform(0.3, 0.4), rng.uniform(0.02, 0.06)
    eyes = [arc(0.5 + side * x, y, size, size * rng.uniform(1, 2), 0, 1) for side in (-1, 1)]
    curve = rng.choice([-1, 1], p=[0.25, 0.75]) * rng.uniform(0.05, 0.25)
    mouth = bent((0.28, 0.68), (0.5, 0.68 + 2 * curve), (0.72, 0.68))
    return [arc(0.5, 0.5, rng.uniform(0.42, 0.5), 0.5, 0, 1), *eyes, mouth]


def star(rng: np.random.Generator) -> list[Stroke]:
    points = int(rng.integers(4, 8))
    angle = np.pi * np.arange(2 * points + 1) / points - np.pi / 2
    if rng.random() < 0.4 and points % 2:  # in one line
        angle = 2 * np.pi * (points // 2) * np.arange(points + 1) / points - np.pi / 2
        return [0.5 + 0.5 * np.stack([np.cos(angle), np.sin(angle)], 1)]
    radius = np.where(np.arange(len(angle)) % 2, 0.5 * rng.uniform(0.3, 0.6), 0.5)
    return [0.5 + np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)]


def house(rng: np.random.Generator) -> list[Stroke]:
    eaves, x = rng.uniform(0.3, 0.5), rng.uniform(0.35, 0.55)
    box = straight((0.1, eaves), (0.9, eaves), (0.9, 1), (0.1, 1), (0.1, eaves), (0.5, 0), (0.9, eaves))
    return [box, straight((x, 1), (x, 0.7), (x + 0.15, 0.7), (x + 0.15, 1))]


def arrow(rng: np.random.Generator) -> list[Stroke]:
    head = rng.uniform(0.15, 0.35)
    shape = np.concatenate(
        [straight((0, 0.5), (1, 0.5)), straight((1 - head, 0.5 - head), (1, 0.5), (1 - head, 0.5 + head))]
    )
    angle = rng.choice([0, np.pi / 4, -np.pi / 4, np.pi, np.pi * 3 / 4])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (shape - 0.5) @ turn + 0.5
    return [turned[:2], turned[2:]]


def tick(rng: np.random.Generator) -> list[Stroke]:
    low = rng.uniform(0.2, 0.45)
    return [straight((0, rng.uniform(0.5, 0.75)), (low, 1), (1, rng.uniform(0, 0.25)))]


def man(rng: np.random.Generator) -> list[Stroke]:
    head, hip = rng.uniform(0.12, 0.18), rng.uniform(0.6, 0.7)
    hands = rng.uniform(0.25, 0.55)
    return [
        arc(0.5, head, head, head, 0, 1),
        straight((0.5, 2 * head), (0.5, hip)),
        straight((0.15, hands), (0.5, 0.42), (0.85, hands)),
        straight((0.2, 1), (0.5, hip), (0.8, 1)),
    ]


def sun(rng: np.random.Generator) -> list[Stroke]:
    rays, size = int(rng.integers(6, 12)), rng.uniform(0.18, 0.3)
    angle = 2 * np.pi * np.arange(rays) / rays + rng.uniform(0, 1)
    way = np.stack([np.cos(angle), np.sin(angle)], 1)
    return [arc(0.5, 0.5, size, size, 0, 1), *(np.stack([0.5 + (size + 0.06) * one, 0.5 + 0.5 * one]) for one in way)]


def fish(rng: np.random.Generator) -> list[Stroke]:
    fat = rng.uniform(0.3, 0.6)
    back = bent((0, 0.5), (0.4, 0.5 - fat), (1, 0.75))
    return [back, [0, 1] + back * [1, -1]]


def spiral(rng: np.random.Generator) -> list[Stroke]:
    turns = rng.uniform(2, 4)
    time = np.linspace(0, 1, 90)[:, None]
    angle = 2 * np.pi * turns * time * rng.choice([-1, 1]) + rng.uniform(0, 6)
    return [0.5 + 0.5 * time * np.hstack([np.cos(angle), np.sin(angle)])]


def zigzag(rng: np.random.Generator) -> list[Stroke]:
    count = int(rng.integers(5, 10))
    down = np.linspace(0, 1, count)
    across = np.where(np.arange(count) % 2, rng.uniform(0.6, 1), rng.uniform(0, 0.4))
    stroke = np.stack([across, down], 1)
    return [stroke if rng.random() < 0.5 else stroke[:, ::-1]]


def flower(rng: np.random.Generator) -> list[Stroke]:
    petals, size = int(rng.integers(4, 7)), rng.uniform(0.1, 0.16)
    angle = 2 * np.pi * np.arange(petals) / petals
    rings = [arc(0.5 + 0.22 * np.cos(one), 0.3 + 0.22 * np.sin(one), size, size, 0, 1) for one in angle]
    return [arc(0.5, 0.3, 0.1, 0.1, 0, 1), *rings, straight((0.5, 0.55), (0.5, 1))]


def grid(rng: np.random.Generator) -> list[Stroke]:
    across, down = rng.integers(2, 4, 2)
    upright = [straight((x, 0), (x, 1)) for x in np.linspace(0.1, 0.9, across + 1)]
    return [*upright, *(straight((0, y), (1, y)) for y in np.linspace(0.1, 0.9, down + 1))]


def box(rng: np.random.Generator) -> list[Stroke]:
    low, high = rng.uniform(0, 0.3, 2)
    frame = straight((low, high), (1 - low, high), (1 - low, 1 - high), (low, 1 - high), (low, high))
    inside = straight((low, high), (1 - low, 1 - high)), straight((1 - low, high), (low, 1 - high))
    return [frame, *inside[: int(rng.integers(0, 3))]]


def words(rng: np.random.Generator) -> list[Stroke]:
    """A waved line, as writing looks from afar."""
    time = np.linspace(0, 1, 80)
    waves = rng.uniform(3, 7)
    y = 0.5 + rng.uniform(0.1, 0.3) * np.sin(2 * np.pi * waves * time + rng.uniform(-0.5, 0.5, 80))
    return [np.stack([time + 0.08 * np.cos(2 * np.pi * waves * time), y], 1)]


THINGS: tuple[Callable[[np.random.Generator], list[Stroke]], ...] = (
    *(heart, heart, heart, smiley, smiley, smiley, star, house, arrow, tick, man, sun, fish, spiral, zigzag),
    *(flower, grid, box, words),
)


def thing(rng: np.random.Generator) -> Path:
    """The path of a thing, as people draw it, a little askew."""
    strokes = THINGS[rng.integers(len(THINGS))](rng)
    angle, lean, flat = rng.normal(0, 0.15), rng.normal(0, 0.1), np.exp(rng.uniform(-0.5, 0.4))
    map_ = np.array([[np.cos(angle), np.sin(angle) + lean], [-np.sin(angle), np.cos(angle)]]) @ np.diag(
        [min(flat, 1), min(1 / flat, 1)]
    )
    bend, phase = rng.normal(0, 0.02, 2), rng.uniform(0, 6, 2)
    shaky = [stroke + bend * np.sin(5 * stroke[:, ::-1] + phase) for stroke in strokes]
    return line(*((stroke - 0.5) @ map_.T + 0.5 for stroke in shaky))


def photograph(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A piece of a photograph, bright or dark: uint8 [28, 28]."""
    whole = photographs()[rng.integers(len(photographs()))]
    side = int(rng.integers(28, min(whole.shape)))
    top, left = (int(rng.integers(0, length - side + 1)) for length in whole.shape)
    piece = whole[top : top + side, left : left + side]
    small = np.asarray(Image.fromarray(piece).resize((28, 28), Image.Resampling.BOX), np.float32)
    low, high = np.quantile(small, [0.02, 0.98])
    spread = np.clip((small - low) / max(high - low, 1) * 255, 0, 255)
    return np.asarray(np.rint(255 - spread if rng.random() < 0.5 else spread), np.uint8)


@cache
def photographs() -> list[NDArray[np.uint8]]:
    """Brightness, uint8 [H, W], of the photographs inside scikit-image and scikit-learn."""
    own = [Image.fromarray(getattr(skimage.data, name)()) for name in PHOTOGRAPHS]
    theirs = [Image.fromarray(image) for image in sklearn.datasets.load_sample_images().images]
    return [np.asarray(image.convert("L")) for image in (*own, *theirs)]
