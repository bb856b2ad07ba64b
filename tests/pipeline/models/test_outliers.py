"""Pictures that are no digit: how many, and that they are not the digits they are made of."""

import pytest
import torch

from pipeline.models.networks import BLACK, WHITE, standardise
from pipeline.models.outliers import KINDS, outliers, polygons, sharpened
from pipeline.params import load
from tests.pipeline.models.strokes import digits


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("count", [0, 3, 10, 40])
def test_as_many_as_asked_for(count):
    drawn = outliers(digits(16), count, generator())
    assert drawn.shape == (count, 1, 28, 28)
    assert drawn.isfinite().all()
    assert ((drawn >= 0) & (drawn <= 1)).all()


def test_the_same_seed_draws_the_same():
    assert torch.equal(outliers(digits(16), 20, generator(1)), outliers(digits(16), 20, generator(1)))
    assert not torch.equal(outliers(digits(16), 20, generator(1)), outliers(digits(16), 20, generator(2)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_kind_gives_a_digit_back(kind):
    four = torch.stack([digits(32).roll(shift, 0) for shift in (0, 7, 13, 22)])
    drawn = kind(four, generator())
    for given in four:
        assert ((drawn - given).abs().amax((1, 2, 3)) > 0.3).all()


def test_shuffled_blocks_keep_their_ink():
    four = digits(32).expand(4, -1, -1, -1, -1)
    shuffled = next(kind for kind in KINDS if kind.__name__ == "blocks")(four, generator())
    assert torch.allclose(shuffled.sum((1, 2, 3)), four[0].sum((1, 2, 3)), atol=1e-3)


def test_polygons_have_ink_inside_or_only_on_their_line():
    drawn = polygons(digits(200).expand(4, -1, -1, -1, -1), generator())
    ink = drawn.sum((1, 2, 3))
    middle = drawn[:, 0, 13:15, 13:15].mean((1, 2))
    assert ink.min() > 15
    assert 0.1 < (middle > 0.9).float().mean() < 0.45


def test_a_sharpened_picture_looks_more_like_some_digit_to_the_network_which_is_left_as_it_was():
    torch.manual_seed(0)
    network = load("networks.convnet").build().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pictures = standardise(outliers(digits(16), 24, generator()))
    hardened = sharpened(network, pictures)

    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert ((hardened >= BLACK) & (hardened <= WHITE)).all()
    with torch.no_grad():
        was, became = (network.eval()(shown).log_softmax(1).amax(1) for shown in (pictures, hardened))
    assert (became > was).float().mean() > 0.9
