"""How amounts and verdicts are written."""

import re
from collections.abc import Sequence

from pipeline.audits.gates import Verdict

SPACE = "\u00a0"
"""Between an amount and its unit: no line ends there."""


def percent(share: float, decimals: int = 2) -> str:
    """A share of 1 in per cent, as the service's page writes it."""
    return f"{100 * share:.{decimals}f}{SPACE}%"


def span(interval: tuple[float, float], decimals: int = 2) -> str:
    """A 95 % interval of a share of 1."""
    low, high = interval
    return bound(f"95 % interval {100 * low:.{decimals}f} to {percent(high, decimals)}")


def bound(text: str) -> str:
    """The same text with every amount kept on one line with its unit, and every p with its value."""
    return re.sub(r"(?<=\d) (?=%|pp\b|px\b|°)", SPACE, re.sub(r"\bp = (?=\d)", f"p{SPACE}={SPACE}", text))


def amount(verdict: Verdict, value: float, decimals: int) -> str:
    """A value of a gate in its unit, with so many decimals of a percentage."""
    match verdict.gate.unit:
        case "share":
            return percent(value, decimals)
        case "points":
            return f"{value:.{decimals}f}{SPACE}pp"
        case "number":
            return f"{value:.{decimals + 2}f}"


def decimals(verdict: Verdict) -> int:
    """How many decimals it takes to see that a gate's value is not its threshold: two, unless it takes more."""
    value, threshold = verdict.estimate.value, verdict.threshold
    count = 2
    while (
        value is not None
        and value != threshold
        and amount(verdict, value, count) == amount(verdict, threshold, count)
        and count < 8
    ):
        count += 1
    return count


def found(verdict: Verdict) -> str:
    """A gate's value in its unit; a dash where it could not be measured."""
    value = verdict.estimate.value
    return "–" if value is None else amount(verdict, value, decimals(verdict))


def interval(verdict: Verdict) -> str:
    """The 95 % interval of a gate's estimate; empty where there is none."""
    if verdict.estimate.interval is None:
        return ""
    low, high = (amount(verdict, end, decimals(verdict)) for end in verdict.estimate.interval)
    return f"{low.partition(SPACE)[0]} to {high}"


def asked(verdict: Verdict) -> str:
    """What is asked of a gate's value."""
    return f"{verdict.gate.limit} {amount(verdict, verdict.threshold, decimals(verdict))}"


def told(verdict: Verdict) -> str:
    """What was found, what was asked for and, where it failed, by how much, with the decimals that show it."""
    value = verdict.estimate.value
    if value is None:
        return "not measurable"
    text = f"{found(verdict)}, must be {asked(verdict)}"
    missed = amount(verdict, abs(value - verdict.threshold), decimals(verdict))
    return text if verdict.passed else f"{text}, missed by {missed}"


def titles(verdicts: Sequence[Verdict]) -> str:
    """The titles of some gates, as a list in a sentence."""
    names = [verdict.gate.title for verdict in verdicts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
