"""Pictures that are led to excite a network excite it, and are the same each time."""

import numpy as np
import pytest
import torch

from pipeline.models.networks import standardise
from pipeline.showcase import dream, visualise
from pipeline.showcase.ascent import GREYS
from pipeline.showcase.served import Served, config_of, parts, twin


def given(images: np.ndarray) -> torch.Tensor:
    return standardise(torch.from_numpy(images).float().unsqueeze(1) / 255)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 2, -1])
def test_a_units_picture_excites_it_more_than_any_digit_does(champion, place, monkeypatch):
    monkeypatch.setattr(visualise, "STEPS", 48)
    chain = twin(champion.content, config_of(champion.run))
    served = Served(champion.content)
    place %= len(served.layers)
    units = min(10, served.layers[place].units)
    found = visualise.visualise(parts(chain)[place].sums, units, seed=3)
    own = served.excitements(found)[place][np.arange(units), np.arange(units)]
    best = served.excitements(champion.images)[place][:, :units].max(axis=0)
    assert (own >= best).mean() > 0.7
    assert (own > served.excitements(np.full((1, 28, 28), 128, np.uint8))[place][0, :units]).mean() > 0.7


def test_it_is_the_same_each_time_of_few_greys_and_another_from_another_start(convnet, monkeypatch):
    monkeypatch.setattr(visualise, "STEPS", 5)
    part = parts(twin(convnet.content, config_of(convnet.run)))[1]
    first, again, other = (visualise.visualise(part.sums, 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert not (first % (255 // (GREYS - 1))).any()


def test_a_dream_begins_with_the_drawing_and_excites_the_layer_more_and_more(convnet):
    drawn = convnet.images[:6]
    for part in parts(twin(convnet.content, config_of(convnet.run)))[:-1:2]:
        frames = dream.dream(part.answers, drawn, seed=0)
        assert frames.shape == (6, len(dream.FRAMES), 28, 28)
        assert np.abs(frames[:, 0].astype(int) - drawn).max() <= 9  # half of a step between greys
        strength = [part.answers(given(frames[:, frame])).square().mean().item() for frame in (0, 2, -1)]
        assert strength[0] < strength[1] < strength[2]
