"""The recogniser that is served: one ONNX file and the rules by which it answers or abstains."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Reason = Literal["blank", "not_a_digit", "multiple", "uncertain"]

SIDE = 28
CLASSES = 10
BLANK_CONTRAST = 32.0  # an image whose brightest and darkest pixels lie closer together than this holds no ink
CHUNK = 500  # images given to the network at once, which bounds memory and gains nothing from being larger


class ModelError(Exception):
    """The model file is missing, damaged, or not one that this service can serve."""


@dataclass(frozen=True)
class Predictions:
    """What the recogniser says of N images, in their order.

    digit: int64 [N], the most probable digit, also where it abstained.
    confidence: float32 [N], the probability of that digit.
    probabilities: float32 [N, 10], calibrated, each row summing to 1.
    prediction_set: bool [N, 10], the digits that cannot be ruled out; none where the image is blank.
    abstained: bool [N].
    reason: object [N], why it abstained, None where it answered.
    """

    digit: NDArray[np.int64]
    confidence: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    prediction_set: NDArray[np.bool_]
    abstained: NDArray[np.bool_]
    reason: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.digit)


class Recogniser:
    """Answers which digit an image shows, or abstains.

    name: the network's; source: the data it learnt from; run_key: the training run that made it.
    sha256: of the model file; version: its first 12 digits, which stand in every answer.
    confidence_threshold: below it the answer is withheld as "uncertain".
    conformal_threshold: a digit at least this probable belongs to the prediction set (least ambiguous set-valued
    classifier: Sadinle, Lei and Wasserman 2019, JASA 114).
    """

    def __init__(self, path: Path) -> None:
        """Load the model at `path`. Raises ModelError if it is missing, damaged, or lacks its metadata."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {path}: {error.strerror}") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class of its own for each way a file can be damaged
            raise ModelError(f"{path} is not a model that ONNX Runtime can load: {error}") from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.version = self.sha256[:12]

        metadata = self._session.get_modelmeta().custom_metadata_map
        self.name = _text(metadata, "name", path)
        self.run_key = _text(metadata, "run_key", path)
        self.source = _text(metadata, "source", path)
        self.confidence_threshold = _probability(metadata, "confidence_threshold", path)
        self.conformal_threshold = _probability(metadata, "conformal_threshold", path)

        inputs = {item.name: item.shape[1:] for item in self._session.get_inputs()}
        outputs = {item.name for item in self._session.get_outputs()}
        if inputs != {"pixels": [SIDE, SIDE]} or "probabilities" not in outputs:
            raise ModelError(
                f"{path} takes {inputs} and gives {sorted(outputs)};"
                f" expected the input pixels [N, {SIDE}, {SIDE}] and the output probabilities"
            )

    def predict(self, pixels: NDArray[np.float32]) -> Predictions:
        """Answer for `pixels`, float32 [N, 28, 28] in 0..255, ink bright on a dark ground.

        Raises ValueError for another shape or type, or for values that are not finite or out of range.
        """
        if pixels.ndim != 3 or pixels.shape[1:] != (SIDE, SIDE) or pixels.dtype != np.float32:
            raise ValueError(f"pixels are {pixels.dtype} {list(pixels.shape)}; expected float32 [N, {SIDE}, {SIDE}]")
        if not ((pixels >= 0) & (pixels <= 255)).all():
            raise ValueError("pixels must be finite and lie in 0..255")
        probabilities = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), CHUNK):
            (probabilities[start : start + CHUNK],) = self._session.run(
                ["probabilities"], {"pixels": pixels[start : start + CHUNK]}
            )

        confidence = probabilities.max(axis=1)
        blank = np.ptp(pixels, axis=(1, 2)) < BLANK_CONTRAST
        prediction_set = (probabilities >= self.conformal_threshold) & ~blank[:, None]
        uncertain = (confidence < self.confidence_threshold) | ~prediction_set.any(axis=1)
        reason = np.full(len(pixels), None, dtype=object)
        reason[uncertain] = "uncertain"
        reason[blank] = "blank"
        return Predictions(
            digit=probabilities.argmax(axis=1),
            confidence=confidence,
            probabilities=probabilities,
            prediction_set=prediction_set,
            abstained=blank | uncertain,
            reason=reason,
        )


def _text(metadata: Mapping[str, str], key: str, path: Path) -> str:
    if not metadata.get(key):
        raise ModelError(f"{path} lacks {key} in its metadata; it holds {sorted(metadata) or 'none'}")
    return metadata[key]


def _probability(metadata: Mapping[str, str], key: str, path: Path) -> float:
    text = _text(metadata, key, path)
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise ModelError(f"{path} has {key} = {text!r} in its metadata; expected a number in 0..1")
    return value
