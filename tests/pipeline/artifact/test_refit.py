"""The last layer fitted again: it learns forms that were lacking, and keeps to what it was where it is told to."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.artifact.refit import refit
from pipeline.artifact.to_onnx import logits_of
from pipeline.params import Refit, load


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = load("networks.mlp").model_copy(update={"hidden": [40]}).build()
    network(torch.randn(64, 1, 28, 28))
    return network.eval()


def bands(digits: np.ndarray, left: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 [N, 28, 28], that tell their digit by the height of a band which begins at ``left``."""
    images = np.zeros((len(digits), 28, 28), np.uint8)
    for image, digit in zip(images, digits, strict=True):
        image[2 * digit + 3 : 2 * digit + 8, left : left + 8] = 200
    return images, digits.astype(np.uint8)


TRAIN, FORMS = bands(np.arange(400) % 10, 4), bands(np.arange(100) % 10, 16)


def accuracy(network: nn.Module, digits: tuple[np.ndarray, np.ndarray]) -> float:
    return float((logits_of(network, digits[0]).argmax(1) == digits[1]).mean())


def test_it_learns_the_forms_too_and_leaves_the_given_network_alone(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fitted = refit(network, TRAIN, FORMS, Refit(forms=0.1, penalty=1e-6))
    assert accuracy(fitted, TRAIN) == 1
    assert accuracy(fitted, FORMS) == 1
    assert accuracy(refit(network, TRAIN, FORMS, Refit(forms=1e-9, penalty=1e-6)), FORMS) < 0.9
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    changed = {name for name, tensor in fitted.state_dict().items() if not torch.equal(tensor, before[name])}
    assert len(changed) == 2


def test_the_penalty_holds_the_weights_where_they_were(network):
    def moved(penalty: float) -> float:
        fitted = refit(network, TRAIN, FORMS, Refit(forms=0.1, penalty=penalty))
        pairs = zip(fitted.parameters(), network.parameters(), strict=True)
        return max(float((one - other).abs().max()) for one, other in pairs if one.ndim == 2)

    assert moved(100.0) < 0.01 < moved(1e-4)
