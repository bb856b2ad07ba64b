"""What came out of a sweep's trials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.sweeps.space import Values, drawn

if TYPE_CHECKING:
    from ray.tune import Result
    from ray.tune.experiment import Trial

STATES = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Outcome:
    """The number of a trial from 1 on, its values, how it ended and after how many epochs.

    kept: the metric of the weights that would be kept.
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
    """The outcome of a trial by its result, as Ray Tune gives that of a sweep that has ended."""
    metrics = result.metrics or {}
    return outcome(result.config or {}, metrics, metrics.get("experiment_tag", "0"), result.error is not None)


def outcome(config: Mapping[str, Any], last: Mapping[str, Any], tag: str, failed: bool) -> Outcome:
    """A trial's outcome by its config, its last report and its tag, which begins with its number."""
    epoch = last.get("epoch", 0)
    state = "failed" if failed else "complete" if epoch == last.get("epochs") else "pruned"
    return Outcome(number(tag), drawn(config), state, epoch, last.get("kept", float("nan")))


def number(tag: str) -> int:
    """A trial's number by its tag: a sweep that is resumed has its trials in another order."""
    return int(tag.partition("_")[0])


def ranked(found: Iterable[Outcome], mode: Literal["min", "max"]) -> list[Outcome]:
    """Outcomes, the complete ones first, the best first, on equal terms as they began."""
    sign = 1 if mode == "min" else -1
    return sorted(found, key=lambda one: (STATES.index(one.state), sign * one.kept, one.number))
