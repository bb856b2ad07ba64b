"""From a trained network to the file that is served: in integers, calibrated, with a measure of what is no digit."""

import math

import numpy as np
from torch import nn

from pipeline.artifact import novelty
from pipeline.artifact.calibrate import temperature, thresholds
from pipeline.artifact.quantise import quantised
from pipeline.artifact.to_onnx import answers, labelled, logits_of, observe, to_onnx
from pipeline.params import Calibration

NOVELTY_IMAGES = 10_000
"""Training images at most, from all over the set, that novelty is fitted to."""
RANGE_IMAGES = 1000
"""Training images at most by which the integers get their range."""


def export(
    network: nn.Module,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    config: Calibration,
    identity: dict[str, str],
) -> bytes:
    """The ONNX model of a trained network: what it finds novel is fitted to training digits, the rest to validation.

    Args:
        train, val: images uint8 [N, 28, 28] and labels uint8 [N].
        identity: what the model's metadata say of it.
    """
    images, labels = (array[:: math.ceil(len(array) / NOVELTY_IMAGES)] for array in train)
    distance = novelty.fit(observe(network, images)[1], labels)
    scale = temperature(logits_of(network, val[0]), val[1])
    model = quantised(to_onnx(network, scale, distance), images[:: math.ceil(len(images) / RANGE_IMAGES)])
    return labelled(model, identity, thresholds(*answers(model, val[0]), val[1], config))
