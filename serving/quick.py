"""Answers as JSON, quickly: past pydantic, which costs ten times as much, and for one image past NumPy as well."""

import json
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from serving.recogniser import BLANK_CONTRAST, CLASSES, Predictions, Reason, Recogniser
from serving.schema import ModelRef

OUTPUTS = ["probabilities", "novelty"]
DECIMALS = 7  # as many as schema.answers keeps
SCALE = 10**DECIMALS
NUMBERS: TypeAdapter[list[list[float]]] = TypeAdapter(list[list[float]])
REASONS = {reason: json.dumps(reason) for reason in (None, *get_args(Reason))}
SETS = [  # the JSON of each set of digits: bit d of the index stands for the digit d
    json.dumps([digit for digit in range(CLASSES) if members >> digit & 1]) for members in range(1 << CLASSES)
]


class Told(NamedTuple):
    """An answer. json: of it as schema.Answer. confidence: not rounded."""

    digit: int
    confidence: float
    json: str


class Quick:
    """Says what `schema.answers` says of the recogniser's predictions."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._session = recogniser._session
        self._model = ModelRef(name=recogniser.name, version=recogniser.version).model_dump_json()
        self._confident, self._novel, self._conformal = (
            float(np.float32(threshold))  # as NumPy compares it with float32
            for threshold in (
                recogniser.confidence_threshold,
                recogniser.novelty_threshold,
                recogniser.conformal_threshold,
            )
        )

    def answer(self, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Told | None:
        """The answer for `pixels`, [1, 28, 28] in 0..255; None where it would abstain."""
        if pixels.max() - pixels.min() < BLANK_CONTRAST:
            return None
        [row], [novelty] = self._session.run(OUTPUTS, {"pixels": pixels.astype(np.float32, copy=False)})
        probabilities = row.tolist()
        confidence = max(probabilities)
        members = [digit for digit, probability in enumerate(probabilities) if probability >= self._conformal]
        if confidence < self._confident or novelty > self._novel or not members:
            return None
        digit = probabilities.index(confidence)
        rounded = [round(probability * SCALE) / SCALE for probability in probabilities]
        numbers = NUMBERS.dump_json([rounded])[1:-1].decode()
        return Told(
            digit,
            confidence,
            f'{{"digit":{digit},"confidence":{rounded[digit]},"probabilities":{numbers},'
            f'"prediction_set":{members},"abstained":false,"reason":null,"model":{self._model}}}',
        )

    def answers(self, predictions: Predictions) -> list[str]:
        """The JSON of each answer."""
        probabilities = predictions.probabilities.astype(np.float64).round(DECIMALS)
        rows = NUMBERS.dump_json(probabilities.tolist())[2:-2].decode().split("],[")
        columns = (
            predictions.digit,
            probabilities.max(axis=1),
            predictions.prediction_set @ (1 << np.arange(CLASSES)),
            predictions.reason,
        )
        return [
            f'{{"digit":{digit if reason is None else "null"},"confidence":{confidence},"probabilities":[{row}],'
            f'"prediction_set":{SETS[members]},"abstained":{"false" if reason is None else "true"},'
            f'"reason":{REASONS[reason]},"model":{self._model}}}'
            for row, digit, confidence, members, reason in zip(
                rows, *(column.tolist() for column in columns), strict=True
            )
        ]
