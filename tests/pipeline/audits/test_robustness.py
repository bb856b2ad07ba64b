"""The audit's section on robustness, of a reader that compares with the mean picture of each digit."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import robustness
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES, corrupt
from pipeline.audits.robustness import attempt, curve_table, first_of_each_digit, measure, resampled
from pipeline.audits.section import Section, Subject
from pipeline.data.sources import mnist_sample
from pipeline.params import Gates
from serving.model.recogniser import Predictions, Recogniser


class MeanPictures:
    """Takes an image for the digit whose mean picture it resembles most; sure of it or not, as it was made."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, abstains: bool = False) -> None:
        means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
        self.means = means / np.linalg.norm(means, axis=1, keepdims=True)
        self.abstains = abstains

    def predict(self, pixels: np.ndarray) -> Predictions:
        likeness = pixels.reshape(len(pixels), -1) @ self.means.T + 1e-6
        probabilities = likeness / likeness.sum(axis=1, keepdims=True)
        return Predictions(
            digit=probabilities.argmax(axis=1),
            confidence=probabilities.max(axis=1),
            probabilities=probabilities,
            novelty=np.ones(len(pixels), np.float32),
            prediction_set=probabilities > 0.1,
            abstained=np.full(len(pixels), self.abstains),
            reason=np.full(len(pixels), None, dtype=object),
        )


SAMPLE = mnist_sample()


def subject(count: int = 50, named: bool = True, abstains: bool = False, threshold: float = 0.3) -> Subject:
    images, labels = (array[:: len(array) // count][:count] for array in SAMPLE)
    writers = np.arange(count) % 10
    samples = pd.DataFrame(
        {
            "writer": pd.array(writers if named else [pd.NA] * count, dtype="Int32"),
            "population": np.where(writers < 5, "students", "employees") if named else None,
        },
        index=np.arange(count) + 1000,
    )
    reader = MeanPictures(*SAMPLE, abstains=abstains)
    return Subject(
        name="means",
        source="mnist-sample",
        recogniser=cast(Recogniser, reader),
        images=images,
        labels=labels,
        samples=samples,
        predictions=reader.predict(images.astype(np.float32)),
        limits=Gates(**dict.fromkeys(Gates.model_fields, threshold)),
        bootstrap=300,
        seed=0,
    )


@pytest.fixture(scope="module")
def audited() -> Section:
    return measure(subject())


def table(section: Section, beginning: str) -> pd.DataFrame:
    return next(found for caption, found in section.tables.items() if caption.startswith(beginning))


def test_the_gates_hold_what_the_table_shows(audited):
    corruptions = table(audited, "Fifteen")["read right"] / 100
    mean, worst, canvas = audited.gates
    assert [gate.name for gate in audited.gates] == ["corruption_mean", "corruption_worst", "canvas"]
    assert list(corruptions.index) == list(CORRUPTIONS)
    assert mean.value == pytest.approx(corruptions.mean(), abs=1e-4)
    assert worst.value == pytest.approx(corruptions.min(), abs=1e-4)
    assert corruptions.idxmin() in worst.sentence
    for gate in audited.gates:
        assert gate.interval[0] < gate.value < gate.interval[1]
        assert gate.limit == "at least"
        assert "arXiv" in gate.anchor
        assert "over writers" in gate.sentence
    assert "MNIST-C-style (re-implemented)" in mean.sentence
    canvases = table(audited, "Canvases")
    assert canvas.value == pytest.approx(np.average(canvases["read right"], weights=canvases["images"]) / 100, abs=1e-3)
    assert canvases["images"].sum() == 50


@pytest.mark.parametrize(("threshold", "passed"), [(0.8, True), (0.801, False)])
def test_the_gates_pass_from_their_threshold_on(threshold, passed):
    one = subject(threshold=threshold)
    right = np.arange(50) % 5 > 0
    draws = np.full((10, 15), 0.8)
    assert robustness.mean_gate(np.repeat(right[:, None], 15, axis=1), draws, one).passed is passed
    assert robustness.worst_gate(np.repeat(right[:, None], 15, axis=1), draws, one).passed is passed
    assert robustness.canvas_gate(right, one).passed is passed


def test_the_same_subject_gives_the_same_section(audited):
    again = measure(subject())
    assert again.gates == audited.gates
    assert again.findings == audited.findings
    assert all(again.tables[caption].equals(found) for caption, found in audited.tables.items())


def test_every_accuracy_is_that_of_the_corrupted_pictures_read_as_the_service_reads():
    one = subject()
    pictures = corrupt(one.images, "zigzag", one.rng("robustness: zigzag"))
    trial = attempt(one, "zigzag", first_of_each_digit(one))
    digit = one.read(pictures).digit
    assert (trial.right == (digit == one.labels)).all()
    assert (trial.digit == digit).all()
    assert (trial.shown == pictures[trial.places]).all()
    assert one.labels[trial.places[:10]].tolist() == list(range(10))
    assert not trial.right[trial.places[10:]].any()


def test_abstaining_does_not_change_what_is_read_right(audited):
    silent = table(measure(subject(abstains=True)), "Fifteen")
    open_ = table(audited, "Fifteen")
    assert (silent["read right"] == open_["read right"]).all()
    assert (silent["answered"] == 0).all()
    assert (open_["answered"] == 100).all()
    assert silent["wrong among the answered"].isna().all()


def test_the_gap_between_the_populations_is_students_errors_minus_employees(audited):
    one = subject()
    trial = attempt(one, "rotate", first_of_each_digit(one))
    students = (one.samples["population"] == "students").to_numpy()
    gap = 100 * (trial.right[~students].mean() - trial.right[students].mean())
    row = table(audited, "Fifteen").loc["rotate"]
    assert row["students' errors minus employees', pp"] == pytest.approx(gap, abs=0.01)


def test_without_writers_the_gap_is_not_shown_and_that_is_said():
    section = measure(subject(named=False))
    assert not any("students" in column for column in table(section, "Fifteen").columns)
    assert any("does not say who wrote" in finding for finding in section.findings)
    assert "over images" in section.gates[0].sentence
    assert all(gate.value is not None for gate in section.gates)


def test_resampling_whole_writers_keeps_the_mean_and_widens_what_fails_together():
    scores = np.zeros((400, 2), bool)
    scores[:200, 0] = True
    scores[::2, 1] = True
    draws = resampled(scores, np.repeat(np.arange(8), 50), 4000, np.random.default_rng(0))
    assert draws.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.01)
    assert draws[:, 0].std() == pytest.approx(0.5 / np.sqrt(8), rel=0.1)
    assert draws[:, 1].std() == pytest.approx(0, abs=1e-9)


def test_severity_curves_tell_where_accuracy_breaks():
    rows: list[tuple[Any, ...]] = [("rotate", level, f"{level}0°", 1 - level / 40, 1.0) for level in range(1, 6)]
    rows += [("blur", level, f"{level} px", 0.99, 1.0) for level in range(1, 6)]
    found = curve_table(pd.DataFrame(rows, columns=["family", "level", "dial", "right", "answered"]))
    assert found["under 95 % from"].to_dict() == {"rotate": "30°", "blur": "never"}
    assert found.loc["rotate", "mean"] == 92.5
    assert found.loc["rotate", "level 2"] == "95.0 (20°)"


def test_all_families_changes_and_figures_are_there(audited):
    assert list(table(audited, "Severity").index) == list(CURVES)
    assert list(table(audited, "Pens").index) == ["none", "thinning", "thickening", "swelling", "fractures"]
    assert len(audited.figures) == 4
    assert set(robustness.WHAT) >= set(CORRUPTIONS)
    assert list(robustness.PUBLISHED) == list(CORRUPTIONS)
    assert np.mean(list(robustness.PUBLISHED.values()), axis=0) == pytest.approx([0.7592, 0.8976], abs=1e-4)


def test_misread_examples_are_framed_in_red_with_label_and_answer():
    one = subject()
    examples = first_of_each_digit(one)
    trials = {"stripe": attempt(one, "stripe", examples)}
    figure = robustness.gallery(one, trials, slice(10))
    texts = [text.get_text() for text in figure.axes[0].texts][: len(examples)]
    expected = [
        f"{label} → {answer}" if label != answer else ""
        for label, answer in zip(one.labels[examples], trials["stripe"].digit[examples], strict=True)
    ]
    assert texts == expected
    assert any(texts)
