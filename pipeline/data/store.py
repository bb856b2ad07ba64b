"""The arrays of data/processed/ and data/drawn/, as `save` and the stage draw wrote them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.errors import DataError

REMEDY = "Make it again: dvc repro preprocess draw"


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


@dataclass(frozen=True)
class Drawn:
    """Digits that are added to the training images.

    images: uint8 [N, 28, 28]; labels: uint8 [N]; rows: int32 [N], of the training images that they were written after,
    -1 where there is none.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray

    def among(self, rows: np.ndarray) -> "Drawn":
        """Those written after no training image, or after one of ``rows``, int."""
        kept = np.isin(self.rows, [-1, *rows])
        return Drawn(self.images[kept], self.labels[kept], self.rows[kept])


def load_drawn(folder: Path) -> Drawn:
    """What was drawn for training in ``folder``, data/drawn/train. Raises DataError where files are missing."""
    return Drawn(*(_read(folder / f"{name}.npy") for name in ("images", "labels", "rows")))


def load_sheets(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Sheets of paper with a digit each, uint8 [N, H, W], and the rows of the images that they show, int32 [N].

    Raises DataError where files of ``folder``, data/drawn/sheets, are missing.
    """
    sheets, rows = (_read(folder / f"{split}_{name}.npy") for name in ("sheets", "rows"))
    return sheets, rows


def _read(file: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}. {REMEDY}") from error
    return array
