"""A made-up data/processed/: every image tells by two of its pixels who wrote it and which digit it is."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.save import COLUMNS, save

WRITERS, DIGITS, VALIDATION = 60, 20, 5


def process(known: bool) -> None:
    """Write train and val, and samples.parquet; no test set, which nothing that trains may open."""
    writer = np.repeat(np.arange(WRITERS), DIGITS)
    labels = np.random.default_rng(0).integers(0, 10, len(writer)).astype(np.uint8)
    images = np.zeros((len(writer), 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 8, 5:23] = 200
    images[:, 0, 0], images[:, 0, 1] = writer, labels
    split = np.where(writer % VALIDATION == 0, "val", "train")
    samples = pd.DataFrame({"split": split, "label": labels}).reindex(columns=list(COLUMNS))
    if known:
        samples["writer"], samples["population"] = writer, np.where(writer % 2, "students", "employees")
    samples[["source_row", "components"]] = 0
    parts = {name: samples[samples["split"] == name] for name in ("train", "val")}
    table = pd.concat([part.assign(row=range(len(part))) for part in parts.values()])
    save(
        Path("data/processed"), {name: (images[part.index], labels[part.index]) for name, part in parts.items()}, table
    )
