"""Images in parquet files: 784 columns of numbers, or one column of lists of numbers or of image files' bytes.

The last is how Hugging Face keeps images: a struct whose field `bytes` holds the file.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.data.errors import DataError
from pipeline.scoring.arrays import PIXELS, SAMPLED, NoImagesError, check_scale
from serving.contract import SIDE

Cut = tuple[tuple[int, ...], int, int]
"""Row groups, by number, their first row and the one behind their last."""


def cut(path: Path, rows: int, scale: str | None) -> list[Cut]:
    """A file between its row groups, into parts of at least so many rows but for the last.

    Raises NoImagesError where it has no images, DataError where it is damaged or its values' scale is unclear.
    """
    try:
        with pq.ParquetFile(path) as file:
            columns = of_images(file.schema_arrow)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
            first = next(file.iter_batches(SAMPLED, columns=columns), None)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error
    if first is not None and not holds_files(first):
        check_scale(path, numbers(first, path), scale)
    parts: list[Cut] = []
    groups: list[int] = []
    start = stop = 0
    for group, size in enumerate(sizes):
        groups.append(group)
        stop += size
        if stop - start >= rows or group == len(sizes) - 1:
            if stop > start:
                parts.append((tuple(groups), start, stop))
            groups, start = [], stop
    return parts


def of_images(schema: pa.Schema) -> list[str]:
    """The columns that hold images. Raises NoImagesError where there are none, or it is unclear which do."""
    pixels = [one.name for one in schema if is_number(one.type) and one.name not in ("label", "labels", "target")]
    if len(pixels) == PIXELS:
        return pixels
    candidates = [one.name for one in schema if is_file(one.type) or pa.types.is_list(one.type) or is_fixed(one.type)]
    if "image" in candidates:
        return ["image"]
    if len(candidates) == 1:
        return candidates
    raise NoImagesError(
        f"has the columns {', '.join(schema.names[:10])}; expected {PIXELS} of numbers, or one of images called image"
    )


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)


def is_file(kind: pa.DataType) -> bool:
    """Whether a column of this type has image files' bytes."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def read(path: Path, groups: tuple[int, ...], step: int) -> Iterator[NDArray[np.generic] | list[bytes | None]]:
    """The images in row groups, up to ``step`` at a time: arrays [n, 28, 28], or image files. Raises DataError."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        columns = of_images(file.schema_arrow)
        for batch in file.iter_batches(step, row_groups=list(groups), columns=columns):
            yield files(batch) if holds_files(batch) else numbers(batch, path)


def holds_files(batch: pa.RecordBatch) -> bool:
    return batch.num_columns == 1 and is_file(batch.schema.field(0).type)


def files(batch: pa.RecordBatch) -> list[bytes | None]:
    column = batch.column(0)
    found: list[bytes | None] = (column.field("bytes") if pa.types.is_struct(column.type) else column).to_pylist()
    return found


def numbers(batch: pa.RecordBatch, path: Path) -> NDArray[np.generic]:
    """The images in columns of numbers, or in one of lists, [n, 28, 28]; a number that is missing is none."""
    if batch.num_columns == PIXELS:
        columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        return np.stack(columns, axis=1).reshape(-1, SIDE, SIDE)
    flat = batch.column(0)
    while not is_number(flat.type):
        if flat.null_count or not hasattr(flat, "flatten"):
            raise DataError(f"{path} has rows without an image in {batch.schema.names[0]}")
        flat = flat.flatten()
    if len(flat) != len(batch) * PIXELS:
        raise DataError(f"{path} has images in {batch.schema.names[0]} that are not {SIDE}x{SIDE}")
    return flat.to_numpy(zero_copy_only=False).reshape(-1, SIDE, SIDE)
