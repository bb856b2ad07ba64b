"""The gradients that are told of are those of the loss by each layer's biases."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.models.batches import Digits
from pipeline.models.classifier import Classifier
from pipeline.models.fit import fit
from pipeline.models.networks import standardise
from pipeline.texts import params
from pipeline.texts.gradients import Gradients
from pipeline.texts.networks import TextNetwork


@pytest.mark.parametrize("activation", ["sigmoid", "step", "relu"])
def test_each_layers_gradient_is_that_of_the_whole_batch(activation, tmp_path):
    rng = np.random.default_rng()
    count, seed = 32, int(rng.integers(1000))
    images = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    config = TextNetwork(
        data="digits8",
        hidden=[int(width) for width in rng.integers(4, 9, 2)],
        outputs=10,
        activation=activation,
        epochs=2,
        batch_size=count,
        learning_rate=1e-9,
        weight_decay=0.0,
    )
    told = Gradients()
    data = Digits((images, labels), (images, labels), config, seed)
    fit(config, data, params.load().trainer, seed, tmp_path, callbacks=[told])

    network = Classifier(config, seed).network
    logits = network(standardise(torch.from_numpy(images / 255).float().unsqueeze(1)))
    config.losses(logits, torch.from_numpy(labels).long()).mean().backward()
    gradients = [layer.bias.grad for layer in network.modules() if isinstance(layer, nn.Linear)]
    lengths = [float(gradient.norm()) for gradient in gradients if gradient is not None]
    assert len(told.rows) == 2
    for row in told.rows:
        assert list(row) == ["gradient_1", "gradient_2", "gradient_3"]
        assert list(row.values()) == pytest.approx(lengths, rel=1e-3)


def test_they_are_kept_over_a_resumption():
    one, other = Gradients(), Gradients()
    one.rows = [{"gradient_1": 0.5}]
    other.load_state_dict(one.state_dict())
    assert other.rows == one.rows
