"""Large PNG files strip by strip: Pillow keeps a whole picture with colours in four bytes a pixel."""

import zlib
from collections.abc import Iterator

from PIL import Image, PngImagePlugin

PIECE = 65_536  # bytes of the file unpacked at a time
SPLITTABLE = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16B")  # kinds of rows that Pillow gives back as they were stored


def can_split(image: Image.Image) -> bool:
    """Whether `strips` can read it: a PNG's one picture, not interlaced, and of no more bits than Pillow has."""
    return (
        isinstance(image, PngImagePlugin.PngImageFile)
        and not image.is_animated
        and not image.info.get("interlace")
        and image.tile[0].args in SPLITTABLE
    )


def strips(image: PngImagePlugin.PngImageFile, rows: int) -> Iterator[Image.Image]:
    """The picture from its top to its bottom, `rows` rows at a time, of an image that was opened and not yet loaded.

    A row is stored as its difference from the one above it, so that every strip but the first is unpacked together
    with the last row of the strip before. Raises ValueError if the file ends too early.
    """
    kind = str(image.tile[0].args)
    row_size = 1 + len(Image.new(image.mode, (image.width, 1)).tobytes("raw", kind))
    palette = image.palette.palette if image.palette else b""
    image.im = Image.core.new(image.mode, (1, 1))  # or room would be made for the whole picture
    image.load_prepare()
    unpack = zlib.decompressobj()
    above = b""
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        packed = zlib.compress(above + _unpacked(image, unpack, count * row_size), 0)
        strip = Image.frombytes(image.mode, (image.width, count + bool(above)), packed, "zip", kind)
        strip.info = image.info
        if image.mode == "P":
            strip.putpalette(palette)
        yield strip.crop((0, 1, image.width, strip.height)) if above else strip
        above = b"\0" + strip.crop((0, strip.height - 1, image.width, strip.height)).tobytes("raw", kind)
    image.load_end()  # what is told after the picture


def _unpacked(image: PngImagePlugin.PngImageFile, unpack: "zlib._Decompress", size: int) -> bytes:
    """The next `size` bytes of the rows."""
    rows = bytearray()
    while len(rows) < size:
        piece = unpack.unconsumed_tail or image.load_read(PIECE)
        if not piece or unpack.eof:
            raise ValueError("the picture is incomplete")
        rows += unpack.decompress(piece, size - len(rows))
    return bytes(rows)
