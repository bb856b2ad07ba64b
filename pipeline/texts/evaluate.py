"""Measure the texts' networks on validation and test: texts/reports/accuracy.json.

python -m pipeline.texts.evaluate
"""

import json

import torch
from torch import nn

from pipeline.models.load import with_weights
from pipeline.models.networks import standardise
from pipeline.stage import stage
from pipeline.texts import data, params
from pipeline.texts.paths import ACCURACY, TRAINED


@stage("texts-evaluate")
def main() -> None:
    given = params.load()
    measured = {}
    for name, config in given.networks.items():
        network = with_weights(config, TRAINED / name / "weights.safetensors")
        measured[name] = {
            title: accuracy(network, *map(torch.from_numpy, data.load(config.data, part, given.split)))
            for title, part in data.MEASURED.items()
        }
    ACCURACY.parent.mkdir(parents=True, exist_ok=True)
    ACCURACY.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images, uint8 [N, S, S], that the network gives their labels, uint8 [N]."""
    answers = network(standardise(images.unsqueeze(1) / 255)).argmax(1)
    return (answers == labels).double().mean().item()


if __name__ == "__main__":
    main()
