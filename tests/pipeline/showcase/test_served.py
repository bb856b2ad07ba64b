"""The network in torch has the served file's weights, and what is measured is what the file answers."""

import numpy as np
import torch

from pipeline.models.networks import standardise
from pipeline.showcase.served import Served, config_of, parts, twin


def test_its_logits_are_those_of_the_file(champion):
    images = champion.images[:40]
    chain = twin(champion.content, config_of(champion.run))
    logits = chain(standardise(torch.from_numpy(images).float().unsqueeze(1) / 255)).numpy()
    calibrated = Served(champion.content).excitements(images)[-1]
    scale = (logits * calibrated).sum() / (calibrated**2).sum()
    tolerance = 0.15 if champion.name == "convnet" else 1e-4  # what integers lose
    np.testing.assert_allclose(logits, scale * calibrated, atol=tolerance * np.abs(logits).max())


def test_no_weight_comes_from_elsewhere(champion):
    """The last layer may have been fitted again at export, and the training's weights may not be at hand."""
    chain = twin(champion.content, config_of(champion.run))
    torch.manual_seed(1)
    other = twin(champion.content, config_of(champion.run))
    for one, another in zip(chain.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, another)


def test_every_layer_has_its_part_and_sees_so_much(champion):
    chain = twin(champion.content, config_of(champion.run))
    found = parts(chain)
    served = Served(champion.content)
    assert [part.sees for part in found] == {"convnet": [3, 5, 9, 13, 17, 25, 28, 28]}.get(champion.name, [28] * 3)
    images = champion.images[:5]
    pictures = standardise(torch.from_numpy(images).float().unsqueeze(1) / 255)
    for layer, part, strengths in zip(served.layers[:-1], found, served.excitements(images), strict=False):
        answers = part.answers(pictures).reshape(5, layer.units, -1).mean(2).numpy()
        assert np.corrcoef(answers.ravel(), strengths.ravel())[0, 1] > 0.99
        assert part.sums(pictures).min() < part.answers(pictures).min()
