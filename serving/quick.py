"""The common case, quickly: one image that is answered with a digit costs a third of what arrays of one cost."""

import numpy as np
from numpy.typing import NDArray

from serving.recogniser import BLANK_CONTRAST, Recogniser
from serving.schema import Answer, ModelRef

DECIMALS = 10**7  # as many as schema.answers keeps


class Quick:
    """Says for one image what `schema.answers` says of the recogniser's predictions, or nothing where in doubt."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._session = recogniser._session
        self._model = ModelRef(name=recogniser.name, version=recogniser.version)
        self._confident, self._novel, self._conformal = (
            float(np.float32(threshold))  # as NumPy compares it with float32
            for threshold in (
                recogniser.confidence_threshold,
                recogniser.novelty_threshold,
                recogniser.conformal_threshold,
            )
        )

    def answer(self, pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Answer | None:
        """The answer for `pixels`, [1, 28, 28] in 0..255; None where it would abstain."""
        if pixels.max() - pixels.min() < BLANK_CONTRAST:
            return None
        [row], [novelty] = self._session.run(
            ["probabilities", "novelty"], {"pixels": pixels.astype(np.float32, copy=False)}
        )
        probabilities = row.tolist()
        confidence = max(probabilities)
        digits = [digit for digit, probability in enumerate(probabilities) if probability >= self._conformal]
        if confidence < self._confident or novelty > self._novel or not digits:
            return None
        rounded = [round(probability * DECIMALS) / DECIMALS for probability in probabilities]
        return Answer.model_construct(
            digit=probabilities.index(confidence),
            confidence=max(rounded),
            probabilities=rounded,
            prediction_set=digits,
            abstained=False,
            reason=None,
            model=self._model,
        )
