"""The common case, quickly: one image that is answered with a digit costs a third of what arrays of one cost."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.recogniser import BLANK_CONTRAST, Recogniser
from serving.schema import DECIMALS, NUMBERS, model_json

OUTPUTS = ["probabilities", "novelty"]
SCALE = 10**DECIMALS


class Quickly(NamedTuple):
    """json: of the Answer. confidence: not rounded."""

    digit: int
    confidence: float
    json: str


class Quick:
    """Says for one image what `schema.answers` says of the recogniser's predictions, or nothing where in doubt."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._session = recogniser._session
        self._model = model_json(recogniser)
        self._confident, self._novel, self._conformal = (
            float(np.float32(threshold))  # as NumPy compares it with float32
            for threshold in (
                recogniser.confidence_threshold,
                recogniser.novelty_threshold,
                recogniser.conformal_threshold,
            )
        )

    def answer(self, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Quickly | None:
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
        return Quickly(
            digit,
            confidence,
            f'{{"digit":{digit},"confidence":{rounded[digit]},"probabilities":{NUMBERS.dump_json([rounded])[1:-1].decode()},'
            f'"prediction_set":{members},"abstained":false,"reason":null,"model":{self._model}}}',
        )
