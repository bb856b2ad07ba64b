"""The page's card of the model: the audit's figures, where the model came from, and what it gets wrong."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import SOURCES
from pipeline.report import model_card
from serving.model.recogniser import Recogniser

SHOWN = 24


def make(
    verdicts: Mapping[str, Any],
    run: Mapping[str, Any],
    recogniser: Recogniser,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> dict[str, Any]:
    """The card, ready for JSON.

    Args:
        verdicts: what the champion's verdicts file says; run: what its run.json says.
        images, labels: the test set, uint8 [N, 28, 28] and [N].
    """
    return {
        "kind": model_card.kind(run),
        "data": SOURCES[verdicts["source"]].description,
        "verdict": model_card.verdict(verdicts["gates"]),
        "figures": verdicts["gates"],
        "params": run["inputs"]["params"],
        "mistakes": mistakes(recogniser, images, labels),
    }


def mistakes(recogniser: Recogniser, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """How many of the images were answered and how many of those wrongly, with the surest of the wrong answers."""
    found = recogniser.predict(images.astype(np.float32))
    wrong = np.flatnonzero(~found.abstained & (found.digit != labels))
    surest = wrong[np.argsort(-found.confidence[wrong], kind="stable")][:SHOWN]
    return {
        "images": len(images),
        "answered": int((~found.abstained).sum()),
        "wrong": len(wrong),
        "surest": [
            {
                "pixels": base64.b64encode(images[row].tobytes()).decode(),
                "label": int(labels[row]),
                "digit": int(found.digit[row]),
                "confidence": round(float(found.confidence[row]), 4),
            }
            for row in surest
        ],
    }
