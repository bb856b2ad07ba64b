"""data/processed/ as it is written: the arrays of each split, and samples.parquet with a row for each image."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.files import replacing

SPLITS = ("train", "val", "test")
COLUMNS = {
    "split": "str",
    "row": "int32",
    "source_row": "int32",
    "label": "uint8",
    "population": "str",
    "writer": "Int32",
    "thickness": "float64",
    "slant": "float64",
    "ink": "float64",
    "width": "float64",
    "height": "float64",
    "components": "int32",
}
"""Of samples.parquet. ``row`` counts in the split's arrays, ``source_row`` in the file that the image is from."""


def save(folder: Path, arrays: Mapping[str, tuple[np.ndarray, np.ndarray]], samples: pd.DataFrame) -> None:
    """Write ``arrays``, (images uint8 [N, 28, 28], labels uint8 [N]) by split, and ``samples`` to a new ``folder``."""
    table = samples[list(COLUMNS)].astype(COLUMNS)
    with replacing(folder) as new:
        for split, (images, labels) in arrays.items():
            (new / split).mkdir()
            np.save(new / split / "images.npy", images, allow_pickle=False)
            np.save(new / split / "labels.npy", labels, allow_pickle=False)
        table.to_parquet(new / "samples.parquet", index=False)
