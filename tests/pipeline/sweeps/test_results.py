"""What came out of a trial, by Ray's own trial and by its result: they agree."""

import math
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.sweeps.results import Outcome, of_result, of_trial, ranked
from tests.pipeline.sweeps.in_process import fail, result, trial

CONFIG = {"dropout": 0.123456, "hidden": "[16, 8]"}


@pytest.mark.parametrize(
    ("last", "fails", "state", "told"),
    [
        ({"epoch": 6, "epochs": 6, "kept": 0.98765}, False, "complete", "complete, 0.9877 with"),
        ({"epoch": 2, "epochs": 6, "kept": 0.98765}, False, "pruned", "pruned after epoch 2, 0.9877 with"),
        ({"epoch": 5, "epochs": 6, "kept": 0.98765}, True, "failed", "failed after epoch 5, 0.9877 with"),
        ({"epoch": 6, "epochs": 6, "kept": 0.98765}, True, "failed", "failed after epoch 6, 0.9877 with"),
        (None, True, "failed", "failed after epoch 0 with"),
    ],
)
def test_an_outcome_is_the_same_by_the_trial_and_by_its_result(
    tmp_path: Path, last: dict[str, Any] | None, fails: bool, state: str, told: str
) -> None:
    number = random.randrange(1, 200)
    one = trial(tmp_path, number, CONFIG)
    if last:
        one.update_last_result(last)
    if fails:
        fail(one, ValueError("no"))
    found = of_trial(one, failed=fails)
    assert (found.number, found.state, found.epoch) == (number, state, last["epoch"] if last else 0)
    assert found.values == {"dropout": 0.1235, "hidden": [16, 8]}
    assert str(found) == f"{told} dropout 0.1235, hidden [16, 8]"
    assert str(of_result(result(one))) == str(found)
    assert of_result(result(one)).number == number


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_has_no_number_is_no_better_than_what_has_one(mode: Any) -> None:
    """In whatever order they are given."""
    kept = [random.random() for _ in range(5)]
    found = [Outcome(number, {}, "complete", 1, value) for number, value in enumerate([*kept, math.nan, math.nan], 1)]
    best = sorted(found[:5], key=lambda one: one.kept, reverse=mode == "max")
    for _ in range(20):
        assert ranked(random.sample(found, len(found)), mode) == best + found[5:]
