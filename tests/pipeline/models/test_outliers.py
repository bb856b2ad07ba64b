"""Pictures that are no digit: how many, and that they are not the digits they are made of."""

import pytest
import torch

from pipeline.models.outliers import KINDS, outliers
from tests.pipeline.models.strokes import digits


LABELS = torch.arange(16) % 10


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("count", [0, 3, 10, 40])
def test_as_many_as_asked_for(count):
    drawn = outliers(digits(16), LABELS, count, generator())
    assert drawn.shape == (count, 1, 28, 28)
    assert drawn.isfinite().all()
    assert ((drawn >= 0) & (drawn <= 1)).all()


def test_the_same_seed_draws_the_same():
    assert torch.equal(outliers(digits(16), LABELS, 20, generator(1)), outliers(digits(16), LABELS, 20, generator(1)))
    assert not torch.equal(
        outliers(digits(16), LABELS, 20, generator(1)), outliers(digits(16), LABELS, 20, generator(2))
    )


def test_batches_without_corners_are_enough():
    round_ones = outliers(digits(16), torch.zeros(16, dtype=torch.int64), 20, generator())
    assert 10 <= len(round_ones) < 20


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
