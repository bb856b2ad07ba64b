"""Large PNG files strip by strip: Pillow keeps a whole picture with colours in four bytes a pixel."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, colour, compression, filter, interlacing
CHANNELS = {2: 3, 4: 2, 6: 4}  # of the kinds of colour that Pillow keeps in four bytes
FRAMES = b"acTL"  # the chunk of an animation


def can_split(data: bytes) -> bool:
    """Whether `strips` can read this file: one picture with colours or with alpha, of 8 bits and not interlaced."""
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR" or FRAMES in data[: data.find(b"IDAT")]:
        return False
    _, _, bits, colour, _, _, interlacing = HEADER.unpack_from(data, 16)
    return bits == 8 and colour in CHANNELS and not interlacing


def strips(data: bytes, rows: int) -> Iterator[Image.Image]:
    """The picture from its top to its bottom, `rows` rows at a time; the first strip has the file's `info`.

    Each strip is made a PNG file of its own. A row is stored as its difference from the one above it, so that every
    file but the first begins with the last row of the strip before. Raises ValueError if the file ends too early.
    """
    chunks = list(_chunks(data))
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    others = [chunk for chunk in chunks if chunk[0] not in (b"IHDR", b"IDAT", b"IEND")]
    width, height, *form = HEADER.unpack_from(data, 16)
    unpack = zlib.decompressobj()
    above = b""
    for top in range(0, height, rows):
        count = min(rows, height - top)
        wanted = count * (1 + width * CHANNELS[form[1]])
        unpacked = unpack.decompress(packed, wanted)
        packed = unpack.unconsumed_tail
        if len(unpacked) < wanted:
            raise ValueError("the picture is incomplete")
        header = HEADER.pack(width, count + bool(above), *form)
        file = _file((b"IHDR", header), *others, (b"IDAT", zlib.compress(above + unpacked, 0)), (b"IEND", b""))
        strip = Image.open(io.BytesIO(file), formats=("PNG",))
        strip.load()
        yield strip.crop((0, 1, width, strip.height)) if above else strip
        above = b"\0" + strip.crop((0, strip.height - 1, width, strip.height)).tobytes()
        others = [chunk for chunk in others if chunk[0] == b"tRNS"]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the content of each chunk."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += length + 12


def _file(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [SIGNATURE]
    for kind, content in chunks:
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    return b"".join(parts)
