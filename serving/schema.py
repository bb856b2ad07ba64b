"""What the service takes and gives, as pydantic models, each with examples for the documentation."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving import errors
from serving.contract import CLASSES, MAX_BATCH, SIDE
from serving.errors import ApiError
from serving.model.recogniser import Predictions, Reason, Recogniser

MAX_COMMAS = MAX_BATCH * SIDE * SIDE + 10  # that the largest batch needs, and a few more
MAX_QUOTES = 100  # far more than there are names, but few enough to say which one is wrong
LONGEST_NAME = 40  # characters of a name that are told again
LISTS = ("a list of images", "an image, a list of rows", f"a row of {SIDE} numbers")
DECIMALS = 7  # of a probability
SETS = [[digit for digit in range(CLASSES) if members >> digit & 1] for members in range(1 << CLASSES)]
"""Each set of digits: bit d of the index stands for the digit d."""

Json = dict[str, Any]
Pixel = Annotated[float, Field(strict=True, ge=0, le=255, allow_inf_nan=False)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Image = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Probability = Annotated[float, Field(ge=0, le=1)]

_ONE = [[255 if column in (13, 14) and 4 <= row < 24 else 0 for column in range(SIDE)] for row in range(SIDE)]
_MODEL = {"name": "convnet", "version": "0123456789ab"}
_SEVEN = {
    "digit": 7,
    "confidence": 0.9982,
    "probabilities": [0.0, 0.0001, 0.0003, 0.0004, 0.0, 0.0001, 0.0, 0.9982, 0.0002, 0.0007],
    "prediction_set": [7],
    "abstained": False,
    "reason": None,
    "model": _MODEL,
}
_BLANK = {
    **_SEVEN,
    "digit": None,
    "confidence": 0.1,
    "probabilities": [0.1] * CLASSES,
    "prediction_set": [],
    "abstained": True,
    "reason": "blank",
}


class Strict(BaseModel):
    """Takes and gives nothing but its fields. examples: by name, what its JSON may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    examples: ClassVar[Mapping[str, Json]] = {}


class PixelsBody(Strict):
    """The JSON body of POST /predict_pixels: one image, or a batch of them, and the scale of their values."""

    pixels: Image | None = None
    batch: Annotated[list[Image], Field(min_length=1, max_length=MAX_BATCH, fail_fast=True)] | None = None
    scale: Literal["0-255", "0-1"] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [field], "properties": {field: {"type": "array"}}} for field in ("pixels", "batch")]
        }
    )
    examples: ClassVar[Mapping[str, Json]] = {
        "one": {"pixels": _ONE, "scale": "0-255"},
        "batch": {"batch": [_ONE, _ONE]},
    }

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.pixels is None) == (self.batch is None):
            raise ValueError("Send either pixels, one image, or batch, a list of images")
        brightest = self._values().max()
        if self.scale == "0-1" and brightest > 1:
            raise ValueError(f'The scale is "0-1" but a value is {brightest:g}')
        if self.scale is None and 0 < brightest <= 1:
            raise ValueError('Every value lies in 0..1: say which scale is meant, "scale": "0-1" or "0-255"')
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
    """The answer for one image. `digit` is null where the recogniser abstained, and `reason` says why.

    `prediction_set` holds the digits that cannot be ruled out; it is null where the model was calibrated by too few
    labels to promise that.
    """

    digit: Annotated[int, Field(ge=0, le=9)] | None
    confidence: Probability
    probabilities: Annotated[list[Probability], Field(min_length=CLASSES, max_length=CLASSES)]
    prediction_set: list[int] | None
    abstained: bool
    reason: Reason | None
    model: ModelRef

    examples: ClassVar[Mapping[str, Json]] = {"digit": _SEVEN, "abstained": _BLANK}


class Answers(Strict):
    """The answers for a batch, in its order."""

    predictions: list[Answer]

    examples: ClassVar[Mapping[str, Json]] = {"batch": {"predictions": [_SEVEN, _BLANK]}}


class ModelInfo(Strict):
    """GET /model: what is served, and where it came from.

    `conformal_threshold` is null where no prediction sets are promised.
    """

    name: str
    version: str
    sha256: str
    source: str
    run_key: str
    confidence_threshold: float
    novelty_threshold: float
    conformal_threshold: float | None

    examples: ClassVar[Mapping[str, Json]] = {
        "model": {
            **_MODEL,
            "sha256": "0123456789ab" + "0" * 52,
            "source": "mnist",
            "run_key": "0123456789abcdef",
            "confidence_threshold": 0.6,
            "novelty_threshold": 2.5,
            "conformal_threshold": 0.05,
        }
    }


class ErrorDetail(Strict):
    """A code for programs and a message for people."""

    code: Annotated[str, Field(pattern="^[a-z_]+$")]
    message: str


class ErrorBody(Strict):
    """The one shape of every error."""

    error: ErrorDetail
    request_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


def parse_pixels(body: bytes) -> PixelsBody:
    """Read a JSON body. Raises ApiError: 400 if it is not JSON, 413 if the batch is too long, else 422.

    What holds more than the largest batch is refused unparsed: a parsed value takes a hundred times its bytes.
    """
    if body.count(b",") > MAX_COMMAS:
        raise errors.BATCH_TOO_LARGE()
    if body.count(b'"') > MAX_QUOTES:
        raise errors.UNKNOWN_NAMES()
    try:
        return PixelsBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise errors.MALFORMED_JSON(first["msg"].removeprefix("Invalid JSON: "))
    if first["type"] == "too_long" and first["loc"] == ("batch",):
        raise errors.BATCH_TOO_LARGE()
    raise _invalid(first)


Asked = TypeVar("Asked", bound=Strict)


def parse_query(model: type[Asked], given: Iterable[tuple[str, str]]) -> Asked:
    """What a query asks, by its names and values. Raises ApiError 422 where it says anything else, or a thing twice."""
    pairs = list(given)
    if len({name for name, _ in pairs}) < len(pairs):
        raise errors.WRONG_QUESTION("There is a name that stands twice in the query")
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    name = orjson.dumps(str(first["loc"][0])[:LONGEST_NAME]).decode()
    if first["type"] == "extra_forbidden":
        raise errors.WRONG_QUESTION(f"There is no {name} to ask for: only {', '.join(model.model_fields)}")
    raise errors.WRONG_QUESTION(f"{name}: {first['msg']}")


def _invalid(found: Mapping[str, Any]) -> ApiError:
    """The error for what pydantic found in a body: it names the place, and what should stand there."""
    kind, place = found["type"], found["loc"]
    if kind == "value_error":
        return errors.INVALID_PIXELS(found["msg"].removeprefix("Value error, "))
    if not place:
        return errors.NOT_AN_OBJECT()
    if kind == "extra_forbidden":
        return errors.UNKNOWN_FIELD(orjson.dumps(str(place[0])[:LONGEST_NAME]).decode())
    where = "".join(f"[{part}]" if isinstance(part, int) else part for part in place)
    rows = len(place) - (place[0] == "batch")  # how deep in one image: 1 at itself, 2 at a row, 3 at a value
    match kind:
        case "literal_error":
            return errors.WRONG_SCALE()
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            return errors.OUT_OF_RANGE(where)
        case "list_type":
            return errors.NO_LIST(where, LISTS[rows])
        case "too_short" | "too_long" if rows:
            return errors.WRONG_LENGTH(where, found["ctx"]["actual_length"], "rows" if rows == 1 else "numbers")
        case "too_short":
            return errors.EMPTY_BATCH()
    return errors.NO_NUMBER(where)


def answers(predictions: Predictions, recogniser: Recogniser) -> list[Json]:
    """For each image what `Answer` describes, as a dictionary: models would cost more than all the rest of it."""
    model = {"name": recogniser.name, "version": recogniser.version}
    probabilities = predictions.probabilities.astype(np.float64).round(DECIMALS)
    columns = (
        predictions.digit,
        probabilities.max(axis=1),
        probabilities,
        predictions.abstained,
        predictions.reason,
    )
    return [
        {
            "digit": None if abstained else digit,
            "confidence": confidence,
            "probabilities": row,
            "prediction_set": members,
            "abstained": abstained,
            "reason": reason,
            "model": model,
        }
        for digit, confidence, row, abstained, reason, members in zip(
            *(column.tolist() for column in columns), _sets(predictions), strict=True
        )
    ]


def _sets(predictions: Predictions) -> list[list[int]] | list[None]:
    """Each image's prediction set, or None for each."""
    if predictions.prediction_set is None:
        return [None] * len(predictions)
    return [SETS[members] for members in (predictions.prediction_set @ (1 << np.arange(CLASSES))).tolist()]
