"""The recogniser that is served: one ONNX file and the rules by which it answers or abstains."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from scipy import ndimage

from serving.contract import CLASSES, SIDE

Reason = Literal["blank", "not_a_digit", "multiple", "uncertain"]

BLANK_CONTRAST = 32.0  # an image whose brightest and darkest pixels lie closer together than this holds no ink
INK = 0.3  # share of the strongest ink from which a pixel counts as ink, when strokes are told apart
TALL = 0.6  # each of two digits beside each other is at least this tall, as a share of the height of all ink
TOGETHER = 0.8  # and the two hold at least this share of the ink
NEIGHBOURS = np.zeros((3, 3, 3), bool)
NEIGHBOURS[1] = True  # of a pixel in a stack of images: over edges and corners, all in its own image
CHUNK = 500  # images given to the network at once, which bounds memory and gains nothing from being larger


class ModelError(Exception):
    """The model file is missing, damaged, or not one that this service can serve."""


@dataclass(frozen=True)
class Predictions:
    """What the recogniser says of N images, in their order.

    digit: int64 [N], the most probable digit, also where it abstained.
    confidence: float32 [N], the probability of that digit.
    probabilities: float32 [N, 10], calibrated, each row summing to 1.
    novelty: float32 [N], how far the image lies from the digits that the network learnt from; about 1 for most digits.
    prediction_set: bool [N, 10], the digits that cannot be ruled out, none of them where the image is blank; None where
    the model promises no sets.
    abstained: bool [N].
    reason: object [N], why it abstained, None where it answered.
    """

    digit: NDArray[np.int64]
    confidence: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    novelty: NDArray[np.float32]
    prediction_set: NDArray[np.bool_] | None
    abstained: NDArray[np.bool_]
    reason: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.digit)


class Recogniser:
    """Answers which digit an image shows, or abstains.

    name: the network's; source: the data it learnt from; run_key: the training run that made it.
    sha256: of the model file; version: its first 12 digits, which stand in every answer.
    confidence_threshold: below it the answer is withheld as "uncertain".
    novelty_threshold: above it the image is "not_a_digit".
    conformal_threshold: a digit at least this probable belongs to the prediction set (least ambiguous set-valued
    classifier: Sadinle, Lei and Wasserman 2019, JASA 114); None where the file has 0, which would rule nothing out: too
    few labels to promise sets by.
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
        self.confidence_threshold = _number(metadata, "confidence_threshold", path, 1)
        self.novelty_threshold = _number(metadata, "novelty_threshold", path, np.inf)
        self.conformal_threshold = _number(metadata, "conformal_threshold", path, 1) or None

        inputs = {item.name: item.shape[1:] for item in self._session.get_inputs()}
        outputs = {item.name for item in self._session.get_outputs()}
        if inputs != {"pixels": [SIDE, SIDE]} or not outputs >= {"probabilities", "novelty"}:
            raise ModelError(
                f"{path} takes {inputs} and gives {sorted(outputs)};"
                f" expected the input pixels [N, {SIDE}, {SIDE}] and the outputs probabilities and novelty:"
                " a model of an earlier version must be trained again"
            )

    @property
    def least_confidence(self) -> float:
        """Below it the answer is withheld as "uncertain": also where the prediction set would be empty."""
        return max(self.confidence_threshold, self.conformal_threshold or 0.0)

    def predict(self, pixels: NDArray[np.float32]) -> Predictions:
        """Answer for `pixels`, float32 [N, 28, 28] in 0..255, ink bright on a dark ground.

        Raises ValueError for another shape or type, or for values that are not finite or out of range.
        """
        if pixels.ndim != 3 or pixels.shape[1:] != (SIDE, SIDE) or pixels.dtype != np.float32:
            raise ValueError(f"pixels are {pixels.dtype} {list(pixels.shape)}; expected float32 [N, {SIDE}, {SIDE}]")
        if not ((pixels >= 0) & (pixels <= 255)).all():
            raise ValueError("pixels must be finite and lie in 0..255")
        probabilities, novelty = self.look(pixels)
        confidence = probabilities.max(axis=1)
        blank = np.ptp(pixels, axis=(1, 2)) < BLANK_CONTRAST
        prediction_set = None
        uncertain = confidence < self.least_confidence
        if self.conformal_threshold is not None:
            prediction_set = (probabilities >= self.conformal_threshold) & ~blank[:, None]
        novel = novelty > self.novelty_threshold
        reason = np.full(len(pixels), None, dtype=object)
        reason[uncertain] = "uncertain"
        reason[novel] = "not_a_digit"
        reason[blank] = "blank"
        in_doubt = np.flatnonzero((novel | uncertain) & ~blank)
        reason[in_doubt[_multiple(pixels[in_doubt])]] = "multiple"
        return Predictions(
            digit=probabilities.argmax(axis=1),
            confidence=confidence,
            probabilities=probabilities,
            novelty=novelty,
            prediction_set=prediction_set,
            abstained=blank | novel | uncertain,
            reason=reason,
        )

    def look(self, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The network's own answer, without any rules: probabilities, float32 [N, 10], and novelty, float32 [N]."""
        probabilities, novelty = np.empty((len(pixels), CLASSES), np.float32), np.empty(len(pixels), np.float32)
        for start in range(0, len(pixels), CHUNK):
            chunk = slice(start, start + CHUNK)
            probabilities[chunk], novelty[chunk] = self._session.run(
                ["probabilities", "novelty"], {"pixels": pixels[chunk]}
            )
        return probabilities, novelty


def _multiple(pixels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the images, float32 [M, 28, 28], hold two strokes beside each other, both tall, and little else.

    bool [M]. The connected components at the far left and at the far right are compared.
    """
    if not len(pixels):
        return np.zeros(0, bool)
    ink = pixels >= INK * pixels.max(axis=(1, 2), keepdims=True)
    labels, count = ndimage.label(ink, NEIGHBOURS)
    columns = np.where(ink.any(axis=1), np.arange(SIDE), -1)
    right = columns == columns.max(axis=1, keepdims=True)
    left = columns == np.where(columns < 0, SIDE, columns).min(axis=1, keepdims=True)
    first, last = (_components(labels, count, ink & side[:, None]) for side in (left, right))
    height = np.stack([part.any(axis=2).sum(axis=1) for part in (first, last)]).min(axis=0)
    apart = ~(first & last).any(axis=(1, 2))
    together = (first | last).sum(axis=(1, 2))
    tall = height >= TALL * ink.any(axis=2).sum(axis=1)
    return np.asarray(apart & tall & (together >= TOGETHER * ink.sum(axis=(1, 2))))


def _components(labels: NDArray[np.signedinteger], count: int, part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the components, numbered from 1 to `count` in `labels`, [M, 28, 28], that `part` is of: bool alike."""
    wanted = np.zeros(count + 1, bool)
    wanted[labels[part]] = True
    return wanted[labels]


def _text(metadata: Mapping[str, str], key: str, path: Path) -> str:
    if not metadata.get(key):
        raise ModelError(f"{path} lacks {key} in its metadata; it holds {sorted(metadata) or 'none'}")
    return metadata[key]


def _number(metadata: Mapping[str, str], key: str, path: Path, highest: float) -> float:
    text = _text(metadata, key, path)
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= highest:
        raise ModelError(f"{path} has {key} = {text!r} in its metadata; expected a number in 0..{highest:g}")
    return value
