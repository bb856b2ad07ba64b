"""A network's convolutions in integers of eight bits, which halves the time that an answer takes."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

BATCH = 50  # images given to the network at once
PERCENTILE = 99.999
"""Of an activation's values, those that its range holds: by the few beyond, all others would be told apart less."""


def quantised(model: bytes, images: np.ndarray) -> bytes:
    """The ONNX model with all its convolutions but the first in integers (Jacob et al. 2018, arXiv 1712.05877).

    Every output channel's weights have a scale of their own, and every activation the range that ``images``, uint8
    [N, 28, 28] with N a multiple of BATCH, bring about. Weights take seven bits: with eight, sums overflow on a
    processor without VNNI instructions, and answers would depend on it. The first convolution, of a single channel,
    gains nothing.
    """
    whole = onnx.load_from_string(model)
    kinds = {kind: [node.name for node in whole.graph.node if node.op_type == kind] for kind in ("Conv", "Relu")}
    if not kinds["Conv"]:
        return model
    logging.getLogger().addFilter(_is_no_advice)
    try:
        with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):  # it prints how it goes
            path = Path(folder) / "model.onnx"
            quantize_static(
                whole,
                path,
                Batches(images),
                quant_format=QuantFormat.QDQ,
                calibrate_method=CalibrationMethod.Percentile,
                op_types_to_quantize=list(kinds),
                nodes_to_quantize=[name for names in kinds.values() for name in names[1:]],
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options={"CalibPercentile": PERCENTILE},
            )
            return path.read_bytes()
    finally:
        logging.getLogger().removeFilter(_is_no_advice)


class Batches(CalibrationDataReader):
    """Images, uint8 [N, 28, 28], as the quantisation asks for them."""

    def __init__(self, images: np.ndarray) -> None:
        self._batches = _batches(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, or None after the last."""
        return next(self._batches, None)


def _batches(images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(images), BATCH):
        yield {"pixels": images[start : start + BATCH].astype(np.float32)}


def _is_no_advice(record: logging.LogRecord) -> bool:
    """Whether a message is other than the advice to optimise the graph first, which would gain nothing here."""
    return "pre-processing before quantization" not in record.getMessage()
