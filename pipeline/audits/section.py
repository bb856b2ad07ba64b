"""What every part of the audit is given, and what it gives back."""

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.audits.gates import Gate
from pipeline.params import Gates
from serving.images import normalise_all
from serving.model.recogniser import Predictions, Recogniser

THREADS = 2
"""What a part does side by side: while one makes pictures, the other's network runs."""


@dataclass(frozen=True)
class Subject:
    """One network under audit, the test set, and what the network says of it.

    name, source: of the network, and of the data it learnt from.
    images: uint8 [N, 28, 28]; labels: uint8 [N]; samples: a row for each image, with the columns of samples.parquet.
    predictions: of those images.
    limits: the thresholds of its gates.
    bootstrap: how often an interval's resampling is drawn; seed: of all that the audit draws.
    """

    name: str
    source: str
    recogniser: Recogniser
    images: np.ndarray
    labels: np.ndarray
    samples: pd.DataFrame
    predictions: Predictions
    limits: Gates
    bootstrap: int
    seed: int

    @property
    def wrong(self) -> np.ndarray:
        """bool [N]: which images are misread, whether or not the recogniser would have abstained."""
        return self.predictions.digit != self.labels

    @property
    def has_writers(self) -> bool:
        """Whether the source says who wrote its digits."""
        return bool(self.samples["writer"].notna().any())

    def at_most(self, count: int) -> int:
        """``count``, or a tenth of the test images where that is less: small sets are audited quickly."""
        return min(count, max(1, len(self.images) // 10))

    def read(self, pictures: np.ndarray) -> Predictions:
        """What the service would answer for pictures, uint8 or float32 [M, H, W] in 0..255, of any polarity."""
        return self.recogniser.predict(normalise_all(pictures.astype(np.float32)))

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that no part's draws depend on another's."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])


class Picture(NamedTuple):
    """A figure as a page shows it: a data URI, and the size that it is shown in, in CSS pixels."""

    uri: str
    width: int
    height: int


Figures = dict[str, Figure | Picture]
"""By caption."""


@dataclass
class Section:
    """One part of the audit's report.

    key: its name in file names and links; title: its heading; question: what it asks, for somebody who never saw the
    code.
    gates: the requirements it decides; findings: what else was seen, a sentence each.
    tables, figures: by caption; pictures that went wrong are figures too.
    values: numbers that audit.json has besides those of the gates, by name.
    """

    key: str
    title: str
    question: str
    gates: list[Gate] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
