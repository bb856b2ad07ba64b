"""MNIST and QMNIST's tables in data/raw/: read, joined, and held against what the set is known to be.

QMNIST's table gives each image's writer and the series of NIST's forms that it was cut from: series 0 was written by
employees of the Census Bureau, series 4 by high-school students. The population is taken from that column and never from
an image's place in the file: the often repeated "the first 5,000 test images are the cleaner employees'" is wrong, they
are the students'.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data import idx
from pipeline.data.errors import DataError

REMEDY = "Run python -m pipeline.download again."
POPULATIONS = {0: "employees", 4: "students"}
"""By NIST's form series (HSF)."""


@dataclass(frozen=True)
class Part:
    """One of MNIST's two parts: images uint8 [N, 28, 28], labels uint8 [N], populations str [N], writers int [N]."""

    images: np.ndarray
    labels: np.ndarray
    populations: np.ndarray
    writers: np.ndarray


@dataclass(frozen=True)
class Contract:
    """What a part is known to be; counts of images."""

    images_file: str
    labels_file: str
    table_file: str
    table_rows: int
    images: int
    employees: int
    students: int


TRAIN = Contract(
    images_file="train-images-idx3-ubyte",
    labels_file="train-labels-idx1-ubyte",
    table_file="qmnist-train-labels.tsv",
    table_rows=60_000,
    images=60_000,
    employees=30_950,
    students=29_050,
)
TEST = Contract(
    images_file="t10k-images-idx3-ubyte",
    labels_file="t10k-labels-idx1-ubyte",
    table_file="qmnist-test-labels.tsv",
    table_rows=60_000,
    images=10_000,
    employees=4_999,
    students=5_001,
)


def read(folder: Path) -> tuple[Part, Part]:
    """Return the training and the test part.

    Raises:
        DataError: a file is missing or damaged, or the set is not as it is known to be.
    """
    train, test = read_part(folder, TRAIN), read_part(folder, TEST)
    shared = np.intersect1d(train.writers, test.writers)
    if len(shared):
        raise DataError(f"{folder}: writer {shared[0]} is in both train and test; MNIST shares no writer. {REMEDY}")
    return train, test


def read_part(folder: Path, contract: Contract) -> Part:
    images, labels = read_images(folder / contract.images_file, folder / contract.labels_file, (28, 28), REMEDY)
    if len(images) != contract.images:
        raise DataError(f"{folder / contract.images_file} has {len(images)} images, not {contract.images}. {REMEDY}")
    path = folder / contract.table_file
    table = read_table(path)
    if len(table) != contract.table_rows:
        raise DataError(f"{path} has {len(table)} rows, not {contract.table_rows}. {REMEDY}")
    digit, series, writer = table[: contract.images, :3].T
    differing = np.flatnonzero(digit != labels)
    if len(differing):
        row = differing[0]
        raise DataError(
            f"{path}: row {row} says digit {digit[row]}, {contract.labels_file} says {labels[row]}; "
            f"they differ in {len(differing)} of {len(labels)} rows and must in none. {REMEDY}"
        )
    for hsf, population in POPULATIONS.items():
        found, expected = int((series == hsf).sum()), getattr(contract, population)
        if found != expected:
            raise DataError(f"{path}: {found} of the images are by {population} (HSF {hsf}), not {expected}. {REMEDY}")
    return Part(images, labels, np.where(series == 0, POPULATIONS[0], POPULATIONS[4]), writer)


def read_images(images: Path, labels: Path, shape: tuple[int, int], remedy: str) -> tuple[np.ndarray, np.ndarray]:
    """Read images, uint8 [N, *shape], and as many labels, uint8 [N] from 0 to 9.

    Raises:
        DataError: a file is missing or damaged, the two do not match, or a label is no digit.
    """
    pixels, digits = idx.read(images, 3, remedy), idx.read(labels, 1, remedy)
    if pixels.shape[1:] != shape:
        raise DataError(f"{images} holds images of {pixels.shape[1]}x{pixels.shape[2]}, not {shape[0]}x{shape[1]}. {remedy}")
    if len(pixels) != len(digits):
        raise DataError(f"{images} has {len(pixels)} images and {labels} {len(digits)} labels. {remedy}")
    if len(digits) == 0:
        raise DataError(f"{images} and {labels} hold no image. {remedy}")
    if digits.max() > 9:
        raise DataError(f"{labels}: label {digits.max()} at row {digits.argmax()}; labels are 0 to 9. {remedy}")
    return pixels, digits


def read_table(path: Path) -> np.ndarray:
    """Read a QMNIST table as int [rows, 8]: digit, HSF series, writer, index within the writer, class code, ..."""
    try:
        table = np.loadtxt(path, dtype=np.int64, delimiter="\t", ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table of whole numbers: {error}. {REMEDY}") from error
    if table.shape[1] != 8:
        raise DataError(f"{path} has {table.shape[1]} columns, not 8. {REMEDY}")
    return table
