"""The arrays of a split in data/processed/, as `save` wrote them."""

from pathlib import Path

import numpy as np

from pipeline.data.errors import DataError

REMEDY = "Make it again: python -m pipeline.preprocess"


def load_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 [N, 28, 28], and labels, uint8 [N], of a split: "train", "val" or "test".

    Raises:
        DataError: the split's files are missing or damaged, or do not match.
    """
    where = folder / split
    images, labels = (_read(where / f"{name}.npy") for name in ("images", "labels"))
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise DataError(f"{where / 'images.npy'} holds {images.dtype} {images.shape}, not uint8 (N, 28, 28). {REMEDY}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{where / 'labels.npy'} holds {labels.dtype} {labels.shape}, not uint8 ({len(images)},). {REMEDY}"
        )
    return images, labels


def _read(file: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}. {REMEDY}") from error
    return array
