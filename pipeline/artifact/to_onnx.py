"""Export a network to ONNX, with its preprocessing, its temperature and its measure of novelty inside the graph."""

import logging
import warnings
from dataclasses import asdict

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from pipeline.artifact.calibrate import Thresholds
from pipeline.artifact.novelty import Novelty, look
from pipeline.models.networks import standardise

BATCH = 1000  # images given to the network at once


class Served(nn.Module):
    """From raw pixels, float32 [N, 28, 28] in 0 to 255, to what is served.

    Calibrated probabilities and logits, float32 [N, 10], and novelty, float32 [N].
    """

    def __init__(self, network: nn.Module, temperature: float, novelty: Novelty) -> None:
        super().__init__()
        self.network, self.temperature, self.novelty = network, temperature, novelty

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, features = look(self.network, prepared(pixels))
        logits = logits / self.temperature
        return logits.softmax(1), logits, self.novelty(features)


def prepared(pixels: Tensor) -> Tensor:
    """Pixels, float [N, 28, 28] in 0 to 255, as the network takes them, float [N, 1, 28, 28]."""
    return standardise(pixels / 255).unsqueeze(1)


@torch.no_grad()
def observe(network: nn.Module, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Uncalibrated logits, float32 [N, 10], and features, float32 [N, D], of images, uint8 [N, 28, 28]."""
    network.eval()
    seen = [look(network, prepared(batch.float())) for batch in torch.from_numpy(images).split(BATCH)]
    logits, features = (torch.cat(parts).numpy() for parts in zip(*seen, strict=True))
    return logits, features


def logits_of(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """The logits of ``observe`` alone."""
    return observe(network, images)[0]


def to_onnx(network: nn.Module, temperature: float, novelty: Novelty) -> bytes:
    """One self-contained ONNX model: from pixels to probabilities, logits and novelty, as ``Served``.

    The same weights give the same bytes: the exporter's traces of source files and paths are stripped.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Served(network, temperature, novelty).eval(),
            (torch.zeros(2, 28, 28),),
            input_names=["pixels"],
            output_names=["probabilities", "logits", "novelty"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def answers(model: bytes, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the model says of images, uint8 [N, 28, 28]: probabilities, float32 [N, 10], and novelty, float32 [N]."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    seen = [
        session.run(["probabilities", "novelty"], {"pixels": images[start : start + BATCH].astype(np.float32)})
        for start in range(0, len(images), BATCH)
    ]
    probabilities, novelty = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    return probabilities, novelty


def labelled(model: bytes, identity: dict[str, str], thresholds: Thresholds) -> bytes:
    """The ONNX model with ``identity`` and the thresholds in its metadata, and nothing else there."""
    whole = onnx.load_from_string(model)
    del whole.metadata_props[:]
    numbers = {name: repr(value) for name, value in asdict(thresholds).items()}
    onnx.helper.set_model_props(whole, identity | numbers)
    return whole.SerializeToString(deterministic=True)
