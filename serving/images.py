"""From an image file to the 28x28 pixels that the network knows.

MNIST's convention (LeCun et al. 1998, Proceedings of the IEEE 86): bright ink on a dark ground, the ink's bounding box
scaled to fit 20x20 with its aspect kept, and its centre of mass put on pixel (14, 14) of 28x28.
"""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from serving.errors import ApiError
from serving.recogniser import BLANK_CONTRAST, SIDE

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")
MAX_IMAGE_PIXELS = 25_000_000
WORKING_SIDE = 1024  # a larger image is first made smaller by a whole factor
BOX = 20
CENTRE = 14  # the pixel, counted from 0, on which MNIST's images have their centre of mass (mean 13.99, deviation 0.29)
INK = 0.2  # share of the strongest ink above which a pixel counts as ink for the bounding box
SOLID = 128  # alpha from which a pixel shows its own colour


def decode(data: bytes) -> NDArray[np.float32]:
    """The digit in an image file (PNG, JPEG, WebP, BMP, GIF's first frame or TIFF), float32 [28, 28] in 0..255.

    Raises ApiError: 400 for a damaged file, 413 for one of more than 25 megapixels (known before decoding), 415 for
    bytes that are no such image.
    """
    if not data:
        raise ApiError(400, "empty_image", "The image is empty.")
    if not data.startswith(MAGIC):
        raise ApiError(415, "unsupported_media_type", "This is no image: send PNG, JPEG, WebP, BMP, GIF or TIFF.")
    try:
        grey = _read(data)
    except ApiError:
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged bytes: OSError, SyntaxError, KeyError, ...
        raise ApiError(400, "unreadable_image", "The image is damaged or incomplete.") from error
    return normalise(grey)


def _read(data: bytes) -> NDArray[np.float32]:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise _too_many_pixels()
    ImageOps.exif_transpose(image, in_place=True)
    return to_grey(image)


def _too_many_pixels() -> ApiError:
    return ApiError(413, "image_too_large", f"The image has more than {MAX_IMAGE_PIXELS:,} pixels.")


def to_grey(image: Image.Image) -> NDArray[np.float32]:
    """Any of Pillow's modes as brightness, float32 [height, width] in 0..255.

    What is transparent takes the colour of the paper: the middle one of the visible pixels, or, where these are all of
    one brightness (ink alone), the opposite of it.
    """
    if image.mode.startswith(("I", "F")):
        image = _to_8_bits(image)
    transparent = image.has_transparency_data
    mode = "RGBA" if transparent else "L" if image.mode in ("1", "L") else "RGB"
    if image.mode != mode:  # converting to the same mode would copy it
        image = image.convert(mode)
    shrink = math.ceil(max(image.size) / WORKING_SIDE)
    if shrink > 1:
        image = image.reduce(shrink)
    grey = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
    if not transparent:
        return grey
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)
    visible = grey[alpha >= SOLID] if (alpha >= SOLID).any() else grey[alpha > 0]
    if not visible.size:
        return np.zeros_like(grey)
    paper = float(np.median(visible))
    if np.ptp(visible) < 2 * BLANK_CONTRAST:
        paper = 255.0 if paper < 128 else 0.0
    return (paper + (grey - paper) * (alpha / 255)).astype(np.float32)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """An image of deeper pixels in 8 bits: whole numbers count to 65535, fractions to 1 or to 255."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values) * np.float32(255 if np.nanmax(values) <= 1 else 1)
    else:
        values = values >> 8
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def normalise(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring brightness, float32 [height, width] in 0..255, to MNIST's convention, float32 [28, 28] in 0..255.

    A 28x28 image is taken to be in that convention already, but for its polarity, and passes otherwise unchanged.
    Where there is no ink the result is all zero.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    dark_ink = paper - grey.min() > grey.max() - paper
    if grey.shape == (SIDE, SIDE):
        return 255 - grey if dark_ink else grey
    ink = np.clip(paper - grey if dark_ink else grey - paper, 0, None)
    if ink.max() < BLANK_CONTRAST:
        return np.zeros((SIDE, SIDE), np.float32)
    rows, columns = np.nonzero(ink > INK * ink.max())
    return _centre(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def _centre(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the cropped ink to fit 20x20 and put its centre of mass on its place in 28x28."""
    height, width = ink.shape
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
    small = small / small.max() * 255  # in this order nothing exceeds 255
    total = small.sum()
    top = round(CENTRE - float(np.arange(size[1]) @ small.sum(axis=1) / total))
    left = round(CENTRE - float(np.arange(size[0]) @ small.sum(axis=0) / total))
    top = min(max(top, 0), SIDE - size[1])
    left = min(max(left, 0), SIDE - size[0])
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
