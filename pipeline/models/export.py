"""Export a network to ONNX, with its preprocessing and its calibration inside the graph."""

import logging
import warnings

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from pipeline.models.calibrate import Calibrated
from pipeline.models.networks import MEAN, STD


class Served(nn.Module):
    """From raw pixels, float32 [N, 28, 28] in 0 to 255, to calibrated probabilities and logits, float32 [N, 10]."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(((pixels / 255 - MEAN) / STD).unsqueeze(1)) / self.temperature
        return logits.softmax(1), logits


@torch.no_grad()
def logits_of(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Uncalibrated logits, float32 [N, 10], of images, uint8 [N, 28, 28]."""
    served = Served(network, temperature=1.0).eval()
    batches = torch.from_numpy(images).split(1000)
    return torch.cat([served(batch.float())[1] for batch in batches]).numpy()


def to_onnx(network: nn.Module, calibrated: Calibrated, identity: dict[str, str]) -> bytes:
    """One self-contained ONNX model; ``identity`` and the thresholds stand in its metadata.

    The same weights give the same bytes: the exporter's traces of source files and paths are stripped.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Served(network, calibrated.temperature).eval(),
            (torch.zeros(2, 28, 28),),
            input_names=["pixels"],
            output_names=["probabilities", "logits"],
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
        "conformal_threshold": repr(calibrated.conformal_threshold),
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)
