"""The ConvNet's optimiser: Muon for the kernels, AdamW for the rest, and both as one to whoever uses it."""

import copy

import pytest
import torch
from torch import nn

from pipeline.models.networks import build
from pipeline.models.optimiser import MuonAdamW, is_hidden_kernel, optimiser
from pipeline.params import load

RATE, DECAY = 0.01, 0.1


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(load("networks.convnet").model_copy(update={"width": 8}))


def give_gradients(network: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator).to(memory_format=torch.preserve_format)
        parameter.grad = torch.empty_like(parameter).copy_(parameter.grad)


def test_a_kernels_first_step_has_singular_values_all_alike(network):
    config = load("networks.convnet").model_copy(update={"weight_decay": 0.0})
    before = copy.deepcopy(network)
    give_gradients(network)
    optimiser(network, config).step()
    kernels = [name for name, parameter in network.named_parameters() if is_hidden_kernel(parameter)]
    assert len(kernels) == 6
    for name in kernels:
        change = (network.get_parameter(name) - before.get_parameter(name)).detach().flatten(1)
        values = torch.linalg.svdvals(change)
        gradient = torch.linalg.svdvals(network.get_parameter(name).grad.flatten(1))
        assert values.max() / values.min() < 2 < 1.5 * gradient.max() / gradient.min()
        assert 0.1 < change.square().mean().sqrt() / config.learning_rate < 0.3  # as long as AdamW's steps


def test_what_is_no_kernel_between_channels_is_adamws(network):
    other = copy.deepcopy(network)
    ours, adamw = MuonAdamW(network, RATE, DECAY), torch.optim.AdamW(other.parameters(), RATE, weight_decay=DECAY)
    for seed in range(3):
        for one in (network, other):
            give_gradients(one, seed)
        ours.step()
        adamw.step()
    for (name, one), two in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6) != is_hidden_kernel(one), name


def test_a_schedule_moves_the_rate_of_all(network):
    ours = MuonAdamW(network, RATE, DECAY)
    for group in ours.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(network)
    give_gradients(network)
    ours.step()
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), before.parameters(), strict=True))


def test_its_state_can_be_kept_and_taken_up_again(network):
    first = MuonAdamW(network, RATE, DECAY)
    give_gradients(network)
    first.step()
    other = copy.deepcopy(network)
    second = MuonAdamW(other, RATE, DECAY)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for ours, one in ((first, network), (second, other)):
        for group in ours.param_groups:
            group["lr"] /= 2
        give_gradients(one, seed=1)
        ours.step()
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), other.parameters(), strict=True))


def test_no_gradient_is_left_when_they_are_cleared(network):
    ours = MuonAdamW(network, RATE, DECAY)
    give_gradients(network)
    ours.step()
    ours.zero_grad()
    before = copy.deepcopy(network)
    ours.step()
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), before.parameters(), strict=True))
