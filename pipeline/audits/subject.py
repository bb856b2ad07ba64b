"""The files that an audit reads: one candidate, and the digits in data/processed/."""

import numpy as np
import pandas as pd

from pipeline.audits.section import Subject
from pipeline.data.store import load_split
from pipeline.params import Gates
from pipeline.paths import CANDIDATES, OUT_OF_FOLD, PROCESSED
from serving.model.recogniser import Recogniser


def load_subject(name: str, source: str, limits: Gates, bootstrap: int, seed: int) -> tuple[Subject, pd.DataFrame]:
    """A network on the test set, and samples.parquet with the images of all splits; arguments are a `Subject`'s."""
    recogniser = Recogniser(CANDIDATES / name / "model.onnx")
    images, labels = load_split(PROCESSED, "test")
    samples = pd.read_parquet(PROCESSED / "samples.parquet")
    subject = Subject(
        name=name,
        source=source,
        recogniser=recogniser,
        images=images,
        labels=labels,
        samples=samples.query("split == 'test'").sort_values("row", ignore_index=True),
        predictions=recogniser.predict(images.astype(np.float32)),
        limits=limits,
        bootstrap=bootstrap,
        seed=seed,
    )
    return subject, samples


def load_recipe(name: str, samples: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame] | None:
    """The images that a network learnt from, and what others of its recipe read there, or None if that was not tried.

    Args:
        samples: samples.parquet.

    Returns:
        uint8 [N, 28, 28], and a row for each with the columns of samples.parquet, fold, digit, confidence, abstained.
    """
    read = pd.read_parquet(OUT_OF_FOLD / f"{name}.parquet")
    if read.empty:
        return None
    images = np.concatenate([load_split(PROCESSED, split)[0] for split in read["split"].unique()])
    return images, read.drop(columns="label").merge(samples, on=["split", "row"], validate="one_to_one")
