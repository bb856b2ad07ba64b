"""IDX, the format of MNIST's files: a magic number that gives type and rank, big-endian sizes, then the bytes.

The format is described on MNIST's page. It is read strictly here: unsigned bytes alone, and not a byte too few or too
many.
"""

from math import prod
from pathlib import Path

import numpy as np

from pipeline.data.errors import DataError

UNSIGNED_BYTE = 0x08
REMEDY = "Fetch it again: python -m pipeline.download"


def encode(array: np.ndarray) -> bytes:
    """Return a uint8 array of any shape as the bytes of an IDX file."""
    if array.dtype != np.uint8:
        raise TypeError(f"IDX is written from uint8 here, not from {array.dtype}")
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def read(path: Path, rank: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes as a uint8 array with ``rank`` axes.

    Raises:
        DataError: the file is missing, has another magic number, is cut short, or goes on after its last item.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from error
    start = 4 + 4 * rank
    magic = bytes([0, 0, UNSIGNED_BYTE, rank])
    if content[:4] != magic:
        found = content[:4].hex() or "nothing"
        raise DataError(f"{path} starts with {found}; an IDX file with {rank} axes starts with {magic.hex()}. {REMEDY}")
    if len(content) < start:
        raise DataError(f"{path} is cut short: {len(content)} bytes; its header alone takes {start}. {REMEDY}")
    shape = np.frombuffer(content, ">u4", count=rank, offset=4).tolist()
    expected = start + prod(shape)
    if len(content) != expected:
        wrong = "is cut short" if len(content) < expected else "goes on after its last item"
        sizes = "x".join(map(str, shape))
        raise DataError(f"{path} {wrong}: {len(content)} bytes; {sizes} items take {expected}. {REMEDY}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_digits(images: Path, labels: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Read images, uint8 [N, side, side], and as many labels, uint8 [N] from 0 to 9.

    Raises:
        DataError: a file is missing or damaged, the two do not match, or a label is no digit.
    """
    pixels, digits = read(images, 3), read(labels, 1)
    if pixels.shape[1:] != (side, side):
        height, width = pixels.shape[1:]
        raise DataError(f"{images} holds images of {height}x{width}, not {side}x{side}. {REMEDY}")
    if len(pixels) != len(digits):
        raise DataError(f"{images} holds {len(pixels)} images and {labels} {len(digits)} labels. {REMEDY}")
    if len(digits) == 0:
        raise DataError(f"{images} and {labels} are empty: 0 images. {REMEDY}")
    if digits.max() > 9:
        raise DataError(f"{labels} holds {digits.max()} at row {digits.argmax()}; labels go from 0 to 9. {REMEDY}")
    return pixels, digits
