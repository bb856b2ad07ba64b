"""What came out of a sweep's trials."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.sweeps.space import Values, drawn

if TYPE_CHECKING:
    from ray.tune import Result
    from ray.tune.experiment import Trial

STATES = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Outcome:
    """The number of a trial from 1 on, its values, how it ended and after how many epochs.

    kept: the metric of the weights that would be kept; NaN where no epoch had a loss that is a number.
    """

    number: int
    values: Values
    state: str
    epoch: int
    kept: float

    def __str__(self) -> str:
        after = f" after epoch {self.epoch}" if self.state != "complete" else ""
        kept = f", {self.kept:.4f}" if self.epoch else ""
        values = ", ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{self.state}{after}{kept} with {values}"


def of_trial(trial: "Trial", failed: bool = False) -> Outcome:
    """The outcome of one of Ray Tune's trials that has ended."""
    return outcome(trial.config, trial.last_result or {}, trial.experiment_tag, failed)


def of_result(result: "Result") -> Outcome:
    """The outcome of a trial by its result, as Ray Tune gives that of a sweep that has ended.

    Its number is that of its folder: one that failed before its first report has nothing else that tells.
    """
    return outcome(result.config or {}, result.metrics or {}, Path(result.path).name, result.error is not None)


def folder(trial: "Trial") -> str:
    """What Ray Tune calls a trial's folder."""
    return f"{number(trial.experiment_tag)}_{trial.trial_id}"


def outcome(config: Mapping[str, Any], last: Mapping[str, Any], tag: str, failed: bool) -> Outcome:
    """A trial's outcome by its config, its last report and its tag or folder, which begin with its number."""
    epoch = last.get("epoch", 0)
    state = "failed" if failed else "complete" if epoch == last.get("epochs") else "pruned"
    return Outcome(number(tag), drawn(config), state, epoch, last.get("kept", float("nan")))


def number(tag: str) -> int:
    """A trial's number by its tag or folder: a sweep that is resumed has its trials in another order."""
    return int(tag.partition("_")[0])


def ranked(found: Iterable[Outcome], mode: Literal["min", "max"]) -> list[Outcome]:
    """Outcomes, the complete ones first, the best first, those without a number last, on equal terms as they began."""
    sign = 1 if mode == "min" else -1

    def rank(one: Outcome) -> tuple[int, float, int]:
        return STATES.index(one.state), math.inf if math.isnan(one.kept) else sign * one.kept, one.number

    return sorted(found, key=rank)
