"""The section on what must not matter, with recognisers made up for the purpose."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import invariance
from pipeline.audits.inputs.strokes import STYLES, draw
from pipeline.audits.section import Subject
from serving.images import normalise


@pytest.fixture(scope="module")
def digits():
    """24 drawn digits as MNIST holds them, uint8 [24, 28, 28], and their labels."""
    rng = np.random.default_rng(0)
    styles = [style for _ in range(2) for style in list(STYLES.values())[:12]]
    images = np.stack([normalise(draw(style, rng).astype(np.float32)) for style in styles])
    return images.round().astype(np.uint8), np.array([style.digit for style in styles])


class Recogniser:
    """Answers with what ``answer`` makes of an image, as surely as ``confidence`` says."""

    def __init__(self, answer: Any, confidence: Any = lambda image: 0.9) -> None:
        self.answer, self.confidence = answer, confidence
        self.seen = 0

    def predict(self, pixels: np.ndarray) -> SimpleNamespace:
        self.seen += len(pixels)
        return SimpleNamespace(
            digit=np.array([self.answer(image) for image in pixels], dtype=np.int64),
            confidence=np.array([self.confidence(image) for image in pixels], dtype=np.float32),
            abstained=np.zeros(len(pixels), np.bool_),
        )


def subject_of(digits, answer, confidence=lambda image: 0.9):
    images, labels = digits
    recogniser: Any = Recogniser(answer, confidence)
    limits: Any = SimpleNamespace(invariance_lossless=1.0, invariance=0.9)
    before = recogniser.predict(images.astype(np.float32))
    return Subject("toy", "toy", recogniser, images, labels, pd.DataFrame(), before, limits, bootstrap=200, seed=0)


def nearest(digits):
    """A recogniser that knows the digits themselves."""
    images, labels = digits
    known = images.astype(np.float32)
    return lambda image: labels[np.square(known - image).sum(axis=(1, 2)).argmin()]


@pytest.mark.parametrize("name", invariance.LOSSLESS)
def test_what_loses_nothing_reaches_the_network_as_it_was(digits, name):
    images, _ = digits
    assert np.abs(invariance.LOSSLESS[name](images) - images).max() < 0.01


@pytest.mark.parametrize("name", invariance.SMALL)
def test_small_changes_stay_small(digits, name):
    images, _ = digits
    assert np.abs(invariance.SMALL[name](images) - images).mean() < 25


def test_a_shift_really_moves_the_picture_before_it_is_brought_back(digits, monkeypatch):
    images, _ = digits
    monkeypatch.setattr(invariance, "normalise_all", lambda pictures: pictures)
    got = invariance.SMALL["moved a pixel down and left"](images)
    assert (got[:, 1:, :-1] == images[:, :-1, 1:]).all()
    turned = invariance.SMALL["turned by 5° to the left"](images)
    assert 1 < np.abs(turned - images).mean() < 40


def test_only_pictures_that_differ_are_read_again(digits):
    subject = subject_of(digits, nearest(digits))
    recogniser: Any = subject.recogniser
    seen = recogniser.seen
    trial = invariance.attempt(subject, np.arange(5), lambda images: images.astype(np.float32))
    assert trial.same.all()
    assert recogniser.seen == seen
    trial = invariance.attempt(subject, np.arange(5), lambda images: 0.5 * images.astype(np.float32))
    assert recogniser.seen == seen + 5


def test_a_good_recogniser_passes_and_the_section_is_complete(digits):
    section = invariance.measure(subject_of(digits, nearest(digits)))
    lossless, small = section.gates
    assert (lossless.name, lossless.value, lossless.passed) == ("invariance_lossless", 1.0, True)
    assert (small.name, small.passed) == ("invariance", True)
    assert small.anchor
    assert len(section.tables["Changes that lose nothing"]) == len(invariance.LOSSLESS)
    assert len(section.tables["Small changes"]) == len(invariance.SMALL)
    ways = section.tables["Ways of writing, drawn as strokes"].set_index("way of writing")
    assert (ways["drawn"] >= 20).all()
    assert ways["read right"]["plain one"] >= 15
    assert ways["read right"]["plain eight"] == 0  # no eight is among the digits that this one knows
    assert any("plain eight (20 of 20)" in finding for finding in section.findings)
    assert sum("never makes the recogniser surer" in finding for finding in section.findings) == 4
    assert len(section.figures) >= 2


def test_a_recogniser_that_looks_at_single_pixels_is_caught(digits):
    section = invariance.measure(subject_of(digits, lambda image: int(image.sum()) % 10))
    small = section.gates[1]
    assert small.passed is False
    worst = section.tables["Small changes"].iloc[0]
    assert worst["change"] in small.sentence
    assert worst["unchanged, %"] == pytest.approx(100 * (small.value or 0), abs=0.01)
    assert any(worst["change"] in caption for caption in section.figures)


def test_a_file_that_is_decoded_otherwise_is_caught(digits, monkeypatch):
    decode = invariance.decode
    monkeypatch.setattr(
        invariance, "decode", lambda data: np.flip(decode(data)).copy() if data.startswith(b"GIF") else decode(data)
    )
    gate = invariance.measure(subject_of(digits, lambda image: int(image[:14].sum() > image[14:].sum()))).gates[0]
    assert gate.passed is False
    assert "GIF" in gate.sentence


def test_where_no_change_matters_none_is_named():
    trials = {name: invariance.Trial(np.ones(9, bool), np.zeros(9), np.zeros((9, 28, 28))) for name in ("PNG", "GIF")}
    sentence = invariance.gate("invariance_lossless", "lose nothing", trials, 1.0, "").sentence
    assert sentence.startswith("None of 2 changes that lose nothing changes an answer. Under each 9 of 9 answers stay")


def test_growing_surer_with_damage_is_said():
    rng = np.random.default_rng(0)
    shares = rng.multinomial(300, np.full(300, 1 / 300), size=200) / 300
    steps = np.array([0.9, 0.8, 0.7, 0.75, 0.6])[:, None]
    curve = steps + rng.normal(0, 0.02, (5, 300))
    finding = invariance.direction_finding("noise", curve, shares)
    assert "made the recogniser surer, as it should not: from 50 to 75 by 5." in finding
    falling = invariance.direction_finding("noise", np.sort(curve, axis=0)[::-1], shares)
    assert "never makes the recogniser surer" in falling


def test_the_same_damage_grows_around_the_same_place(digits):
    subject = subject_of(digits, nearest(digits), confidence=lambda image: float((image > 0).mean()))
    curve = invariance.confidences(subject, np.arange(24), invariance.DIRECTIONS["occlusion"])
    again = invariance.confidences(subject, np.arange(24), invariance.DIRECTIONS["occlusion"])
    assert curve.shape == (5, 24)
    assert (curve == again).all()
