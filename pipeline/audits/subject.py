"""The files that an audit reads: one network under models/, and the digits in data/processed/."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.audits.section import Subject
from pipeline.data.store import load_split
from pipeline.params import Gates
from serving.recogniser import Recogniser

MODELS = Path("models")
PROCESSED = Path("data/processed")


def load_subject(name: str, source: str, limits: Gates, bootstrap: int, seed: int) -> tuple[Subject, pd.DataFrame]:
    """A network on the test set, and samples.parquet with the images of all splits; arguments are a `Subject`'s."""
    recogniser = Recogniser(MODELS / name / "model.onnx")
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
