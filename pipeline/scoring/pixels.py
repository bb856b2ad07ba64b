"""A shard's images as the network takes them, by the service's own rules: what it refuses is refused here as well."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring import arrays, tables
from pipeline.scoring.shards import Shard
from serving import errors, images
from serving.contract import MAX_BODY_BYTES, SIDE
from serving.errors import ApiError

STEP = 100
"""Images at a time: few enough for a processor's cache, where larger batches take up to a fifth longer."""


class Batch(NamedTuple):
    """Images, float32 [n, 28, 28] in 0..255, and by index what was wrong with those that could not be read."""

    pixels: NDArray[np.float32]
    refused: dict[int, ApiError]


def batches(shard: Shard, root: Path, scale: str | None) -> Iterator[Batch]:
    """All images of a shard in their order. Raises DataError where its file as a whole cannot be read."""
    if shard.kind == "files":
        for at in range(0, len(shard.files), STEP):
            yield pictures([bytes_of(root / file) for file in shard.files[at : at + STEP]])
        return
    [file] = shard.files
    if shard.kind == "parquet":
        for given in tables.read(root / file, shard.groups, STEP):
            yield pictures(list(map(checked, given))) if isinstance(given, list) else prepared(given, scale)
    else:
        for values in arrays.read(root / file, shard.start, shard.stop, STEP):
            yield prepared(values, scale)


def prepared(values: NDArray[np.generic], scale: str | None) -> Batch:
    """Arrays, [n, 28, 28] of any numbers, as POST /predict_pixels prepares them."""
    pixels = values.astype(np.float32)
    if scale == "0-1":
        pixels *= np.float32(255)
    refused = {}
    if values.dtype != np.uint8:
        fine = ((pixels >= 0) & (pixels <= 255)).all(axis=(1, 2))
        pixels[~fine] = 0
        refused = {int(index): errors.OUT_OF_RANGE("A pixel") for index in np.flatnonzero(~fine)}
    other = ~images.conforming(pixels)
    if other.any():
        pixels[other] = images.normalise_all(pixels[other])
    return Batch(pixels, refused)


def pictures(files: Sequence[bytes | ApiError]) -> Batch:
    """Image files, as POST /predict reads them."""
    pixels = np.zeros((len(files), SIDE, SIDE), np.float32)
    refused = {}
    for index, file in enumerate(files):
        try:
            if isinstance(file, ApiError):
                raise file
            pixels[index] = images.decode(file)
        except ApiError as error:
            refused[index] = error
    return Batch(pixels, refused)


def bytes_of(path: Path) -> bytes | ApiError:
    """A file's bytes, or what is wrong with it."""
    try:
        if path.stat().st_size > MAX_BODY_BYTES:
            return errors.BODY_TOO_LARGE()
        return path.read_bytes()
    except OSError as error:
        return ApiError(400, errors.UNREADABLE_IMAGE.code, f"The file cannot be read: {error.strerror}.")


def checked(file: bytes | None) -> bytes | ApiError:
    """An image file from a table, or what is wrong with it."""
    return errors.BODY_TOO_LARGE() if file and len(file) > MAX_BODY_BYTES else file or b""
