"""The section on what is no digit, for recognisers of which the truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from torch import nn

from pipeline.audits import ood
from pipeline.audits.section import Section, Subject
from pipeline.params import Gates
from serving.model.recogniser import Recogniser
from tests import toy_model

LABELS = np.arange(300).astype(np.uint8) % 10
LIMITS = Gates.model_validate(
    dict.fromkeys(Gates.model_fields, 0.5) | {"ood_auroc": 0.97, "ood_confident": 0.01, "letters_confident": 0.05}
)


def subject(folder: Path, novelty_threshold: float, gain: float = 0.2, writers: bool = True) -> Subject:
    """The toy under audit: sure of one band of ink; novel is what has more ink than ``novelty_threshold`` bands."""
    path = toy_model.write(
        folder / "model.onnx", toy_model.METADATA | {"novelty_threshold": str(novelty_threshold)}, gain
    )
    recogniser = Recogniser(path)
    images = np.stack([toy_model.image(int(label)) for label in LABELS])
    hands = pd.array(np.arange(len(LABELS)) // 10 if writers else [pd.NA] * len(LABELS), dtype="Int32")
    return Subject(
        name="toy",
        source="mnist",
        recogniser=recogniser,
        images=images,
        labels=LABELS,
        samples=pd.DataFrame({"writer": hands}),
        predictions=recogniser.predict(images.astype(np.float32)),
        limits=LIMITS,
        bootstrap=500,
        seed=0,
    )


@pytest.fixture(autouse=True)
def small_sets(monkeypatch):
    monkeypatch.setattr(ood, "COUNT", 40)
    monkeypatch.setattr(ood, "FOOLING", 12)


def gates(section: Section) -> dict[str, bool | None]:
    return {gate.name: gate.passed for gate in section.gates}


def test_a_recogniser_that_takes_everything_for_a_digit_is_refused(tmp_path):
    section = ood.measure(subject(tmp_path, novelty_threshold=1e6, gain=50))
    assert gates(section) == {"ood_auroc": False, "ood_confident": False, "letters_confident": False}
    assert all(gate.value is not None and gate.value > 0.8 for gate in section.gates[1:])
    assert sum("Taken for digits" in finding for finding in section.findings) == 1
    assert [gate.anchor for gate in section.gates if gate.name == "letters_confident"] == [""]


def test_one_that_doubts_the_sets_more_than_the_digits_passes(tmp_path, monkeypatch):
    squares = np.zeros((40, 28, 28), np.uint8)
    squares[:, 4:24, 4:24] = 255
    monkeypatch.setattr(ood.not_digits, "sets", lambda *_: {"squares": squares, "letters": squares})
    section = ood.measure(subject(tmp_path, novelty_threshold=1.05, gain=50))
    assert gates(section) == {"ood_auroc": True, "ood_confident": True, "letters_confident": True}
    assert list(section.tables[ood.SETS]["declined, %"]) == [100.0] * 2


def test_the_doubt_exceeds_one_where_the_recogniser_abstains(tmp_path):
    given = subject(tmp_path, novelty_threshold=3.2)
    rng = np.random.default_rng(0)
    ink = rng.uniform(0, 1, (300, 10)) * rng.uniform(10, 255, (300, 1))
    ink[::3, 4] = 255
    ink[:20] = 90
    answers = given.recogniser.predict(ink[:, toy_model.BAND].reshape(-1, 28, 28).astype(np.float32))
    assert set(answers.reason) == {None, "uncertain", "not_a_digit", "blank"}
    np.testing.assert_array_equal(ood.doubt(answers, given.recogniser) > 1, answers.abstained)


def test_placements_average_to_the_auroc():
    rng = np.random.default_rng(0)
    strange, common = rng.integers(3, 10, 50), rng.integers(0, 8, 80)
    expected = roc_auc_score(np.repeat([1, 0], [50, 80]), np.concatenate([strange, common]))
    assert ood.placements(strange, common).mean() == pytest.approx(expected)


@pytest.mark.parametrize("writers", [True, False])
def test_the_interval_holds_the_estimate_and_is_as_wide_as_the_sets_are_small(tmp_path, writers):
    given = subject(tmp_path, 3, writers=writers)
    rng = np.random.default_rng(0)
    digits = rng.normal(0, 1, len(LABELS))

    def width(count: int) -> float:
        strange = rng.normal(1, 1, count)
        auroc = float(ood.placements(strange, digits).mean())
        low, high = ood.auroc_interval(given, ood.Trial(np.empty(count), given.predictions, strange, auroc), digits)
        assert low < auroc < high
        return high - low

    assert width(20) > 1.5 * width(200)


def test_fooling_images_are_shown_where_the_network_is_at_hand(tmp_path):
    given = subject(tmp_path, 6.5)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    without, having = ood.measure(given), ood.measure(given, network)
    name = ood.SETS
    assert set(having.tables[name]["set"]) - set(without.tables[name]["set"]) == {"fooling images"}
    assert any("No fooling images" in finding for finding in without.findings)
    assert len(having.figures) == 2


def test_a_recogniser_that_answers_only_what_is_certain_doubts_the_rest(tmp_path):
    """Where validation was all certainty, any less is declined."""
    path = toy_model.write(tmp_path / "model.onnx", toy_model.METADATA | {"confidence_threshold": "1.0"}, gain=50)
    recogniser = Recogniser(path)
    certain, torn = toy_model.image(3), np.maximum(toy_model.image(3), toy_model.image(4, 254))
    answers = recogniser.predict(np.stack([certain, torn]).astype(np.float32))
    assert answers.abstained.tolist() == [False, True]
    low, high = ood.doubt(answers, recogniser)
    assert low <= 1 < high
