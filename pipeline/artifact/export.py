"""From a trained network to the file that is served: in integers, calibrated, with a measure of what is no digit."""

import math
from typing import NamedTuple

import numpy as np
from torch import nn

from pipeline.artifact import novelty
from pipeline.artifact.calibrate import temperature, thresholds
from pipeline.artifact.quantise import quantised
from pipeline.artifact.refit import refit
from pipeline.artifact.to_onnx import answers, labelled, logits_of, observe, to_onnx
from pipeline.params import Calibration, Refit
from serving.images import normalise_all

NOVELTY_IMAGES = 30_000
"""Training images at most, from all over the set, that novelty is fitted to, beside those that were drawn."""
RANGE_IMAGES = 1000
"""Training images, from all over the set, by which the integers get their range; of few some come again."""


class Known(NamedTuple):
    """Pictures by which a network is made ready to be served: images, uint8 [N, 28, 28], and labels, uint8 [N].

    train: that it learnt from; val: that it did not. train_sent, val_sent: some of each, written again with other pens
    and prepared as the service prepares what it is sent; the latter without labels.
    forms: digits as MNIST's writers seldom wrote them. non_digits: what people draw beside digits, without labels.
    """

    train: tuple[np.ndarray, np.ndarray]
    train_sent: tuple[np.ndarray, np.ndarray]
    val: tuple[np.ndarray, np.ndarray]
    val_sent: np.ndarray
    forms: tuple[np.ndarray, np.ndarray]
    non_digits: np.ndarray


def export(
    network: nn.Module, known: Known, last_layer: Refit | None, config: Calibration, identity: dict[str, str]
) -> bytes:
    """The ONNX model of a trained network: novelty is fitted to what it learnt from, all else to what it did not.

    Args:
        last_layer: how its last layer is fitted again before, if it is.
        identity: what the model's metadata say of it.
    """
    if last_layer:
        network = refit(network, known.train, known.forms, last_layer)
    sent = identity["name"] in config.novelty_sent
    learnt = [some(known.train), *([known.train_sent, known.forms] if sent else [])]
    images, labels = (np.concatenate(arrays) for arrays in zip(*learnt, strict=True))
    of_non_digits = observe(network, known.non_digits)[1] if sent else None
    distance = novelty.fit(observe(network, images)[1], labels, of_non_digits)
    scale = temperature(logits_of(network, known.val[0]), known.val[1])
    model = quantised(
        to_onnx(network, scale, distance), images[np.linspace(0, len(images) - 1, RANGE_IMAGES, dtype=int)]
    )
    probabilities, novelties = answers(model, known.val[0])
    _, of_sent = answers(model, known.val_sent)
    found = thresholds(identity["name"], probabilities, novelties, of_sent, known.val[1], config)
    return labelled(model, identity, found)


def prepared(sheets: np.ndarray) -> np.ndarray:
    """Sheets of paper, uint8 [N, H, W], as the service prepares them: uint8 [N, 28, 28]."""
    return np.rint(normalise_all(sheets.astype(np.float32))).astype(np.uint8)


def some(digits: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """At most NOVELTY_IMAGES of them, from all over."""
    images, labels = digits
    step = math.ceil(len(images) / NOVELTY_IMAGES)
    return images[::step], labels[::step]
