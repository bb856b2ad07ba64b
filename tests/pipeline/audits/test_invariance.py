"""The section on what must not matter, with recognisers made up for the purpose."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import invariance
from pipeline.audits.gates import GATES, Verdict
from pipeline.audits.inputs.catalogue import direction_sets, lossless_sets, small_sets
from pipeline.audits.inputs.directions import DIRECTIONS
from pipeline.audits.inputs.lossless import FILES, JSON
from pipeline.audits.inputs.small import SMALL
from pipeline.audits.results import Results, TestSet
from pipeline.report.sections import write
from pipeline.report.status import bound
from serving.model.recogniser import Predictions
from tests.pipeline.audits.asked import ask
from tests.pipeline.audits.inputs.drawn_digits import drawn_digits
from tests.pipeline.audits.made_up import thresholds

Answer = Callable[[np.ndarray], int]
MAKERS = (lossless_sets, small_sets, direction_sets)


class Recogniser:
    """Answers with what ``answer`` makes of an image, and is as sure as ``confidence`` says."""

    def __init__(self, answer: Answer, confidence: Callable[[np.ndarray], float] = lambda image: 0.9) -> None:
        self.answer, self.confidence = answer, confidence

    def predict(self, pixels: np.ndarray) -> Predictions:
        digit = np.array([self.answer(image) for image in pixels], dtype=np.int64)
        confidence = np.array([self.confidence(image) for image in pixels], dtype=np.float32)
        return Predictions(
            digit=digit,
            confidence=confidence,
            probabilities=np.eye(10, dtype=np.float32)[digit],
            novelty=np.ones(len(pixels), np.float32),
            prediction_set=np.eye(10, dtype=bool)[digit],
            abstained=np.zeros(len(pixels), np.bool_),
            reason=np.full(len(pixels), None, dtype=object),
        )


def asked(answer: Answer, makers: Any = MAKERS, **more: Any) -> Results:
    images, labels = drawn_digits()
    reader = Recogniser(answer, **more)
    test = TestSet(images, labels, pd.DataFrame(), reader.predict(images.astype(np.float32)), seed=0)
    return ask(test, reader, [one for make in makers for one in make(test)], bootstrap=200)


def nearest() -> Answer:
    """A recogniser that knows the digits themselves."""
    images, labels = drawn_digits()
    known = images.astype(np.float32)
    return lambda image: labels[np.square(known - image).sum(axis=(1, 2)).argmin()]


def passed(found: dict[str, Any], gate: str, threshold: float) -> bool | None:
    return Verdict(GATES[gate], found[gate], threshold).passed


def test_a_good_recogniser_passes_and_the_section_is_complete():
    results = asked(nearest())
    found = invariance.measure(results)
    assert found["invariance_lossless"].value == 1.0
    assert passed(found, "invariance_lossless", 1.0)
    assert passed(found, "invariance", 0.9)
    assert set(found["lossless"]["change"]) == {*FILES, *JSON}
    assert set(found["small"]["change"]) == set(SMALL)
    section = write("invariance", results, found, thresholds())
    assert len(section.findings["directions"]) == len(DIRECTIONS)
    assert set(section.figures) == {"directions"}
    assert section.sentences["invariance_lossless"].startswith(
        "None of 14 changes that lose nothing changes an answer. Under each 2 of 2 answers stay"
    )


def test_a_fickle_recogniser_fails_and_the_worst_change_is_named():
    results = asked(lambda image: int(image.sum()) % 10, makers=(lossless_sets, small_sets))
    found = invariance.measure(results)
    assert passed(found, "invariance", 0.9) is False
    worst = found["small"].iloc[0]
    assert worst["unchanged_percent"] == pytest.approx(100 * found["invariance"].value)
    section = write("invariance", results, found, thresholds())
    assert bound(worst["change"]) in section.sentences["invariance"]
    assert bound(worst["change"]) in section.figures["changed"][0]


def test_a_file_that_is_decoded_otherwise_is_caught(monkeypatch):
    from pipeline.audits import ask as asking

    decode = asking.decode
    monkeypatch.setattr(
        asking, "decode", lambda data: np.flip(decode(data)).copy() if data.startswith(b"GIF") else decode(data)
    )
    results = asked(lambda image: int(image[:14].sum() > image[14:].sum()), makers=(lossless_sets, small_sets))
    found = invariance.measure(results)
    assert passed(found, "invariance_lossless", 1.0) is False
    assert "GIF" in write("invariance", results, found, thresholds()).sentences["invariance_lossless"]


def test_growing_surer_with_damage_is_said():
    rng = np.random.default_rng(0)
    shares = rng.multinomial(300, np.full(300, 1 / 300), size=200) / 300
    steps = np.array([0.9, 0.8, 0.7, 0.75, 0.6])[:, None]
    curve = steps + rng.normal(0, 0.02, (5, 300))
    falling = np.sort(curve, axis=0)[::-1]
    found = invariance.rises({"noise": curve, "blur": falling}, shares)
    assert found[["damage", "start", "end"]].values.tolist() == [["noise", 50, 75]]
    assert found["rise_pp"].item() == pytest.approx(5, abs=0.5)
    results = asked(nearest(), makers=(lossless_sets, small_sets))
    measures = invariance.measure(results) | {
        "directions": invariance.direction_table({"noise": curve, "blur": falling}, shares),
        "rises": found,
    }
    noise, blur = write("invariance", results, measures, thresholds()).findings["directions"]
    assert re.match(
        r"More noise made the recogniser surer, as it should not: from 50 to 75 by [45]\.\d\d percentage", noise
    )
    assert "never makes the recogniser surer" in blur


def test_confidence_is_followed_over_the_levels_of_each_damage():
    results = asked(nearest(), makers=(direction_sets,), confidence=lambda image: float((image > 0).mean()))
    curves = invariance.confidences(results)
    assert set(curves) == set(DIRECTIONS)
    assert curves["occlusion"].shape == (5, 2)
    table = invariance.direction_table(curves, invariance.resampled_shares(results, curves))
    assert (table["low"] <= table["mean_confidence"] + 1e-6).all()
    assert (table["mean_confidence"] <= table["high"] + 1e-6).all()


def test_where_nothing_was_asked_nothing_is_claimed():
    results = replace(asked(nearest(), makers=()), sets={})
    found = invariance.measure(results)
    assert found["invariance"].value is None
    assert found["directions"].empty
