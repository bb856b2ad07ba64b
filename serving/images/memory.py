"""How much memory reading an image takes, told before it is decoded; and no more than so much for all at once."""

import ctypes
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import ExifTags, Image, TiffImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

BUDGET = 68_000_000  # bytes for all images that are being read
LITTLE = 1_000_000  # what takes no more never waits: it may be read where nothing may wait
LARGE = 4_000_000  # blocks of more than a batch's pixels go back to the system as soon as they are freed
BYTES_OF_A_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # Pillow's; 4 in its other modes
FRACTION = 16  # bytes more of a pixel that is a fraction, until it has been brought to 8 bits
WEBP_CANVASES, WEBP_FRAME = 8, 4  # bytes more of a pixel: two canvases, and the frame until it is loaded
BLOCK = 8  # JPEG's blocks are so many pixels wide and high

GLIBC_TRIM_THRESHOLD, GLIBC_MMAP_THRESHOLD = -1, -3  # as mallopt numbers them

_free = BUDGET
_changed = threading.Condition()


@contextmanager
def taken(size: int) -> Iterator[None]:
    """`size` bytes, at most BUDGET, for as long as the context lasts: waits until they are free. Do not nest them."""
    global _free
    if size <= LITTLE:
        yield
        return
    with _changed:
        _changed.wait_for(lambda: size <= _free)
        _free -= size
    try:
        yield
    finally:
        with _changed:
            _free += size
            _changed.notify_all()


def give_back() -> None:
    """Have what is freed given back to the system, where the C library is glibc: it would keep ever larger blocks."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(GLIBC_MMAP_THRESHOLD, LARGE)
        libc.mallopt(GLIBC_TRIM_THRESHOLD, LARGE)


def needed(image: Image.Image, size: tuple[int, int], data: bytes, working: int) -> int:
    """The bytes that it takes at most to read an image as a whole, which was opened and whose file is `data`.

    `size` is what it had before it was asked for smaller (`draft`); `working` is what is made of it, once it is decoded
    and turned.
    """
    pixels = image.width * image.height
    own = kept = pixels * BYTES_OF_A_PIXEL.get(image.mode, 4)
    decoder = 0
    if image.format == "WEBP":
        kept += pixels * WEBP_CANVASES
        decoder = pixels * WEBP_FRAME
    elif isinstance(image, JpegImageFile):
        decoder = 0 if _in_one_scan(image, data) else _coefficients(image, size)
    elif isinstance(image, TiffImageFile):
        decoder = _piece(image) + (pixels * FRACTION if image.mode == "F" else 0)
    elif isinstance(image, BmpImageFile) and image.tile[0].codec_name != "raw":
        decoder = 2 * pixels  # it is unpacked in Python, and copied
    # of a PNG it is not known before its end whether it is turned, which takes a copy
    turned = image.format == "PNG" or image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return kept + max(decoder, own if turned else 0, working)


def _in_one_scan(image: JpegImageFile, data: bytes) -> bool:
    """Whether a JPEG file's first scan holds all components from their first bit on, so that none is kept in memory."""
    place = 2
    while data[place : place + 2] != b"\xff\xda":
        if data[place] != 0xFF or not (0xC0 <= data[place + 1] < 0xD0 or 0xDA < data[place + 1] < 0xFF):
            return False
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data[place + 4] == len(image.layer) and "progressive" not in image.info


def _coefficients(image: JpegImageFile, size: tuple[int, int]) -> int:
    """The bytes of all of a JPEG's coefficients, two each."""
    across, down = (max(layer[axis] for layer in image.layer) for axis in (1, 2))
    width = math.ceil(size[0] / (BLOCK * across)) * BLOCK
    height = math.ceil(size[1] / (BLOCK * down)) * BLOCK
    return 2 * width * height * sum(layer[1] * layer[2] for layer in image.layer)


def _piece(image: TiffImageFile) -> int:
    """The bytes of one strip or tile of a TIFF, which are unpacked at a time, and copied by some of the decoders."""
    tags = image.tag_v2
    rows = min(tags.get(TiffImagePlugin.ROWSPERSTRIP, image.height), image.height)
    width, height = tags.get(TiffImagePlugin.TILEWIDTH, image.width), tags.get(TiffImagePlugin.TILELENGTH, rows)
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) * tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    return int(2 * width * height * max(bits, 32) // 8)
