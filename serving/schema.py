"""What the service takes and gives, as pydantic models."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.errors import ApiError
from serving.model.recogniser import CLASSES, SIDE, Predictions, Reason, Recogniser

MAX_BATCH = 1000
MOST_COMMAS = MAX_BATCH * SIDE * SIDE + 10  # that the largest batch needs, and a few more
MOST_QUOTES = 100  # far more than there are names, but few enough to say which one is wrong

Pixel = Annotated[float, Field(strict=True, ge=0, le=255, allow_inf_nan=False)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Image = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PixelsBody(Strict):
    """The JSON body of POST /predict_pixels: one image, or a batch of them, and the scale of their values."""

    pixels: Image | None = None
    batch: Annotated[list[Image], Field(min_length=1, max_length=MAX_BATCH, fail_fast=True)] | None = None
    scale: Literal["0-255", "0-1"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.pixels is None) == (self.batch is None):
            raise ValueError("give either pixels, one image, or batch, a list of images")
        brightest = self._values().max()
        if self.scale == "0-1" and brightest > 1:
            raise ValueError(f'the scale is "0-1" but a value is {brightest:g}')
        if self.scale is None and 0 < brightest <= 1:
            raise ValueError('every value lies in 0..1: say which scale is meant, "scale": "0-1" or "0-255"')
        return self

    def _values(self) -> NDArray[np.float32]:
        images = self.batch if self.batch is not None else [self.pixels]
        return np.asarray(images, dtype=np.float32)

    def as_array(self) -> NDArray[np.float32]:
        """The images, float32 [N, 28, 28] in 0..255."""
        return self._values() * np.float32(255 if self.scale == "0-1" else 1)


class ModelRef(Strict):
    """Which model answered: its name, and the first 12 digits of its file's sha256."""

    name: str
    version: str


class Answer(Strict):
    """The answer for one image. `digit` is null where the recogniser abstained, and `reason` says why."""

    digit: Annotated[int, Field(ge=0, le=9)] | None
    confidence: Probability
    probabilities: Annotated[list[Probability], Field(min_length=CLASSES, max_length=CLASSES)]
    prediction_set: list[int]
    abstained: bool
    reason: Reason | None
    model: ModelRef


class Answers(Strict):
    """The answers for a batch, in its order."""

    predictions: list[Answer]


class ModelInfo(Strict):
    """GET /model: what is served, and where it came from."""

    name: str
    version: str
    sha256: str
    source: str
    run_key: str
    confidence_threshold: float
    novelty_threshold: float
    conformal_threshold: float


def parse_pixels(body: bytes) -> PixelsBody:
    """Read a JSON body. Raises ApiError: 400 if it is not JSON, 413 if the batch is too long, else 422.

    What holds more than the largest batch is refused unparsed: a parsed value takes a hundred times its bytes.
    """
    if body.count(b",") > MOST_COMMAS:
        raise too_large()
    if body.count(b'"') > MOST_QUOTES:
        raise ApiError(422, "invalid_pixels", "There are names or texts beyond pixels, batch and scale.")
    try:
        return PixelsBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise ApiError(400, "malformed_json", f"The body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}.")
    if first["type"] == "too_long" and first["loc"] == ("batch",):
        raise too_large()
    where = "".join(f"[{part}]" if isinstance(part, int) else str(part)[:40] for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    raise ApiError(422, "invalid_pixels", f"{where}: {message}." if where else f"{message[0].upper()}{message[1:]}.")


def too_large() -> ApiError:
    """The refusal of more images than one request may hold."""
    return ApiError(413, "batch_too_large", f"A batch holds at most {MAX_BATCH:,} images.")


def answers(predictions: Predictions, recogniser: Recogniser) -> list[Answer]:
    """The recogniser's arrays as one answer per image."""
    model = ModelRef(name=recogniser.name, version=recogniser.version)
    probabilities = predictions.probabilities.astype(np.float64).round(7)
    confidences = predictions.confidence.astype(np.float64).round(7)
    return [
        Answer.model_construct(
            digit=None if abstained else digit,
            confidence=confidence,
            probabilities=row,
            prediction_set=np.flatnonzero(members).tolist(),
            abstained=abstained,
            reason=reason,
            model=model,
        )
        for digit, confidence, row, members, abstained, reason in zip(
            predictions.digit.tolist(),
            confidences.tolist(),
            probabilities.tolist(),
            predictions.prediction_set,
            predictions.abstained.tolist(),
            predictions.reason,
            strict=True,
        )
    ]
