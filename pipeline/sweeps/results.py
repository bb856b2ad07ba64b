"""What came out of a sweep's trials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.sweeps.space import Values, drawn

if TYPE_CHECKING:
    from ray.tune import Result

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Outcome:
    """A trial's values, how it ended and after how many epochs, and the metric of the weights that would be kept."""

    values: Values
    state: State
    epoch: int
    kept: float

    def __str__(self) -> str:
        after = f" after epoch {self.epoch}" if self.state != "complete" else ""
        values = ", ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{self.state}{after}, {self.kept:.4f}, {values}"


def outcome(config: Mapping[str, Any], result: Mapping[str, Any] | None, failed: bool = False) -> Outcome:
    """A trial's outcome, by its config and its last result as Ray Tune has them."""
    result = result or {}
    epoch = result.get("epoch", 0)
    state: State = "failed" if failed else "complete" if epoch == result.get("epochs") else "pruned"
    return Outcome(drawn(config), state, epoch, result.get("kept", float("nan")))


def outcomes(results: "Iterable[Result]", mode: Literal["min", "max"]) -> list[Outcome]:
    """The outcomes of a sweep's trials: the complete ones first, the best first."""
    found = [outcome(one.config or {}, one.metrics, one.error is not None) for one in results]
    return ranked(found, mode)


def ranked(found: Iterable[Outcome], mode: Literal["min", "max"]) -> list[Outcome]:
    """Outcomes, the complete ones first, the best first; on equal terms as they came."""
    order = ["complete", "pruned", "failed"]
    return sorted(found, key=lambda one: (order.index(one.state), one.kept if mode == "min" else -one.kept))
