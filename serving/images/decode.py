"""From the bytes of an image file to its brightness, within the memory budget.

How large an image may be depends on its format, since that decides what decoding it takes (`_limit`).
"""

import io
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from serving.contract import JPEG_PIXELS
from serving.errors import (
    EMPTY_IMAGE,
    IMAGE_TOO_LARGE,
    NOT_AN_IMAGE,
    OTHER_FORMAT,
    TEXT_FOR_IMAGE,
    UNREADABLE_IMAGE,
    ApiError,
)
from serving.images import memory
from serving.images.brightness import to_grey
from serving.images.formats import FORMATS, MAGIC, PNG, name_of, text_of
from serving.images.normalise import normalise

SMALL_BYTES, SMALL_SIDE = 2000, 64  # a PNG up to both takes less time to decode than to hand to a thread
OTHER_PIXELS = 6_000_000
PIXELS = {"PNG": 16_000_000, "WEBP": 4_000_000}  # of a WebP each takes 16 bytes
JPEG_COEFFICIENTS = 30_000_000  # of two bytes each, which the decoder of a JPEG in several scans keeps until its end
WORKING_SIDE = 1024  # a larger image is first made smaller by a whole factor
WORKING_BYTES = 28  # of each pixel of an image that is not larger, whatever its format
TILE_SIDE = 256  # a larger one is converted in tiles of about so many pixels a side

PngImagePlugin.MAX_TEXT_MEMORY = 4_000_000  # bytes of a PNG's texts, once unpacked: Pillow would keep 64 million


def is_small(data: bytes) -> bool:
    """Whether it is a PNG that may as well be decoded at once."""
    if len(data) > SMALL_BYTES or not data.startswith(PNG + b"\0\0\0\rIHDR"):
        return False
    return max(int.from_bytes(data[place : place + 4], "big") for place in (16, 20)) <= SMALL_SIDE


def decode(data: bytes) -> NDArray[np.float32]:
    """The digit in an image file, float32 [28, 28] in 0..255. Raises ApiError as `read` does."""
    return normalise(read(data))


def read(data: bytes) -> NDArray[np.float32]:
    """The brightness of an image file (PNG, JPEG, WebP, BMP, GIF's first frame or TIFF): float32 [height, width] in
    0..255, turned as its EXIF data say, made smaller where it is larger than WORKING_SIDE.

    Raises ApiError: 400 for a damaged file; 413, before it is decoded, for one of more pixels than its format may have;
    415 for bytes that are no such image, which names what they are where that is known.
    """
    if not data:
        raise EMPTY_IMAGE()
    if not data.startswith(MAGIC):
        name, text = name_of(data), text_of(data)
        raise OTHER_FORMAT(name) if name else TEXT_FOR_IMAGE(text) if text else NOT_AN_IMAGE()
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        pixels = _pixels(image)
        kind, limit = _limit(image, data)
        if pixels > limit:
            raise IMAGE_TOO_LARGE(kind, limit)
        with memory.reserve(min(WORKING_BYTES * pixels, memory.BUDGET)):
            image = _loaded(image)  # which lets go of the large one
            return to_grey(image)
    except ApiError:
        raise
    except Image.DecompressionBombError as error:
        raise IMAGE_TOO_LARGE("An image", OTHER_PIXELS) from error
    except Exception as error:  # Pillow raises nearly anything on damaged bytes: OSError, SyntaxError, KeyError, ...
        raise UNREADABLE_IMAGE() from error


def _pixels(image: Image.Image) -> int:
    """How many pixels are unpacked to decode an opened image: a TIFF's tile may have more than are shown of it."""
    shown = image.width * image.height
    if not isinstance(image, TiffImageFile):
        return shown
    width, height = (image.tag_v2.get(tag, 0) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
    return max(shown, int(width * height))


def _limit(image: Image.Image, data: bytes) -> tuple[str, int]:
    """What an opened image, whose file is `data`, is called, and how many pixels it may have."""
    if not isinstance(image, JpegImageFile):
        return f"A {image.format} image", PIXELS.get(image.format or "", OTHER_PIXELS)
    if _in_one_scan(image, data):
        return "A JPEG image", JPEG_PIXELS
    # all coefficients are kept until the end: one a pixel, and fewer of a component that is coarser
    across, down = (max(layer[axis] for layer in image.layer) for axis in (1, 2))
    limit = JPEG_COEFFICIENTS * across * down // sum(layer[1] * layer[2] for layer in image.layer)
    return "A progressive JPEG image with colours of this kind", min(limit, JPEG_PIXELS)


def _in_one_scan(image: JpegImageFile, data: bytes) -> bool:
    """Whether a JPEG file's first scan holds all components from their first bit on, so that none is kept in memory."""
    place = 2
    while data[place : place + 2] != b"\xff\xda":
        if data[place] != 0xFF or not (0xC0 <= data[place + 1] < 0xD0 or 0xDA < data[place + 1] < 0xFF):
            return False
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data[place + 4] == len(image.layer) and "progressive" not in image.info


def _loaded(image: Image.Image) -> Image.Image:
    """Decode an opened image: L, RGB or RGBA, upright, at most WORKING_SIDE a side."""
    shrink = _shrink(image)
    if shrink > 1:  # JPEG can be decoded at a half, a quarter or an eighth; the others ignore it
        image.draft(None, (max(image.width // shrink, 1), max(image.height // shrink, 1)))
    if image.format != "PNG":  # turning takes a copy, and 16 megapixels of a PNG have no room for one
        ImageOps.exif_transpose(image, in_place=True)
    image = _smaller(image)
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _shrink(image: Image.Image) -> int:
    """The whole factor by which an image is made smaller."""
    return math.ceil(max(image.size) / WORKING_SIDE)


def _smaller(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes as L, RGB or RGBA, made smaller where it is larger than WORKING_SIDE.

    It is converted tile by tile: a copy of the whole would take as much again, and `reduce` makes one of RGBA.
    """
    depth = _depth(image) if image.mode.startswith(("I", "F")) else None
    shrink = _shrink(image)
    if shrink == 1:
        return _simple(image, depth)
    reduced: Image.Image | None = None
    for (left, top), tile in _tiles(image):
        small = _simple(tile, depth).reduce(shrink)
        if reduced is None:
            reduced = Image.new(small.mode, (math.ceil(image.width / shrink), math.ceil(image.height / shrink)))
        reduced.paste(small, (left // shrink, top // shrink))
    assert reduced
    reduced.info = image.info
    return reduced


def _tiles(image: Image.Image) -> Iterator[tuple[tuple[int, int], Image.Image]]:
    """The parts of an image, each with its left and its top, which are multiples of what it is made smaller by."""
    shrink = _shrink(image)
    side = shrink * max(TILE_SIDE // shrink, 1)
    for top in range(0, image.height, side):
        for left in range(0, image.width, side):
            box = (left, top, min(left + side, image.width), min(top + side, image.height))
            yield (left, top), image.crop(box)


def _simple(image: Image.Image, depth: tuple[float, float] | None) -> Image.Image:
    """Any mode as L, RGB, or RGBA where something may be transparent. depth: its `_depth`, where that is not 8 bits."""
    if depth:
        image = _to_8_bits(image, *depth)
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)  # converting to the same mode would copy it


def _depth(image: Image.Image) -> tuple[float, float]:
    """Of an image of deeper pixels than 8 bits: the value that is black, and how many of 256 levels one more is.

    As many bits count as are used, 8 or more: sensors put 10, 12 or 14 into 16. Fractions count to 1, unless some are
    larger. Black is 0, or what is least where that is negative.
    """
    least = most = 0.0
    for _, tile in _tiles(image):
        values = np.asarray(tile)
        finite = np.isfinite(values)
        least = min(least, float(values.min(initial=0, where=finite)))
        most = max(most, float(values.max(initial=0, where=finite)))
    if image.mode == "F" and most <= 1:
        return least, 255 / (1 - least)
    return least, 2.0 ** (8 - max(int(most - least).bit_length(), 8))


def _to_8_bits(image: Image.Image, black: float, scale: float) -> Image.Image:
    """An image of deeper pixels in 8 bits, given its `_depth`. What is no number is black."""
    values = (np.asarray(image, np.float32) - np.float32(black)) * np.float32(scale)
    return Image.fromarray(np.nan_to_num(values, copy=False, posinf=255).clip(0, 255).astype(np.uint8))
