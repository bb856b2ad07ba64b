"""Novelty: small for what is like the training digits, large for what is not, whatever the network."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pipeline.artifact import novelty
from pipeline.params import load

RNG = np.random.default_rng(0)
LABELS = np.arange(2000) % 10


def clouds(dimensions: int, count: int = 2000) -> np.ndarray:
    """Ten clouds of unequal spread along each dimension, float32 [count, dimensions]."""
    centres = np.random.default_rng(1).normal(0, 5, (10, dimensions))
    return (centres[np.arange(count) % 10] + RNG.normal(0, np.arange(1, dimensions + 1), (count, dimensions))).astype(
        np.float32
    )


def far(dimensions: int) -> np.ndarray:
    """Non-digits so far off along the first dimension that nothing else is like them, float32 [200, dimensions]."""
    features = clouds(dimensions, 200)
    features[:, 0] += 1e4
    return features


def distances(distance: novelty.Novelty, features: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return distance(torch.from_numpy(features)).numpy()


def test_it_is_the_mahalanobis_distance_to_the_nearest_class():
    features, fresh = clouds(6), RNG.normal(0, 20, (50, 6)).astype(np.float32)
    means = np.stack([features[digit == LABELS].mean(axis=0) for digit in range(10)])
    within = features - means[LABELS]
    expected = cdist(fresh, means, "mahalanobis", VI=np.linalg.inv(within.T @ within / 2000)).min(axis=1) / np.sqrt(6)
    distance = novelty.fit(features, LABELS, far(6))
    np.testing.assert_allclose(distances(distance, fresh), expected, rtol=4e-3)  # directions are kept in half precision


@pytest.mark.parametrize("dimensions", [16, 300])
def test_digits_lie_near_one_and_strangers_beyond_them(dimensions):
    distance = novelty.fit(clouds(dimensions), LABELS, far(dimensions))
    digits = distances(distance, clouds(dimensions))
    strangers = distances(distance, clouds(dimensions) + 3 * np.arange(1, dimensions + 1, dtype=np.float32))
    assert np.median(digits) == pytest.approx(1, abs=0.15)
    assert (strangers > digits.max()).all()


def test_units_that_never_fire_do_no_harm():
    features = np.hstack([clouds(6), np.zeros((2000, 3), np.float32)])
    distance = novelty.fit(features, LABELS, np.hstack([far(6), np.zeros((200, 3), np.float32)]))
    seen = distances(distance, features)
    assert np.isfinite(seen).all()
    assert distances(distance, features[:1] + 10) > seen.max()


def test_what_is_like_the_non_digits_is_novel_however_near_it_is_to_digits():
    digits, shift = clouds(16), np.eye(16, dtype=np.float32)[0] * 6
    distance = novelty.fit(digits, LABELS, clouds(16, 500) + shift)
    without = novelty.fit(digits, LABELS, None)
    fresh, strangers = clouds(16), clouds(16) + shift
    seen, unseen = (
        (distances(one, strangers) > np.quantile(distances(one, fresh), 0.95)).mean() for one in (distance, without)
    )
    assert seen > 0.8
    assert seen > unseen + 0.08


def test_non_digits_on_either_side_of_the_digits_are_novel():
    digits, shift = clouds(16), np.eye(16, dtype=np.float32)[0] * 8
    sides = np.where(np.arange(500) % 2, 1, -1).astype(np.float32)[:, None]
    distance = novelty.fit(digits, LABELS, clouds(16, 500) + sides * shift)
    usual = np.quantile(distances(distance, clouds(16)), 0.95)
    for side in (-1, 1):
        assert (distances(distance, clouds(16) + side * shift) > usual).mean() > 0.8


@pytest.mark.parametrize(("name", "dimensions"), [("convnet", 4 * 9 + 8 * 4), ("mlp", 32), ("perceptron", 16)])
def test_every_network_is_looked_into_and_answers_as_it_does(name, dimensions):
    config = load(f"networks.{name}")
    smaller = {"convnet": {"width": 4}, "mlp": {"hidden": [64, 32]}, "perceptron": {}}[name]
    network = config.model_copy(update=smaller).build().eval()
    images = torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        logits, features = novelty.look(network, images)
        torch.testing.assert_close(logits, network(images))
    assert features.shape == (5, dimensions)
    assert features.isfinite().all()
