"""Preprocess: check the digits in data/raw/, measure their style, split them, and write data/processed/.

    python -m pipeline.preprocess

Writes images and labels of the splits train, val and test, and samples.parquet, a row for each image. MNIST keeps its own
test set and validation is cut from its training set by writer; the other sources are split at random within each digit.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline import params
from pipeline.data import mnist, split, store, style
from pipeline.data.enlarge import enlarge
from pipeline.data.errors import DataError
from pipeline.data.sources import IMAGES, LABELS

RAW, PROCESSED = Path("data/raw"), Path("data/processed")
BATCH = 500


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(prog="python -m pipeline.preprocess", description=__doc__.splitlines()[0]).parse_args(argv)
    source, shares = params.load("data.source", "data.split")
    try:
        images, samples = (with_writers if source == "mnist" else without_writers)(RAW, source, shares)
        samples = pd.concat([samples, measured(images)], axis=1)
        images, samples = ordered(images, samples)
        arrays = {
            name: (images[samples["split"] == name], samples.loc[samples["split"] == name, "label"].to_numpy(np.uint8))
            for name in store.SPLITS
        }
        store.save(PROCESSED, arrays, samples)
    except DataError as error:
        sys.exit(f"preprocess: {error}")
    except OSError as error:
        sys.exit(f"preprocess: {error.filename or PROCESSED}: {error.strerror}. Make room or permit writing there; run it again.")
    Console().print(summary(samples))


def with_writers(raw: Path, source: str, shares: params.Split) -> tuple[np.ndarray, pd.DataFrame]:
    """Read MNIST and cut validation from its training part by writer."""
    train, test = mnist.read(raw)
    validation = split.by_writer(train.writers, train.populations, shares.validation, shares.seed)
    frames = [
        pd.DataFrame(
            {
                "split": names,
                "source_row": np.arange(len(part.labels)),
                "label": part.labels,
                "population": part.populations,
                "writer": part.writers,
            }
        )
        for part, names in ((train, np.where(validation, "val", "train")), (test, "test"))
    ]
    samples = pd.concat(frames, ignore_index=True)
    shared = samples.groupby("writer")["split"].nunique().loc[lambda splits: splits > 1]
    if len(shared):
        raise DataError(f"writer {shared.index[0]} is in {shared.iloc[0]} splits, and must be in one")
    return np.concatenate([train.images, test.images]), samples


def without_writers(raw: Path, source: str, shares: params.Split) -> tuple[np.ndarray, pd.DataFrame]:
    """Read one of the packaged sources, cut the test set from it, and validation from the rest, within each digit."""
    side = 8 if source == "uci-digits" else 28
    images, labels = mnist.read_images(raw / IMAGES, raw / LABELS, (side, side), mnist.REMEDY)
    if side == 8:
        images = enlarge(images)
    test = split.by_digit(labels, shares.test, shares.seed)
    names = np.where(test, "test", "train")
    names[~test] = np.where(split.by_digit(labels[~test], shares.validation, shares.seed), "val", "train")
    samples = pd.DataFrame(
        {"split": names, "source_row": np.arange(len(labels)), "label": labels, "population": None, "writer": None}
    )
    return images, samples


def measured(images: np.ndarray) -> pd.DataFrame:
    batches = range(0, len(images), BATCH)
    return pd.concat(
        [style.measure(images[start : start + BATCH]) for start in track(batches, "measuring style")], ignore_index=True
    )


def ordered(images: np.ndarray, samples: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    order = samples["split"].map(store.SPLITS.index).argsort(kind="stable").to_numpy()
    samples = samples.iloc[order].reset_index(drop=True)
    samples.insert(1, "row", samples.groupby("split").cumcount())
    dtypes = {"row": "int32", "source_row": "int32", "label": "uint8", "population": "str", "writer": "Int32", "components": "int32"}
    return images[order], samples.astype(dtypes)


def summary(samples: pd.DataFrame) -> Table:
    table = Table("split", "images", "writers", "employees", "students", "fewest and most of a digit", "thickness", "slant")
    for name in store.SPLITS:
        part = samples[samples["split"] == name]
        digits = part["label"].value_counts()
        table.add_row(
            name,
            f"{len(part):,}",
            f"{part['writer'].nunique():,}",
            *(f"{(part['population'] == population).sum():,}" for population in mnist.POPULATIONS.values()),
            f"{digits.min():,} of {digits.idxmin()}, {digits.max():,} of {digits.idxmax()}",
            f"{part['thickness'].mean():.2f} px",
            f"{part['slant'].mean():.1f}°",
        )
    return table


if __name__ == "__main__":
    main()
