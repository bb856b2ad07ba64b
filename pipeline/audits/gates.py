"""Gates: requirements that a network must meet before it may be served."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Gate:
    """One requirement and what was found of it.

    name: what is measured; sentence: the finding in words.
    value: the number that is held against the threshold, None where the data cannot show it.
    interval: the 95 % interval of the estimate that the value comes from.
    limit: whether the value must stay at or under the threshold ("at most"), or reach it ("at least").
    anchor: what is known of other networks, from the literature or from a plain network, with its source.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    limit: Literal["at most", "at least"]
    threshold: float
    sentence: str
    anchor: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the requirement is met; None where it cannot be measured."""
        if self.value is None:
            return None
        return self.value <= self.threshold if self.limit == "at most" else self.value >= self.threshold

    def record(self) -> dict[str, Any]:
        """The gate as it stands in audit.json."""
        return {**asdict(self), "passed": self.passed, "measurable": self.value is not None}
