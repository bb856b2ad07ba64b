"""Check the digits in data/raw/, measure their style, split them, and write data/processed/.

    python -m pipeline.preprocess

Writes the images and labels of the splits train, val and test, and samples.parquet, a row for each image. MNIST keeps
its own test set, and validation is cut from its training set by writer; the other sources are split at random within
each digit.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline import params
from pipeline.data import idx, mnist, split, style
from pipeline.data.enlarge import enlarge
from pipeline.data.errors import DataError
from pipeline.data.save import SPLITS
from pipeline.data.save import save as save_processed
from pipeline.data.sources import IMAGES, LABELS
from pipeline.stage import stage

RAW, PROCESSED = Path("data/raw"), Path("data/processed")
BATCH = 500


@stage("preprocess")
def main() -> None:
    source, shares = params.load("data.source", "data.split")
    try:
        images, samples = split_mnist(shares) if source == "mnist" else split_packaged(source, shares)
        samples = pd.concat([samples, measured(images)], axis=1)
        save(images, samples)
    except OSError as error:
        sys.exit(
            f"preprocess: {PROCESSED} could not be written: {error}. Make room, or permit writing, and run it again."
        )
    Console().print(summary(samples))


def split_mnist(shares: params.Split) -> tuple[np.ndarray, pd.DataFrame]:
    """Read MNIST and cut validation from its training part, by writer."""
    train, test = mnist.read(RAW)
    validation = split.by_writer(train.writers, train.populations, shares.validation, shares.seed)
    parts = (train, np.where(validation, "val", "train")), (test, "test")
    samples = pd.concat(
        [
            pd.DataFrame(
                {
                    "split": names,
                    "source_row": np.arange(len(part.labels)),
                    "label": part.labels,
                    "population": part.populations,
                    "writer": part.writers,
                }
            )
            for part, names in parts
        ],
        ignore_index=True,
    )
    splits = samples.groupby("writer")["split"].nunique()
    if splits.max() > 1:
        raise DataError(f"writer {splits.idxmax()} is in {splits.max()} splits and must be in one. {mnist.REMEDY}")
    return np.concatenate([train.images, test.images]), samples


def split_packaged(source: str, shares: params.Split) -> tuple[np.ndarray, pd.DataFrame]:
    """Read one of the packaged sources; cut the test set from it, then validation from the rest, within each digit."""
    images, labels = idx.read_digits(RAW / IMAGES, RAW / LABELS, side=8 if source == "uci-digits" else 28)
    names = np.where(split.by_digit(labels, shares.test, shares.seed), "test", "train")
    rest = np.flatnonzero(names == "train")
    names[rest[split.by_digit(labels[rest], shares.validation, shares.seed)]] = "val"
    samples = pd.DataFrame(
        {"split": names, "source_row": np.arange(len(labels)), "label": labels, "population": None, "writer": None}
    )
    return enlarge(images) if source == "uci-digits" else images, samples


def measured(images: np.ndarray) -> pd.DataFrame:
    """Return the style of each of ``images``, a batch at a time so that the progress is seen and memory stays small."""
    batches = np.array_split(images, -(-len(images) // BATCH))
    return pd.concat([style.measure(batch) for batch in track(batches, "measuring style")], ignore_index=True)


def save(images: np.ndarray, samples: pd.DataFrame) -> None:
    """Write each split's arrays, and the samples in the same order."""
    parts = {name: samples[samples["split"] == name] for name in SPLITS}
    arrays = {name: (images[part.index], part["label"].to_numpy(np.uint8)) for name, part in parts.items()}
    table = pd.concat([part.assign(row=range(len(part))) for part in parts.values()])
    save_processed(PROCESSED, arrays, table)


def summary(samples: pd.DataFrame) -> Table:
    """Return a row for each split: how many images, of whom, and in what style."""
    known = samples["writer"].notna().any()
    whose = ("writers", *mnist.HSF_SERIES) if known else ()
    table = Table("split", "images", *whose, "per digit", "stroke", "slant", box=box.SIMPLE_HEAD, show_edge=False)
    for name in SPLITS:
        part = samples[samples["split"] == name]
        digits = part["label"].value_counts()
        theirs = (part["writer"].nunique(), *((part["population"] == population).sum() for population in whose[1:]))
        table.add_row(
            name,
            f"{len(part):,}",
            *(f"{count:,}" for count in theirs if known),
            f"{digits.min()}-{digits.max()}",
            f"{part['thickness'].mean():.2f} px",
            f"{part['slant'].mean():.1f}°",
        )
    return table


if __name__ == "__main__":
    main()
