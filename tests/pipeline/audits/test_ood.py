"""The section on what is no digit, for recognisers of which the truth is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from torch import nn

from pipeline.audits import ood
from pipeline.audits.gates import GATES, Verdict
from pipeline.audits.inputs import catalogue
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import Results, TestSet
from pipeline.report.sections import write
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.audits.asked import ask
from tests.pipeline.audits.made_up import measured, thresholds

LABELS = np.arange(300).astype(np.uint8) % 10
LIMITS = {"ood_auroc": 0.97, "ood_confident": 0.01, "letters_confident": 0.05}


def toy(folder: Path, novelty_threshold: float = 6.5, gain: float = 0.2, **metadata: str) -> Recogniser:
    """Sure of one band of ink; novel is what has more ink than ``novelty_threshold`` bands."""
    told = toy_model.METADATA | {"novelty_threshold": str(novelty_threshold)} | metadata
    return Recogniser(toy_model.write(folder / "model.onnx", told, gain))


def toy_test_set(recogniser: Recogniser, writers: bool = True) -> TestSet:
    images = np.stack([toy_model.image(int(label)) for label in LABELS])
    who = pd.array(np.arange(len(LABELS)) // 10 if writers else [pd.NA] * len(LABELS), dtype="Int32")
    told = recogniser.predict(images.astype(np.float32))
    return TestSet(images, LABELS, pd.DataFrame({"writer": who}), told, seed=0)


def asked(recogniser: Recogniser, *sets: PictureSet, writers: bool = True) -> Results:
    test = toy_test_set(recogniser, writers)
    return ask(
        test,
        recogniser,
        sets or catalogue.non_digit_sets(test),
        bootstrap=500,
        novelty_threshold=recogniser.novelty_threshold,
        least_confidence=recogniser.least_confidence,
    )


def passed(found: dict[str, Any]) -> dict[str, bool | None]:
    return {gate: Verdict(GATES[gate], found[gate], threshold).passed for gate, threshold in LIMITS.items()}


def test_a_recogniser_that_takes_everything_for_a_digit_is_refused(tmp_path):
    results = asked(toy(tmp_path, novelty_threshold=1e6, gain=50))
    found = ood.measure(results)
    assert passed(found) == dict.fromkeys(LIMITS, False)
    assert found["ood_confident"].value > 0.8
    assert found["letters_confident"].value > 0.8
    section = write("ood", results, found, thresholds())
    assert section.findings["taken"][0].startswith("Taken for digits with a confidence above 0.99: of uniform noise, ")
    assert " as " in section.findings["taken"][0]
    assert f"“{found['hardest']}”" in section.sentences["ood_auroc"]
    assert section.sentences["ood_confident"].endswith("No other set but the letters has more.")
    assert "letters has more" not in section.sentences["letters_confident"]


def test_one_that_doubts_the_sets_more_than_the_digits_passes(tmp_path):
    squares = np.zeros((40, 28, 28), np.uint8)
    squares[:, 4:24, 4:24] = 255
    sets = [PictureSet(f"non_digit/{name}", np.arange(40), lambda: squares) for name in ("squares", "letters")]
    results = asked(toy(tmp_path, novelty_threshold=1.05, gain=50), *sets)
    found = ood.measure(results)
    assert passed(found) == dict.fromkeys(LIMITS, True)
    assert list(found["sets"]["declined_percent"]) == [100.0] * 2
    assert "taken" not in write("ood", results, found, thresholds()).findings


def test_the_doubt_exceeds_one_where_the_recogniser_abstains(tmp_path):
    recogniser = toy(tmp_path, novelty_threshold=3.2)
    results = asked(recogniser)
    rng = np.random.default_rng(0)
    ink = rng.uniform(0, 1, (300, 10)) * rng.uniform(10, 255, (300, 1))
    ink[::3, 4] = 255
    ink[:20] = 90
    answers = recogniser.predict(ink[:, toy_model.BAND].reshape(-1, 28, 28).astype(np.float32))
    assert set(answers.reason) == {None, "uncertain", "not_a_digit", "blank"}
    np.testing.assert_array_equal(ood.doubt(answers, results) > 1, answers.abstained)


def test_placements_average_to_the_auroc():
    rng = np.random.default_rng(0)
    strange, common = rng.integers(3, 10, 50), rng.integers(0, 8, 80)
    expected = roc_auc_score(np.repeat([1, 0], [50, 80]), np.concatenate([strange, common]))
    assert ood.placements(strange, common).mean() == pytest.approx(expected)


@pytest.mark.parametrize("writers", [True, False])
def test_the_interval_holds_the_estimate_and_is_as_wide_as_the_sets_are_small(tmp_path, writers):
    results = asked(toy(tmp_path, 3), writers=writers)
    rng = np.random.default_rng(0)
    digits = rng.normal(0, 1, len(LABELS))

    def width(count: int) -> float:
        strange = rng.normal(1, 1, count)
        auroc = float(ood.placements(strange, digits).mean())
        _, low, high = measured(ood.auroc(results, ood.Trial(results.predictions, strange, auroc), digits))
        assert low < auroc < high
        return high - low

    assert width(20) > 1.5 * width(200)


def test_fooling_images_are_shown_where_the_network_is_at_hand(tmp_path):
    recogniser = toy(tmp_path)
    test = toy_test_set(recogniser)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False)
    sets = list(catalogue.non_digit_sets(test))
    without, having = asked(recogniser, *sets), asked(recogniser, *sets, catalogue.fooling_set(test, lambda: network))
    of_set = [set(ood.measure(one)["sets"]["set"]) for one in (having, without)]
    assert of_set[0] - of_set[1] == {"fooling images"}
    section = write("ood", without, ood.measure(without), thresholds())
    assert "No fooling images" in section.findings["fooling"][0]
    assert set(section.figures) == {"doubts", "examples"}
    assert "fooling" not in write("ood", having, ood.measure(having), thresholds()).findings


def test_a_service_that_does_not_tell_novelty_leaves_the_auroc_unmeasured(tmp_path):
    whole = asked(toy(tmp_path))
    sets = {name: replace(one, predictions=silent(one.predictions)) for name, one in whole.sets.items()}
    over_http = replace(
        whole, predictions=silent(whole.predictions), sets=sets, novelty_threshold=None, least_confidence=None
    )
    found, known = ood.measure(over_http), ood.measure(whole)
    assert found["ood_auroc"].value is None
    assert found["ood_confident"] == known["ood_confident"]
    assert found["letters_confident"] == known["letters_confident"]
    assert found["sets"]["AUROC"].isna().all()
    section = write("ood", over_http, found, thresholds())
    assert section.sentences["ood_auroc"].startswith("Not measurable")
    assert set(section.figures) == {"examples"}


def silent(told):
    return replace(told, novelty=np.full(len(told), np.nan, np.float32))


def test_a_recogniser_that_answers_only_what_is_certain_doubts_the_rest(tmp_path):
    """Where validation was all certainty, any less is abstained from."""
    recogniser = toy(tmp_path, gain=50, confidence_threshold="1.0")
    certain, torn = toy_model.image(3), np.maximum(toy_model.image(3), toy_model.image(4, 254))
    answers = recogniser.predict(np.stack([certain, torn]).astype(np.float32))
    assert answers.abstained.tolist() == [False, True]
    low, high = ood.doubt(answers, asked(recogniser))
    assert low <= 1 < high
