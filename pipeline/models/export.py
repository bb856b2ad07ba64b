"""Export a network to ONNX, with its preprocessing, its calibration and its measure of novelty inside the graph."""

import logging
import warnings

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from pipeline.models.calibrate import Calibrated
from pipeline.models.networks import standardise
from pipeline.models.novelty import Novelty, look


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
    seen = [look(network, prepared(batch.float())) for batch in torch.from_numpy(images).split(1000)]
    logits, features = (torch.cat(parts).numpy() for parts in zip(*seen, strict=True))
    return logits, features


def logits_of(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """The logits of ``observe`` alone."""
    return observe(network, images)[0]


def to_onnx(network: nn.Module, calibrated: Calibrated, novelty: Novelty, identity: dict[str, str]) -> bytes:
    """One self-contained ONNX model; ``identity`` and the thresholds stand in its metadata.

    The same weights give the same bytes: the exporter's traces of source files and paths are stripped.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Served(network, calibrated.temperature, novelty).eval(),
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
    metadata = {
        **identity,
        "confidence_threshold": repr(calibrated.confidence_threshold),
        "novelty_threshold": repr(calibrated.novelty_threshold),
        "conformal_threshold": repr(calibrated.conformal_threshold),
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)
