"""Colours that look alike in grey, and pictures of which a part is transparent."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from pipeline.audits.inputs.as_sent.kind import Digit, kind
from pipeline.audits.inputs.as_sent.light import directions
from pipeline.audits.inputs.as_sent.sheet import WHITE, Ink, Pixels, coloured, image, jpeg, png, saved, written

BRIGHTNESS = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue in grey, as ITU-R 601 has it."""
Colour = tuple[float, float, float]


def with_green(red: float, blue: float, brightness: float) -> Colour:
    """The colour of so much red and blue whose green gives it a brightness."""
    green = (brightness - BRIGHTNESS[0] * red - BRIGHTNESS[2] * blue) / BRIGHTNESS[1]
    return red, float(np.clip(green, 0, 255)), blue


def brightness(colour: Colour) -> float:
    return float(BRIGHTNESS @ np.array(colour))


def off(rng: np.random.Generator, by: float) -> float:
    """A difference of brightness of either sign."""
    return by * float(rng.choice([-1, 1]))


@kind("yellow on white", "ink of a dark, plain or light yellow on white", 20, 80, 130)
def yellow_on_white(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    yellow = (rng.uniform(245, 255), rng.uniform(200, 210) + strength / 4, strength)
    return png(coloured(written(digit, rng).ink, yellow))


@kind("red on green", "red on a green that in grey differs by 16, 6 or 0 levels", 16, 6, 0)
def red_on_green(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    red = (rng.uniform(215, 245), rng.uniform(20, 60), rng.uniform(20, 60))
    green = with_green(rng.uniform(10, 60), rng.uniform(10, 60), brightness(red) + off(rng, strength))
    return png(coloured(written(digit, rng).ink, red, green))


@kind("orange on blue", "orange on a blue that in grey differs by 16, 6 or 0 levels", 16, 6, 0)
def orange_on_blue(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    orange = (rng.uniform(235, 255), rng.uniform(120, 150), rng.uniform(0, 40))
    blue = with_green(rng.uniform(50, 90), rng.uniform(225, 255), brightness(orange) + off(rng, strength))
    return png(coloured(written(digit, rng).ink, orange, blue))


def any_colour(rng: np.random.Generator, grey: float) -> Colour:
    """A colour of any hue, brought to a brightness."""
    red, green, blue = (255 * part for part in colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.7, 1), 1))
    own = brightness((red, green, blue))
    towards, share = (0.0, grey / own) if grey < own else (WHITE, (WHITE - grey) / (WHITE - own))
    mixed = [towards + (part - towards) * share for part in (red, green, blue)]
    return mixed[0], mixed[1], mixed[2]


@kind("coloured ink", "ink of any colour on white, as dark as grey 60, 110 or 160", 60, 110, 160)
def coloured_ink(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    return jpeg(coloured(written(digit, rng).ink, any_colour(rng, strength)))


@kind("coloured paper", "dark ink on paper of any colour, as light as grey 220, 180 or 140", 220, 180, 140)
def coloured_paper(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    ink = any_colour(rng, rng.uniform(10, 40))
    return jpeg(coloured(written(digit, rng).ink, ink, any_colour(rng, strength)))


def transparent(colours: Pixels, alpha: Ink) -> bytes:
    """A PNG of colours, [H, W, 3], and of what is seen of them, [H, W] in 0..1."""
    return png(np.dstack([colours, 255 * alpha]))


def full(ink: Ink, colour: Colour) -> Pixels:
    """One colour over a whole sheet: float32 [H, W, 3]."""
    return np.broadcast_to(np.array(colour, np.float32), (*ink.shape, 3)).copy()


def ink_colour(rng: np.random.Generator) -> Colour:
    """Black, or dark of any hue."""
    return (0.0, 0.0, 0.0) if rng.random() < 0.5 else any_colour(rng, rng.uniform(20, 60))


@kind("ink on nothing", "black, coloured or white ink on transparency", "black", "coloured", "white")
def ink_on_nothing(digit: Digit, strength: str, rng: np.random.Generator) -> bytes:
    ink = written(digit, rng).ink
    grey = {"black": 0, "coloured": rng.uniform(40, 140), "white": WHITE}[strength]
    return transparent(full(ink, any_colour(rng, grey)), ink)


@kind("two inks on nothing", "two inks on transparency, the second for 30, 50 or 70 % of the digit", 0.3, 0.5, 0.7)
def two_inks_on_nothing(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng)
    top, left, bottom, right = sheet.box
    along = directions((bottom - top, right - left), rng)
    colours = full(sheet.ink, any_colour(rng, rng.uniform(0, 60)))
    inside = colours[top:bottom, left:right]
    inside[along <= np.quantile(along[sheet.ink[top:bottom, left:right] > 0], strength)] = any_colour(
        rng, rng.uniform(110, 200)
    )
    return transparent(colours, sheet.ink)


def around(ink: Ink) -> Ink:
    """How far each pixel is from the ink, in pixels."""
    return np.asarray(ndimage.distance_transform_edt(ink < 0.5), np.float32)


@kind("white rim", "a sticker with a white rim 4, 8 or 14 % of its height wide, on nothing", 0.04, 0.08, 0.14)
def white_rim(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.16, share=(0.4, 0.6))
    rim = (strength * sheet.height - around(sheet.ink) + 0.5).clip(0, 1)
    return transparent(coloured(sheet.ink, ink_colour(rng)), np.maximum(rim, sheet.ink))


@kind("white halo", "ink on nothing with a soft white halo 3, 6 or 10 % of its height wide", 0.03, 0.06, 0.1)
def white_halo(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.16, share=(0.4, 0.6))
    halo = rng.uniform(0.6, 0.9) * (1 - around(sheet.ink) / (1 + 2 * strength * sheet.height)).clip(0, 1)
    return transparent(coloured(sheet.ink, ink_colour(rng)), np.maximum(halo, sheet.ink))


@kind("white eraser", "ink on nothing, with 1, 3 or 6 strokes of a white eraser beside it", 1, 3, 6)
def white_eraser(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.14, share=(0.4, 0.6))
    colours = coloured(sheet.ink, ink_colour(rng))
    height, width = sheet.ink.shape
    rubbed = Image.new("L", (width, height))
    brush = ImageDraw.Draw(rubbed)
    for _ in range(strength):
        along = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(3)]
        brush.line(along, fill=255, width=round(rng.uniform(0.06, 0.12) * min(height, width)), joint="curve")
    return transparent(colours, np.maximum(np.asarray(rubbed, np.float32) / 255, sheet.ink))


@kind("cut out of a photograph", "paper cut out around the digit, by 25, 14 or 7 % of its height", 0.25, 0.14, 0.07)
def cut_out_of_a_photograph(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    sheet = written(digit, rng, margin=0.2, share=(0.4, 0.6))
    shade = 0.94 - 0.06 * directions(sheet.ink.shape, rng) + 0.01 * rng.standard_normal(sheet.ink.shape, np.float32)
    paper = (rng.uniform(215, 245), rng.uniform(210, 240), rng.uniform(195, 235))
    colours = coloured(sheet.ink, any_colour(rng, rng.uniform(20, 60)), paper) * shade[..., None]
    wobble = Image.fromarray(rng.uniform(0.7, 1.3, (8, 8)).astype(np.float32)).resize(
        sheet.ink.shape[::-1], Image.Resampling.BICUBIC
    )
    reach = strength * sheet.height * np.asarray(wobble)
    return transparent(colours, (reach - around(sheet.ink) + 0.5).clip(0, 1))


@kind("palette with a transparent colour", "a PNG of 64, 16 or 4 colours, the paper transparent", 64, 16, 4)
def palette(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    picture = image(coloured(written(digit, rng).ink, ink_colour(rng))).quantize(strength, Image.Quantize.MEDIANCUT)
    return saved(picture, "PNG", transparency=picture.getpixel((0, 0)))
