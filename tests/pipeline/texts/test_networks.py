"""The texts' networks are what their entries say, and no kinds of the main pipeline."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import nn

from pipeline.models.networks import kinds, parse
from pipeline.params import ParamsError
from pipeline.texts import params
from pipeline.texts.layers import Step, Threshold
from pipeline.texts.networks import SIDES, TextNetwork

NETWORKS = params.load().networks
TRAINED_WITH = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "weight_decay": 0.0}


def network(**entry: Any) -> TextNetwork:
    return TextNetwork(**{"data": "digits8", "hidden": [], "outputs": 10, **TRAINED_WITH, **entry})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_its_images_and_has_the_parameters_that_it_says(name):
    config = NETWORKS[name]
    built = config.build()
    side = SIDES[config.data]
    assert built(torch.rand(3, 1, side, side)).shape == (3, max(config.outputs, 2))
    assert sum(parameter.numel() for parameter in built.parameters()) == config.parameters
    widths = [(layer.in_features, layer.out_features) for layer in built.modules() if isinstance(layer, nn.Linear)]
    assert widths == list(pairwise(config.sizes))


def test_the_presets_are_those_of_the_texts():
    sizes = {name: config.sizes for name, config in NETWORKS.items()}
    assert sizes["linear"] == [784, 10]
    assert len(sizes["two_layer"]) == 3
    assert sizes["perceptron"] == sizes["step"] == sizes["relu"] == sizes["cross_entropy"] == [784, 16, 16, 10]
    assert NETWORKS["perceptron"].parameters == 13_002
    assert sizes["digits8"] == [64, 10]
    assert sizes["zero_or_one"] == [64, 1]
    assert sizes["zero_or_one_two"] == [64, 2]


@pytest.mark.parametrize("name", ["step", "relu", "cross_entropy"])
def test_what_is_compared_differs_from_the_perceptron_in_one_thing(name):
    one, other = NETWORKS["perceptron"].model_dump(), NETWORKS[name].model_dump()
    assert len([key for key in one if one[key] != other[key]]) == 1


def test_the_perceptron_is_the_main_pipelines_but_for_its_batches():
    main = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["networks"]["perceptron"]
    ours = NETWORKS["perceptron"]
    assert {key for key, value in main.items() if value != getattr(ours, key)} == {"batch_size"}
    images, labels = torch.rand(5, 1, 28, 28), torch.arange(5)
    torch.manual_seed(3)
    theirs = parse(main).build()
    torch.manual_seed(3)
    logits = ours.build()(images)
    assert torch.equal(logits, theirs(images))
    assert torch.equal(ours.losses(logits, labels), parse(main).losses(logits, labels))


def test_the_main_pipelines_kinds_are_left_alone():
    assert TextNetwork not in kinds().values()
    assert type(parse({"kind": "perceptron", "hidden": [4], **TRAINED_WITH})) is not TextNetwork


def test_a_step_is_0_or_1_and_learns_as_a_sigmoid_does():
    sums = torch.randn(100, requires_grad=True)
    told = Step()(sums)
    assert torch.equal(told, (sums > 0).float())
    upstream = torch.randn(100)
    (gradient,) = torch.autograd.grad(told, sums, upstream)
    share = sums.detach().sigmoid()
    assert torch.allclose(gradient, upstream * share * (1 - share))


def test_a_single_neuron_says_1_above_its_threshold():
    sums = torch.randn(200, 1)
    logits = Threshold()(sums)
    assert torch.equal(logits.argmax(1), (sums[:, 0] > 0).long())
    assert torch.allclose(logits.softmax(1)[:, 1], sums[:, 0].sigmoid())


def test_the_loss_is_the_one_that_the_entry_names():
    logits, labels = torch.randn(6, 10), torch.randint(10, (6,))
    target = torch.from_numpy(np.eye(10, dtype=np.float32))[labels]
    squares = ((logits.sigmoid() - target) ** 2).sum(1)
    assert torch.allclose(network().losses(logits, labels), squares)
    entropy = -logits.log_softmax(1)[torch.arange(6), labels]
    assert torch.allclose(network(loss="cross_entropy").losses(logits, labels), entropy)


@pytest.mark.parametrize(
    "entry",
    [
        {"data": "zero_or_one"},
        {"outputs": 2, "loss": "cross_entropy"},
        {"data": "zero_or_one", "outputs": 1},
        {"activation": "tanh"},
        {"breadth": 3},
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense_is_refused(entry):
    with pytest.raises(ValidationError):
        network(**entry)


def test_params_that_are_not_understood_are_named(tmp_path):
    changed = yaml.safe_load(params.PATH.read_text(encoding="utf-8"))
    changed["compared"] = ["perceptron", "nobody"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(changed))
    with pytest.raises(ParamsError, match="nobody"):
        params.load(path)
    with pytest.raises(ParamsError, match="no network 'nobody'"):
        params.network(params.load(), "nobody")
    with pytest.raises(ParamsError, match="elsewhere"):
        params.load(tmp_path / "elsewhere.yaml")
