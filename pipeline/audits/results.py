"""What a recogniser answered, picture by picture: the table between the audit, which asks, and the judge.

answers.parquet has a row for each picture that was asked about, pictures.parquet the few that the report shows.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from serving.model.recogniser import CLASSES, Predictions

TEST = "test"
"""The set of the test images themselves."""
PROBABILITIES = [f"p{digit}" for digit in range(CLASSES)]
BITS = 1 << np.arange(CLASSES)
"""Of the digits in a set, as a number stands for it."""


@dataclass(frozen=True)
class TestSet:
    """The test images that the pictures of an audit are made from.

    images: uint8 [N, 28, 28]; labels: uint8 [N]; samples: a row for each image, with the columns of samples.parquet.
    predictions: what the recogniser answers for them.
    seed: of all that the audit draws.
    """

    images: np.ndarray
    labels: np.ndarray
    samples: pd.DataFrame
    predictions: Predictions
    seed: int

    __test__ = False  # for pytest, which takes the name for a test

    @property
    def wrong(self) -> np.ndarray:
        """bool [N]: which images are misclassified, whether or not the recogniser would have abstained."""
        return self.predictions.digit != self.labels

    @property
    def has_writers(self) -> bool:
        """Whether the source says who wrote its digits."""
        return bool(self.samples["writer"].notna().any())

    def at_most(self, count: int) -> int:
        """``count``, or a tenth of the test images where that is less: small sets are audited quickly."""
        return min(count, max(1, len(self.images) // 10))

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that no part's draws depend on another's."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])


@dataclass(frozen=True)
class Answered:
    """The answers to one set of M pictures, and those of its pictures that were kept.

    rows: int [M], of the test images that the pictures were made from, or counted from 0 where they show none.
    kept: pictures, [H, W] in 0..255 or in colour, [H, W, 3], by their place in the set.
    """

    rows: np.ndarray
    predictions: Predictions
    kept: Mapping[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Results(TestSet):
    """All that the judge knows of one network: the test set, and its answers to every set of pictures.

    network, source: its name, and the data it learnt from; version: of the model's bytes.
    sets: by name, as "corruption/fog"; those of a kind by `of`.
    novelty_threshold, least_confidence: by which it abstained: over the one, or under the other.
    bootstrap: how often an interval's resampling is drawn.
    """

    network: str = ""
    source: str = ""
    version: str = ""
    sets: Mapping[str, Answered] = field(default_factory=dict)
    novelty_threshold: float | None = None
    least_confidence: float | None = None
    bootstrap: int = 10_000

    def of(self, kind: str) -> dict[str, Answered]:
        """The sets of one kind, by what follows "kind/" in their names, in the order in which they were asked."""
        prefix = f"{kind}/"
        return {name.removeprefix(prefix): one for name, one in self.sets.items() if name.startswith(prefix)}


def to_tables(sets: Mapping[str, Answered]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of answers and of kept pictures, as they stand in the two files."""
    answers = pd.concat([_rows(name, one) for name, one in sets.items()], ignore_index=True)
    answers["set"] = pd.Categorical(answers["set"], categories=list(sets))
    pictures = pd.DataFrame(
        [
            (name, place, *picture.shape[:2], np.rint(picture).astype(np.uint8).tobytes())
            for name, one in sets.items()
            for place, picture in one.kept.items()
        ],
        columns=["set", "place", "height", "width", "pixels"],
    )
    return answers, pictures


def _rows(name: str, one: Answered) -> pd.DataFrame:
    told = one.predictions
    sets = told.prediction_set
    probabilities = dict(zip(PROBABILITIES, told.probabilities.astype(np.float32).T, strict=True))
    return pd.DataFrame(
        {
            "set": name,
            "row": one.rows.astype(np.int32),
            **probabilities,
            "novelty": told.novelty.astype(np.float32),
            **({} if sets is None else {"prediction_set": (sets @ BITS).astype(np.uint16)}),
            "abstained": told.abstained,
            "reason": pd.Categorical(told.reason, categories=["blank", "not_a_digit", "multiple", "uncertain"]),
        }
    )


def from_tables(answers: pd.DataFrame, pictures: pd.DataFrame) -> dict[str, Answered]:
    """The inverse of `to_tables`."""
    kept: dict[str, dict[int, np.ndarray]] = {}
    for name, place, height, width, pixels in pictures.itertuples(index=False):
        colours = () if len(pixels) == height * width else (3,)
        kept.setdefault(name, {})[place] = np.frombuffer(pixels, np.uint8).reshape(height, width, *colours)
    return {
        str(name): Answered(part["row"].to_numpy(np.int64), _predictions(part), kept.get(str(name), {}))
        for name, part in answers.groupby("set", observed=True, sort=False)
    }


def _predictions(part: pd.DataFrame) -> Predictions:
    probabilities = part[PROBABILITIES].to_numpy(np.float32)
    reason = part["reason"].astype(object)
    sets = part.get("prediction_set")  # a column that is not there where no sets are promised
    return Predictions(
        digit=probabilities.argmax(1),
        confidence=probabilities.max(1),
        probabilities=probabilities,
        novelty=part["novelty"].to_numpy(np.float32),
        prediction_set=None if sets is None else (sets.to_numpy(np.int64)[:, None] & BITS).astype(bool),
        abstained=part["abstained"].to_numpy(bool),
        reason=reason.where(reason.notna(), None).to_numpy(object),
    )


def save(folder: Path, sets: Mapping[str, Answered]) -> None:
    """Write answers.parquet and pictures.parquet to ``folder``; equal answers give equal bytes."""
    answers, pictures = to_tables(sets)
    answers.to_parquet(folder / "answers.parquet", index=False, compression="zstd")
    pictures.to_parquet(folder / "pictures.parquet", index=False, compression="zstd")


def load(folder: Path) -> dict[str, Answered]:
    """Read what `save` wrote."""
    return from_tables(pd.read_parquet(folder / "answers.parquet"), pd.read_parquet(folder / "pictures.parquet"))
