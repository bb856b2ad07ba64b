"""Temperature and thresholds, on logits whose truth is known."""

import numpy as np
import pytest
from scipy.special import softmax

from pipeline.artifact.calibrate import abstention, conformal_threshold, temperature, thresholds
from pipeline.params import Calibration

RNG = np.random.default_rng(0)


def answers(scale: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``scale`` times too large, and labels drawn as the right ones say."""
    logits = RNG.normal(0, 2, (count, 10))
    labels = (logits + RNG.gumbel(size=logits.shape)).argmax(1)
    return logits * scale, labels


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_overconfidence(scale):
    assert temperature(*answers(scale)) == pytest.approx(scale, rel=0.1)


@pytest.mark.parametrize("related", [True, False])
def test_the_thresholds_decline_their_shares_and_no_more(related):
    logits, labels = answers(1.0)
    probabilities = softmax(logits, axis=1)
    novelty = RNG.gamma(2, size=len(labels))
    if related:
        novelty += 3 * (probabilities.max(1) < 0.4)
    config = Calibration(abstention=0.05, novelty=0.01, novelty_sent={"convnet": 0.01}, miscoverage=0.1)
    found = thresholds("convnet", probabilities, novelty, novelty[:100] / 2, labels, config)
    uncertain = probabilities.max(1) < found.confidence_threshold
    novel = novelty > found.novelty_threshold
    assert novel.mean() == pytest.approx(0.01, abs=0.001)
    assert (uncertain | novel).mean() == pytest.approx(0.05, abs=0.001)


def test_nothing_is_declined_of_validation_where_nothing_may_be():
    confidence, novelty = RNG.random(100), RNG.random(100)
    nothing = Calibration(abstention=0.0, novelty=0.0, novelty_sent={"convnet": 0.0}, miscoverage=0.1)
    assert abstention("convnet", confidence, novelty, novelty[:9], nothing) == (confidence.min(), novelty.max())


def test_digits_as_they_are_sent_are_novel_as_seldom_as_is_said():
    confidence, novelty = RNG.random(1000), RNG.gamma(2, size=1000)
    config = Calibration(abstention=0.05, novelty=0.02, novelty_sent={"convnet": 0.04}, miscoverage=0.1)
    sent = 3 + RNG.gamma(2, size=500)
    _, threshold = abstention("convnet", confidence, novelty, sent, config)
    assert (sent > threshold).mean() == pytest.approx(0.04, abs=0.003)
    unnovel = abstention("convnet", confidence, novelty, sent / 100, config)
    assert unnovel == abstention("mlp", confidence, novelty, sent, config)


def test_prediction_sets_cover_fresh_labels_as_promised():
    calibration, labels = answers(1.0)
    threshold = conformal_threshold(softmax(calibration, axis=1), labels, 0.1)
    fresh, truth = answers(1.0)
    covered = softmax(fresh, axis=1)[np.arange(len(truth)), truth] >= threshold
    assert covered.mean() == pytest.approx(0.9, abs=0.01)


def test_too_few_labels_promise_nothing():
    logits, labels = answers(1.0, count=50)
    assert conformal_threshold(softmax(logits, axis=1), labels, 0.001) == 0
