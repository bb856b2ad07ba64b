"""data/processed/: the arrays of each split, and samples.parquet with a row for each image."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.errors import DataError
from pipeline.data.files import replacing

SPLITS = ("train", "val", "test")


def save(folder: Path, arrays: Mapping[str, tuple[np.ndarray, np.ndarray]], samples: pd.DataFrame) -> None:
    """Write ``arrays``, (images uint8 [N, 28, 28], labels uint8 [N]) by split, and ``samples`` to a new ``folder``."""
    with replacing(folder) as new:
        for split, (images, labels) in arrays.items():
            (new / split).mkdir()
            np.save(new / split / "images.npy", images, allow_pickle=False)
            np.save(new / split / "labels.npy", labels, allow_pickle=False)
        samples.to_parquet(new / "samples.parquet", index=False)


def load_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 [N, 28, 28], and labels, uint8 [N], of a split: "train", "val" or "test".

    Raises:
        DataError: the split is unknown, its files are missing, or they do not match.
    """
    remedy = "Run python -m pipeline.preprocess."
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    try:
        images, labels = (np.load(folder / split / f"{name}.npy", allow_pickle=False) for name in ("images", "labels"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / split} cannot be read: {error}. {remedy}") from error
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise DataError(
            f"{folder / split}: images {images.dtype} {images.shape} and labels {labels.shape} are not uint8 "
            f"(N, 28, 28) and (N,). {remedy}"
        )
    return images, labels
