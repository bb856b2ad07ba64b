"""Check the digits in data/raw/, measure their style, split them, and write data/processed/.

    python -m pipeline.preprocess

Writes the images and labels of the splits train, val and test, and samples.parquet, a row for each image. A source that
has a test set of its own, as MNIST, keeps it. What else is cut is cut by writer where the writers are known, and at
random within each digit where they are not.
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
from pipeline.data import idx, split, style
from pipeline.data.errors import DataError
from pipeline.data.save import SPLITS
from pipeline.data.save import save as save_processed
from pipeline.data.sources import SOURCES, Digits
from pipeline.stage import stage

RAW, PROCESSED = Path("data/raw"), Path("data/processed")
BATCH = 500


@stage("preprocess")
def main() -> None:
    source, shares = params.load("data.source", "data.split")
    try:
        digits = SOURCES[source].read(RAW)
        samples = pd.concat([split_up(digits, shares), measured(digits.images)], axis=1)
        save(digits.images, samples)
    except OSError as error:
        sys.exit(
            f"preprocess: {PROCESSED} could not be written: {error}. Make room, or permit writing, and run it again."
        )
    Console().print(summary(samples))


def split_up(digits: Digits, shares: params.Split) -> pd.DataFrame:
    """Return a row for each of ``digits`` with its split: by writer where they are known, else within each digit.

    Raises:
        DataError: there are too few writers or digits to split, or a writer is in two splits.
    """

    def chosen(rows: np.ndarray, share: float) -> np.ndarray:
        if digits.writers is None or digits.populations is None:
            return rows[split.by_digit(digits.labels[rows], share, shares.seed)]
        return rows[split.by_writer(digits.writers[rows], digits.populations[rows], share, shares.seed)]

    everything, in_test = np.arange(len(digits.labels)), digits.in_test
    names = np.full(len(everything), "train")
    names[chosen(everything, shares.test) if in_test is None else in_test] = "test"
    names[chosen(np.flatnonzero(names == "train"), shares.validation)] = "val"
    samples = pd.DataFrame(
        {
            "split": names,
            "source_row": digits.rows,
            "label": digits.labels,
            "population": digits.populations,
            "writer": digits.writers,
        }
    )
    splits = samples.groupby("writer")["split"].nunique()
    if splits.max() > 1:
        raise DataError(f"writer {splits.idxmax()} is in {splits.max()} splits and must be in one. {idx.REMEDY}")
    return samples


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
    whose = ["writers", *sorted(samples["population"].dropna().unique())] if known else []
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
