"""IDX, the format of MNIST's files: a magic number that gives type and rank, big-endian sizes, then the bytes.

The format is described on MNIST's page and is read strictly here: only unsigned bytes, and not a byte too few or too many.
"""

from pathlib import Path

import numpy as np

from pipeline.data.errors import DataError

UNSIGNED_BYTE = 0x08


def encode(array: np.ndarray) -> bytes:
    """Return a uint8 array of any shape as the bytes of an IDX file."""
    if array.dtype != np.uint8:
        raise TypeError(f"IDX is written from uint8, not {array.dtype}")
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def read(path: Path, rank: int, remedy: str) -> np.ndarray:
    """Read an IDX file of unsigned bytes as a uint8 array with ``rank`` axes.

    Raises:
        DataError: the file is missing, has another magic number or rank, is cut short, or goes on after its last item.
            The message ends with ``remedy``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {remedy}") from error
    start = 4 + 4 * rank
    magic = bytes([0, 0, UNSIGNED_BYTE, rank])
    if content[:4] != magic:
        found = content[:4].hex() or "nothing"
        raise DataError(f"{path} starts with {found}; an IDX file of {rank} axes starts with {magic.hex()}. {remedy}")
    if len(content) < start:
        raise DataError(f"{path} ends inside its header: {len(content)} bytes of {start}. {remedy}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=rank, offset=4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        wrong = "is cut short" if len(content) < expected else "goes on after its last item"
        sizes = "x".join(map(str, shape))
        raise DataError(f"{path} {wrong}: {len(content)} bytes; {sizes} items take {expected}. {remedy}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
