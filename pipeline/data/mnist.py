"""MNIST and QMNIST's tables in data/raw/: read, joined, and held against what the set is known to be.

QMNIST's table gives each image's writer and the series of NIST's forms that it was cut from: series 0 was written by
employees of the Census Bureau, series 4 by high-school students. The population is taken from that column and never
from an image's place in the file: the common statement that the first 5,000 test images are the employees' has it the
wrong way round.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data import idx
from pipeline.data.errors import DataError

REMEDY = idx.REMEDY
HSF_SERIES = {"employees": 0, "students": 4}
TABLE_ROWS = 60_000


@dataclass(frozen=True)
class Contract:
    """What one of the two parts is known to be: its files, and how many of its images are whose."""

    images: str
    labels: str
    table: str
    written_by: dict[str, int]
    """images by population"""
    writers: dict[str, int]
    """writers by population"""


TRAIN = Contract(
    images="train-images-idx3-ubyte",
    labels="train-labels-idx1-ubyte",
    table="qmnist-train-labels.tsv",
    written_by={"employees": 30_950, "students": 29_050},
    writers={"employees": 289, "students": 250},
)
TEST = Contract(
    images="t10k-images-idx3-ubyte",
    labels="t10k-labels-idx1-ubyte",
    table="qmnist-test-labels.tsv",
    written_by={"employees": 4_999, "students": 5_001},
    writers={"employees": 48, "students": 249},
)
PEOPLE = {
    (half, population): (images, contract.writers[population])
    for half, contract in (("training and validation", TRAIN), ("test", TEST))
    for population, images in contract.written_by.items()
}
"""Images and writers by half and population, counted in QMNIST's tables (Yadav and Bottou, NeurIPS 2019)."""

CORRECTED = {947: 9, 1621: 6, 1901: 4, 2462: 0, 2597: 3, 3558: 0, 5937: 3, 6651: 6, 6783: 6, 9729: 6}
"""Row in MNIST's test file, and the digit that most of five people saw there instead of the official label."""
UNDECIDED = (2130, 2654, 3520, 8527, 9679)
"""Rows whose official label most of five people rejected without agreeing on another digit.

Both by Northcutt, Athalye and Mueller ("Pervasive Label Errors in Test Sets", NeurIPS 2021; cleanlab/label-errors).
"""


@dataclass(frozen=True)
class Part:
    """Images uint8 [N, 28, 28], labels uint8 [N], populations str [N] and writers int [N]."""

    images: np.ndarray
    labels: np.ndarray
    populations: np.ndarray
    writers: np.ndarray


def read(folder: Path) -> tuple[Part, Part]:
    """Return the training and the test part.

    Raises:
        DataError: a file is missing or damaged, or the set is not as it is known to be.
    """
    train, test = read_part(folder, TRAIN), read_part(folder, TEST)
    shared = np.intersect1d(train.writers, test.writers)
    if len(shared):
        raise DataError(f"{folder}: writer {shared[0]} is in the training and in the test table, not in one. {REMEDY}")
    return train, test


def read_part(folder: Path, contract: Contract) -> Part:
    images, labels = idx.read_digits(folder / contract.images, folder / contract.labels, side=28)
    expected = sum(contract.written_by.values())
    if len(images) != expected:
        raise DataError(f"{folder / contract.images} holds {len(images)} images, not {expected}. {REMEDY}")

    path = folder / contract.table
    digits, series, writers = read_table(path)[: len(labels), :3].T
    differing = np.flatnonzero(digits != labels)
    if len(differing):
        row = differing[0]
        raise DataError(
            f"{path} differs from {contract.labels} in {len(differing)} of {len(labels)} labels and must in none; "
            f"row {row} is {digits[row]} in the first and {labels[row]} in the second. {REMEDY}"
        )
    populations = np.full(len(labels), "", dtype="<U9")
    for population, count in contract.written_by.items():
        theirs = series == HSF_SERIES[population]
        if theirs.sum() != count:
            raise DataError(
                f"{path}: {theirs.sum()} images are by {population} (column 1 is {HSF_SERIES[population]}), "
                f"not {count}. {REMEDY}"
            )
        populations[theirs] = population
    return Part(images, labels, populations, writers)


def read_table(path: Path) -> np.ndarray:
    """Read a QMNIST table as int [60000, 8]: digit, HSF series, writer, index within the writer, and four more."""
    try:
        table = np.loadtxt(path, dtype=np.int64, delimiter="\t", ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table of whole numbers: {error}. {REMEDY}") from error
    if table.shape != (TABLE_ROWS, 8):
        rows, columns = table.shape
        raise DataError(f"{path} has {rows} rows of {columns} columns, not {TABLE_ROWS} of 8. {REMEDY}")
    return table
