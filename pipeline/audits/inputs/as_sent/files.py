"""Files: turned by a note, in print's colours, of few or many bits, as scanners and fax machines write them."""

import numpy as np
from PIL import Image

from pipeline.audits.inputs.as_sent.kind import Digit, kind
from pipeline.audits.inputs.as_sent.light import page
from pipeline.audits.inputs.as_sent.sheet import dark, image, painted, saved, written

ORIENTATION = 0x0112  # EXIF's
STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that was held so stores its picture."""


@kind(
    "turned by its EXIF data", "stored lying or on its head, with EXIF's note: JPEG, PNG, WebP", "JPEG", "PNG", "WEBP"
)
def turned_by_its_exif_data(digit: Digit, strength: str, rng: np.random.Generator) -> bytes:
    orientation = int(rng.choice(list(STORED)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(image(page(digit, rng)).transpose(STORED[orientation]), strength, exif=exif)


@kind("in print's colours", "CMYK: a JPEG, a TIFF, a JPEG of low quality", ("JPEG", 90), ("TIFF", 90), ("JPEG", 30))
def in_prints_colours(digit: Digit, strength: tuple[str, int], rng: np.random.Generator) -> bytes:
    name, quality = strength
    picture = image(page(digit, rng)).convert("RGB").convert("CMYK")
    return saved(picture, name, **({"quality": quality} if name == "JPEG" else {}))


@kind("few bits in 16", "14, 12 or 10 bits of brightness in a PNG of 16", 14, 12, 10)
def few_bits_in_16(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    levels = np.rint(page(digit, rng) / 255 * (2**strength - 1)).astype(np.uint16)
    return saved(Image.fromarray(levels), "PNG", compress_level=1)


@kind("dithered", "black dots for grey: paper of 250, 215 or 180 levels", 250, 215, 180, lenient=True)
def dithered(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    grey = painted(written(digit, rng, side=(90, 180)).ink, rng.uniform(0, 50), strength)
    return saved(image(grey).convert("1"), "PNG")  # Floyd and Steinberg's dots


@kind("fax", "a fax of 70, 130 or 220 pixels a side, in TIFF", 70, 130, 220)
def fax(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    grey = painted(written(digit, rng, side=(round(0.8 * strength), strength)).ink, dark(rng))
    return saved(image(grey).point(lambda level: 255 * (level > 127), "1"), "TIFF", compression="group4")
