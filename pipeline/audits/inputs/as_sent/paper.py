"""What is on the paper beside the digit: frames, rules, bars, specks."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.audits.inputs.as_sent.kind import Digit, kind
from pipeline.audits.inputs.as_sent.sheet import Sheet, dark, light, painted, png, written

FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSerif.ttf"
PRINT = "The quick brown fox jumps over a lazy dog, and every page has print on its back. "


def frame(shape: tuple[int, int], inset: int, width: int) -> np.ndarray:
    """A frame so far from the edge and so wide, in pixels: bool of ``shape``."""
    inside = np.zeros(shape, bool)
    outer, inner = slice(inset, -inset or None), slice(inset + width, -(inset + width))
    inside[outer, outer] = True
    inside[inner, inner] = False
    return inside


def pixels(share: float, sheet: Sheet) -> int:
    """A share of a sheet's shorter side, in whole pixels."""
    return max(1, round(share * min(sheet.ink.shape)))


@kind("frame at the edge", "a black frame around the picture, 1, 3 or 6 % of its side wide", 0.01, 0.03, 0.06)
def frame_at_the_edge(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.13)
    grey = painted(sheet.ink, dark(rng), light(rng))
    grey[frame(grey.shape, 0, pixels(strength, sheet))] = rng.uniform(0, 40)
    return png(grey)


@kind("frame on the paper", "a box drawn around the digit, of lines 1, 2 or 4 % of the side wide", 0.01, 0.02, 0.04)
def frame_on_the_paper(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.2, share=(0.4, 0.55))
    pen = dark(rng)
    grey = painted(sheet.ink, pen, light(rng))
    grey[frame(grey.shape, pixels(rng.uniform(0.03, 0.09), sheet), pixels(strength, sheet))] = pen
    return png(grey)


@kind("border of one pixel", "a border of one pixel, light grey, grey or dark", 215, 170, 100)
def border_of_one_pixel(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    grey = painted(written(digit, rng).ink, dark(rng))
    grey[frame(grey.shape, 0, 1)] = strength
    return png(grey)


def rules(length: int, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Where lines at even distances lie along one side: bool [length]."""
    places = np.arange(rng.uniform(0, spacing), length, spacing).astype(int)
    found = np.zeros(length, bool)
    found[places] = True
    if rng.random() < 0.5:
        found[np.minimum(places + 1, length - 1)] = True
    return found


@kind("ruled paper", "lines across the paper, faint, plain or dark", 40, 80, 130)
def ruled_paper(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    paper = np.full(sheet.ink.shape, light(rng), np.float32)
    paper[rules(len(paper), rng.uniform(0.14, 0.3) * len(paper), rng)] -= strength
    return png(painted(sheet.ink, dark(rng), paper))


@kind("squared paper", "squares on the paper, faint, plain or dark", 30, 60, 100)
def squared_paper(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    height, width = sheet.ink.shape
    spacing = rng.uniform(0.12, 0.25) * min(height, width)
    lines = rules(height, spacing, rng)[:, None] | rules(width, spacing, rng)
    return png(painted(sheet.ink, dark(rng), light(rng) - strength * lines.astype(np.float32)))


@kind("underlined", "a line under the digit, 1.3, 2 or 3 times as wide as it", 1.3, 2.0, 3.0)
def underlined(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.15, share=(0.35, 0.55))
    _, left, bottom, right = sheet.box
    middle, half = (left + right) / 2, strength * max(right - left, 0.5 * sheet.height) / 2
    line = round(bottom + sheet.height * rng.uniform(0.12, 0.25))
    ink = sheet.ink.copy()
    thickness = max(1, round(sheet.height * rng.uniform(0.03, 0.08)))
    ink[line : line + thickness, max(0, round(middle - half)) : round(middle + half)] = 1
    return png(painted(ink, dark(rng), light(rng)))


@kind("line to the edge", "one, two or three lines from edge to edge beside the digit", 1, 2, 3)
def line_to_the_edge(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.2, share=(0.4, 0.55))
    height, width = sheet.ink.shape
    pen, paper = dark(rng), light(rng)
    picture = Image.fromarray(painted(sheet.ink, pen, paper))
    brush = ImageDraw.Draw(picture)
    top, left, bottom, right = sheet.box
    thickness = pixels(rng.uniform(0.01, 0.025), sheet)
    beside = [(0, top), (0, left), (bottom, height), (right, width)]
    for side in rng.permutation(4)[:strength]:
        low, high = beside[side]
        start, end = rng.uniform(low + 0.15 * (high - low), low + 0.8 * (high - low), 2)
        if side % 2:
            brush.line([(start, -2), (end, height + 2)], fill=pen, width=thickness)
        else:
            brush.line([(-2, start), (width + 2, end)], fill=pen, width=thickness)
    return png(np.asarray(picture))


@kind("black bars", "black bars on two sides, 6, 12 or 20 % of the picture each", 0.06, 0.12, 0.2)
def black_bars(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    grey = painted(sheet.ink, dark(rng), light(rng))
    along = int(rng.integers(2))
    bar = round(strength * grey.shape[along] / (1 - 2 * strength))
    return png(np.pad(grey, [(bar, bar) if axis == along else (0, 0) for axis in (0, 1)]))


@kind("specks", "1, 6 or 20 specks on the paper", 1, 6, 20)
def specks(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    (height, width), (top, left, bottom, right) = sheet.ink.shape, sheet.box
    picture = Image.fromarray(painted(sheet.ink, dark(rng), light(rng)))
    brush = ImageDraw.Draw(picture)
    drawn = 0
    while drawn < strength:
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), sheet.height * rng.uniform(0.006, 0.025)
        near = 2 * radius + 2
        if left - near < x < right + near and top - near < y < bottom + near:
            continue
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dark(rng))
        drawn += 1
    return png(np.asarray(picture))


@cache
def printed(size: int) -> np.ndarray:
    """A page of words in letters ``size`` pixels high, mirrored: float32 [300, 300] in 0..1."""
    page = Image.new("L", (300, 300))
    brush = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(FONT), size)
    for number, line in enumerate(range(0, page.height, round(1.5 * size))):
        brush.text((-size * number, line), PRINT * 3, fill=255, font=font)
    return np.asarray(page, np.float32)[:, ::-1] / 255


@kind("print showing through", "mirrored print from the other side, by 15, 30 or 50 grey levels", 15, 30, 50)
def print_showing_through(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    height, width = sheet.ink.shape
    page = printed(round(rng.uniform(0.07, 0.11) * min(height, width)))
    down, across = (int(rng.integers(0, room - side)) for room, side in zip(page.shape, (height, width), strict=True))
    through = page[down : down + height, across : across + width]
    return png(painted(sheet.ink, dark(rng), light(rng) - strength * through))
