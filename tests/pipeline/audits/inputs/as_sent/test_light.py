"""Photographs."""

import numpy as np
import pytest

from tests.pipeline.audits.inputs.as_sent.pictures import pixels, sent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(15)


def corners(grey: np.ndarray) -> np.ndarray:
    return np.array([part.mean() for part in (grey[:4, :4], grey[:4, -4:], grey[-4:, :4], grey[-4:, -4:])])


@pytest.mark.parametrize(("strength", "share"), [(1, 0.85), (2, 0.7), (3, 0.55)])
def test_light_falls_off_to_the_corners(rng, strength, share):
    for image in sent("light falling off", strength, rng):
        grey = pixels(image)
        assert corners(grey) / np.quantile(grey, 0.98) == pytest.approx(np.full(4, share), abs=0.08)


def test_light_from_one_side_is_stronger_there(rng):
    for image in sent("light from one side", 3, rng):
        at = corners(pixels(image))
        assert at.min() / at.max() == pytest.approx(0.4, abs=0.08)


def test_a_hard_shadow_has_an_edge_and_a_soft_one_none(rng):
    def steepest(name: str) -> float:
        """The largest step between means of neighbouring squares on the paper, as shares of its brightness."""
        steps = []
        for image in sent(name, 3, rng):
            edge = np.concatenate([pixels(image)[1], pixels(image)[:, 1], pixels(image)[-2], pixels(image)[:, -2]])
            steps.append(max(abs(np.diff(line)).max() for line in (edge[: image.width - 1],)) / edge.max())
        return float(np.median(steps))

    assert steepest("soft shadow") < 0.12
    at = [corners(pixels(image)) for image in sent("hard shadow", 3, rng)]
    assert any(one.min() < 0.55 * one.max() for one in at)


def test_a_note_lies_on_a_darker_table(rng):
    for image in sent("note on a table", 3, rng):
        grey = pixels(image)
        middle = grey[len(grey) // 3 : -len(grey) // 3, grey.shape[1] // 3 : -grey.shape[1] // 3]
        assert np.quantile(middle, 0.9) > corners(grey).max() + 20


def test_noise_blur_and_quality_grow(rng):
    def noise(strength: int) -> float:
        return float(np.mean([np.diff(pixels(one)[:3]).std() for one in sent("taken in the dark", strength, rng)]))

    def sharpness(strength: int) -> float:
        return float(np.mean([abs(np.diff(pixels(one))).max() for one in sent("out of focus", strength, rng)]))

    assert noise(1) < noise(2) < noise(3)
    assert sharpness(1) > sharpness(3)


def test_chalk_is_bright_on_dark_and_pencil_faint_on_bright(rng):
    for image in sent("chalk", 2, rng):
        assert np.median(pixels(image)) < 90
    for image in sent("pencil", 3, rng):
        grey = pixels(image)
        assert 40 < np.median(grey) - np.quantile(grey, 0.001) < 100
