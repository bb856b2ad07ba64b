"""Photographs: light and shadow, blur, noise, paper held askew, and what JPEG makes of them."""

import numpy as np
from PIL import Image
from scipy import ndimage

from pipeline.audits.inputs.as_sent.kind import Digit, kind
from pipeline.audits.inputs.as_sent.sheet import Pixels, dark, jpeg, painted, png, written

PHOTO = (100, 160)
"""Sides of photographs, which people send larger still: they are kept small for the audit's speed."""


def directions(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How far each pixel lies along a direction drawn at random, float32 of ``shape`` in -1..1."""
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    along = np.sin(angle) * down + np.cos(angle) * across
    return np.asarray(along / np.abs(along).max(), np.float32)


def taken(grey: Pixels, rng: np.random.Generator, noise: float = 2.0, quality: int = 85) -> bytes:
    """What a camera makes of it."""
    return jpeg(grey + noise * rng.standard_normal(grey.shape, np.float32), quality)


def page(digit: Digit, rng: np.random.Generator) -> Pixels:
    """A digit on paper that a camera sees as less than white."""
    return painted(written(digit, rng, side=PHOTO).ink, rng.uniform(10, 80), rng.uniform(205, 245))


@kind("light falling off", "corners 85, 70 or 55 % as bright as the middle", 0.85, 0.7, 0.55)
def light_falling_off(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    grey = page(digit, rng)
    down, across = np.ogrid[-1 : 1 : grey.shape[0] * 1j, -1 : 1 : grey.shape[1] * 1j]
    return taken(grey * (1 - (1 - strength) * (down**2 + across**2) / 2), rng)


@kind("light from one side", "the far side 80, 60 or 40 % as bright as the near", 0.8, 0.6, 0.4)
def light_from_one_side(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    grey = page(digit, rng)
    return taken(grey * (1 - (1 - strength) * (directions(grey.shape, rng) + 1) / 2), rng)


def shadowed(grey: Pixels, depth: float, softness: float, rng: np.random.Generator) -> Pixels:
    """A shadow over a part of it, whose edge takes a share of the picture."""
    into = (directions(grey.shape, rng) - rng.uniform(-0.4, 0.4)) / softness + 0.5
    return np.asarray(grey * (1 - (1 - depth) * into.clip(0, 1)), np.float32)


@kind("soft shadow", "a soft shadow across it, 80, 65 or 50 % as bright", 0.8, 0.65, 0.5)
def soft_shadow(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    return taken(shadowed(page(digit, rng), strength, rng.uniform(0.5, 0.9), rng), rng)


@kind("hard shadow", "a hard shadow across it, 75, 60 or 45 % as bright", 0.75, 0.6, 0.45, lenient=True)
def hard_shadow(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    return taken(shadowed(page(digit, rng), strength, 0.02, rng), rng)


@kind("note on a table", "a note that takes 85, 70 or 55 % of a photograph of a table", 0.85, 0.7, 0.55, lenient=True)
def note_on_a_table(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    note = Image.fromarray(page(digit, rng))
    width, height = (round(side / strength) for side in note.size)
    table = Image.fromarray(
        rng.uniform(50, 150) + np.float32(8) * rng.standard_normal((height, width // 8), np.float32)
    )
    table = table.resize((width, height), Image.Resampling.BILINEAR)
    angle = rng.uniform(-12, 12)
    shape = Image.new("L", note.size, 255).rotate(angle, Image.Resampling.BILINEAR, expand=True)
    note = note.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    table.paste(note, ((width - note.width) // 2, (height - note.height) // 2), shape)
    return taken(np.asarray(table), rng)


@kind("out of focus", "blurred by 2, 4 or 6 % of the digit's height", 0.02, 0.04, 0.06)
def out_of_focus(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, side=PHOTO)
    grey = painted(sheet.ink, rng.uniform(10, 80), rng.uniform(205, 245))
    return taken(ndimage.gaussian_filter(grey, strength * sheet.height), rng)


@kind("JPEG of low quality", "saved as JPEG of quality 30, 15 or 8", 30, 15, 8)
def jpeg_of_low_quality(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    return taken(page(digit, rng), rng, quality=strength)


@kind("taken in the dark", "a photograph with noise of 8, 14 or 20 grey levels", 8, 14, 20)
def taken_in_the_dark(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    return taken(0.75 * page(digit, rng), rng, noise=strength)


@kind("turned", "turned by up to 8, 14 or 20 degrees", 8, 14, 20)
def turned(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    paper = rng.uniform(205, 255)
    sheet = written(digit, rng, margin=0.15, share=(0.4, 0.6), side=PHOTO)
    picture = Image.fromarray(painted(sheet.ink, dark(rng), paper))
    angle = rng.uniform(0.5, 1) * strength * rng.choice([-1, 1])
    return jpeg(np.asarray(picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)))


@kind("seen from the side", "corners displaced by up to 6, 12 or 18 % of the side", 0.06, 0.12, 0.18)
def seen_from_the_side(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    paper = rng.uniform(205, 255)
    sheet = written(digit, rng, margin=0.18, share=(0.4, 0.55), side=PHOTO)
    height, width = sheet.ink.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    seen = corners + rng.uniform(-strength, strength, (4, 2)) * min(height, width) / 2
    rows = [
        row
        for (x, y), (u, v) in zip(seen, corners, strict=True)
        for row in ([x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y])
    ]
    plane = np.linalg.solve(np.array(rows), corners.ravel())
    picture = Image.fromarray(painted(sheet.ink, dark(rng), paper))
    how = Image.Transform.PERSPECTIVE
    return jpeg(
        np.asarray(picture.transform((width, height), how, tuple(plane), Image.Resampling.BICUBIC, fillcolor=paper))
    )


@kind("large photograph", "a photograph of up to 250, 350 or 500 pixels a side", 250, 350, 500)
def large_photograph(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, share=(0.25, 0.6), side=(round(0.7 * strength), strength))
    grey = painted(sheet.ink, rng.uniform(10, 80), rng.uniform(205, 245))
    return taken(grey * (1 - 0.06 * (directions(grey.shape, rng) + 1)), rng)


@kind("pencil", "a grainy pencil, 130, 90 or 60 grey levels darker than the paper", 130, 90, 60)
def pencil(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    grain = ndimage.uniform_filter(rng.standard_normal(sheet.ink.shape, np.float32), 2) * 1.4
    paper = rng.uniform(235, 255)
    return png(painted(sheet.ink * (0.85 + 0.35 * grain).clip(0, 1), paper - strength, paper).astype(np.float32))


@kind("chalk", "chalk on a board, that covers 95, 88 or 80 % of its stroke", 0.95, 0.88, 0.8)
def chalk(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    grain = ndimage.gaussian_filter(rng.standard_normal(sheet.ink.shape, np.float32), 1)
    covered = np.quantile(grain, 1 - strength)
    board = rng.uniform(30, 70) + 20 * ndimage.uniform_filter(grain, 5)
    return png(painted(sheet.ink * ((grain - covered) * 5 + 0.5).clip(0, 1), rng.uniform(200, 245), board))
