"""A small real test set and a reader of it, asked about pictures as the audit asks."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.audits.ask import InProcess, answered
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import Results, TestSet
from pipeline.data.sources import mnist_sample
from serving.model.recogniser import Predictions


class MeanPictures:
    """Takes an image for the digit whose mean picture it resembles most; sure of it or not, as it was made."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, abstains: bool = False) -> None:
        means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
        self.means = means / np.linalg.norm(means, axis=1, keepdims=True)
        self.abstains = abstains

    def predict(self, pixels: np.ndarray) -> Predictions:
        likeness = pixels.reshape(len(pixels), -1) @ self.means.T + 1e-6
        probabilities = likeness / likeness.sum(axis=1, keepdims=True)
        return Predictions(
            digit=probabilities.argmax(axis=1),
            confidence=probabilities.max(axis=1),
            probabilities=probabilities,
            novelty=np.ones(len(pixels), np.float32),
            prediction_set=probabilities > 0.1,
            abstained=np.full(len(pixels), self.abstains),
            reason=np.full(len(pixels), "uncertain" if self.abstains else None, dtype=object),
        )


SAMPLE = mnist_sample()


def sample(count: int = 50, named: bool = True, abstains: bool = False) -> tuple[TestSet, MeanPictures]:
    """Some images of the sample, by ten writers of two populations where they are named, and who answers for them."""
    images, labels = (array[:: len(array) // count][:count] for array in SAMPLE)
    writers = np.arange(count) % 10
    samples = pd.DataFrame(
        {
            "writer": pd.array(writers if named else [pd.NA] * count, dtype="Int32"),
            "population": np.where(writers < 5, "students", "employees") if named else None,
        },
        index=np.arange(count) + 1000,
    )
    reader = MeanPictures(*SAMPLE, abstains=abstains)
    return TestSet(images, labels, samples, reader.predict(images.astype(np.float32)), seed=0), reader


def ask(test: TestSet, reader: object, sets: Iterable[PictureSet], **facts: object) -> Results:
    """What the judge knows once ``reader``, a recogniser, was asked about ``sets``."""
    asker = InProcess(reader)  # type: ignore[arg-type]
    told = {one.name: answered(asker, one) for one in sets}
    known = {"network": "means", "source": "mnist-sample", "bootstrap": 300} | facts
    return Results(test.images, test.labels, test.samples, test.predictions, test.seed, sets=told, **known)  # type: ignore[arg-type]
