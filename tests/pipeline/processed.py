"""Made-up data/processed/ and data/drawn/: two pixels of every image tell who wrote it and which digit it is."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import drawn
from pipeline.data.save import COLUMNS, save

WRITERS, DIGITS, VALIDATION = 60, 20, 5
MARGIN = 6
"""Of a sheet's paper around the image."""


def process(known: bool) -> None:
    """Write train, val, samples.parquet and what was drawn of them; no test set, which nothing that trains may open."""
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
    arrays = {name: (images[part.index], labels[part.index]) for name, part in parts.items()}
    save(Path("data/processed"), arrays, table)
    rng = np.random.default_rng(1)
    rows = {name: rng.permutation(len(labels)).astype(np.int32) for name, (_, labels) in arrays.items()}
    sheets = {name: on_paper(arrays[name][0][shown]) for name, shown in rows.items()}
    Path("data/drawn").mkdir()
    drawn.save(Path("data/drawn"), drawn.Drawn(*arrays["val"], images[:50, ::-1], sheets, rows))


def on_paper(images: np.ndarray) -> np.ndarray:
    return 255 - np.pad(images, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)])


def off_paper(sheets: np.ndarray) -> np.ndarray:
    return 255 - sheets[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
