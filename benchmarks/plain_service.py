"""The plain way to serve a network, as BentoML's quickstart teaches it: a torch model, a JSON array, defaults.

NETWORK=convnet bentoml serve benchmarks.plain_service:Plain
"""

import os

import bentoml
import numpy as np
import torch
from safetensors.torch import load_file

from pipeline import params
from pipeline.models.networks import standardise
from pipeline.paths import TRAINED


@bentoml.service
class Plain:
    def __init__(self) -> None:
        name = os.environ["NETWORK"]
        self.model = params.load(f"networks.{name}").build()
        self.model.load_state_dict(load_file(TRAINED / name / "weights.safetensors"))
        self.model.eval()

    @bentoml.api
    def predict(self, image: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(image).float().reshape(1, 1, 28, 28)
        with torch.no_grad():
            logits = self.model(standardise(pixels / 255))
        return logits.softmax(1).numpy()
