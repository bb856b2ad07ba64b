"""Images in files of arrays: NumPy's .npy, and IDX, the format of MNIST's files, as it is or gzipped."""

import gzip
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.data.errors import DataError
from serving.contract import SIDE

PIXELS = SIDE * SIDE
SAMPLED = 1_000
"""So many images say whether values that are no bytes lie in 0..1."""
IDX_BYTES = b"\0\0\x08"
"""How an IDX file of bytes begins; its number of axes follows."""

BROKEN = (gzip.BadGzipFile, EOFError, zlib.error)
"""What gzip raises of a damaged file."""


class NoImagesError(Exception):
    """That a file holds something else; the message says what."""


def kind_of(path: Path) -> str | None:
    """What array a file holds, npy or idx; None where it holds none."""
    if path.suffix == ".npy":
        return "npy"
    named = path.name.removesuffix(".gz")
    return "idx" if named.endswith((".idx", "ubyte")) else None


def check(path: Path, scale: str | None) -> int:
    """How many images an array has.

    Raises NoImagesError where it holds something else, DataError where it is damaged or its values' scale is unclear.
    """
    if kind_of(path) == "idx":
        return idx_count(path)
    array = npy(path)
    if array.ndim < 2 or prod(array.shape[1:]) != PIXELS:
        raise NoImagesError(f"holds {list(array.shape)}, not [N, {SIDE}, {SIDE}] or [N, {PIXELS}]")
    if array.dtype.kind not in "uif":
        raise NoImagesError(f"holds {array.dtype}, not numbers")
    check_scale(path, array[:SAMPLED], scale)
    return len(array)


def check_scale(path: Path, values: NDArray[np.generic], scale: str | None) -> None:
    """Raises DataError where numbers that are no bytes may lie in 0..1 or in 0..255."""
    if scale is None and values.dtype != np.uint8 and 0 < np.nan_to_num(values.astype(np.float32)).max(initial=0) <= 1:
        raise DataError(f"every value in {path} lies in 0..1: say which scale is meant, --scale 0-1 or --scale 0-255")


def read(path: Path, start: int, stop: int, step: int) -> Iterator[NDArray[np.generic]]:
    """The images from ``start`` to ``stop``, [up to step, 28, 28] at a time, of the file's own type.

    Raises DataError where the file turns out to be damaged.
    """
    if kind_of(path) == "idx":
        try:
            yield from read_idx(path, start, stop, step)
        except BROKEN as error:
            raise DataError(f"{path} is damaged: {error}") from error
        return
    array = npy(path)
    for at in range(start, stop, step):
        yield np.asarray(array[at : min(at + step, stop)]).reshape(-1, SIDE, SIDE)


def read_idx(path: Path, start: int, stop: int, step: int) -> Iterator[NDArray[np.uint8]]:
    """The images of an IDX file, as `read` gives them. Raises one of BROKEN too."""
    with opened(path) as stream:
        stream.seek(16 + start * PIXELS)
        for at in range(start, stop, step):
            count = min(step, stop - at)
            content = stream.read(count * PIXELS)
            if len(content) != count * PIXELS:
                raise DataError(f"{path} was cut short while it was read")
            yield np.frombuffer(content, np.uint8).reshape(count, SIDE, SIDE)
        stream.read(1)  # at its end gzip looks at the checksum


def npy(path: Path) -> NDArray[np.generic]:
    """The array in a file, which is read where it is looked at."""
    try:
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as an array: {error}") from error
    return array


def idx_count(path: Path) -> int:
    """How many images an IDX file's header tells of. Raises NoImagesError, or DataError where it is cut short."""
    try:
        with opened(path) as stream:
            head = stream.read(16)
            size = None if path.suffix == ".gz" else path.stat().st_size
    except (OSError, *BROKEN) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if head[:3] != IDX_BYTES or len(head) < 8:
        raise NoImagesError("is no IDX file of bytes")
    if head[3] != 3:
        raise NoImagesError(f"holds an array of {head[3]} axes, not images")
    if len(head) < 16:
        raise DataError(f"{path} is damaged: it ends within its header")
    count, height, width = np.frombuffer(head[4:], ">u4").tolist()
    if (height, width) != (SIDE, SIDE):
        raise NoImagesError(f"holds images of {height}x{width}, not {SIDE}x{SIDE}")
    if size is not None and size != 16 + count * PIXELS:
        raise DataError(f"{path} is damaged: {size} bytes; {count} images take {16 + count * PIXELS}")
    return int(count)


def opened(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
