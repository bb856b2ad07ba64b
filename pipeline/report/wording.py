"""The words of the audit: how amounts are written, what a gate is called, and what its record in audit.json says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Record = Mapping[str, Any]
Standing = Literal["failed", "close", "not measurable", "passed"]
STANDINGS: tuple[Standing, ...] = ("failed", "close", "not measurable", "passed")
SPACE = "\u00a0"
"""Between an amount and its unit: no line ends there."""


def percent(share: float, decimals: int = 2) -> str:
    """A share of 1 in per cent, as the service's page writes it."""
    return f"{100 * share:.{decimals}f}{SPACE}%"


def span(low: float, high: float, decimals: int = 2) -> str:
    """A 95 % interval of a share of 1."""
    return bound(f"95 % interval {100 * low:.{decimals}f} to {percent(high, decimals)}")


def bound(text: str) -> str:
    """The same text with every amount kept on one line with its unit, and every p with its value."""
    return re.sub(r"(?<=\d) (?=%|pp\b|px\b|°)", SPACE, re.sub(r"\bp = (?=\d)", f"p{SPACE}={SPACE}", text))


@dataclass(frozen=True)
class Requirement:
    """What a gate is called, what its value is, and whether that is a share of 1, percentage points or a number."""

    title: str
    measure: str
    unit: Literal["share", "points", "number"] = "share"


REQUIREMENTS = {
    "error": Requirement("Errors", "test images misread"),
    "digit_recall": Requirement("The digit read worst", "of its images read right"),
    "population_gap": Requirement(
        "Gap between the writers' populations", "students' errors minus employees', upper bound", "points"
    ),
    "students_error": Requirement("Errors on students' digits", "misread, upper bound"),
    "abstention_gap": Requirement(
        "Gap in abstentions", "difference between students and employees left unanswered", "points"
    ),
    "broken_strokes": Requirement("Broken strokes", "of such digits misread"),
    "corruption_mean": Requirement("Corrupted images", "read right, mean of the corruptions"),
    "corruption_worst": Requirement("The worst corruption", "read right"),
    "canvas": Requirement("Larger canvases", "read right, anywhere on the canvas"),
    "invariance_lossless": Requirement("Changes that lose nothing", "answers unchanged, worst change"),
    "invariance": Requirement("Small changes", "answers unchanged, worst change"),
    "ood_auroc": Requirement("Telling digits from anything else", "area under the ROC curve, worst set", "number"),
    "ood_confident": Requirement("Sure of what is no digit", "answered with confidence above 0.99, worst set"),
    "letters_confident": Requirement("Sure of letters", "answered with confidence above 0.99"),
    "coverage": Requirement("Images answered", "of the test images"),
    "answered_error": Requirement("Errors among the answers", "of the answers given are wrong"),
    "ece_excess": Requirement("Calibration", "calibration error beyond its noise", "number"),
}


def requirement(name: str) -> Requirement:
    """The words for a gate, made of its name where it has none of its own."""
    return REQUIREMENTS.get(name, Requirement(name.replace("_", " ").capitalize(), "", "number"))


def standing(gate: Record) -> Standing:
    """A gate's verdict: "close" is passed, but with a 95 % interval that reaches beyond the threshold.

    Beyond a threshold of all or nothing there is nothing to reach: what meets it has passed.
    """
    if not gate["measurable"]:
        return "not measurable"
    if not gate["passed"]:
        return "failed"
    if gate["interval"] is None or gate["value"] == gate["threshold"] in (0, 1):
        return "passed"
    low, high = gate["interval"]
    beyond = high > gate["threshold"] if gate["limit"] == "at most" else low < gate["threshold"]
    return "close" if beyond else "passed"


def amount(name: str, value: float, count: int = 2) -> str:
    """A value of a gate in its unit, with so many decimals of a percentage."""
    match requirement(name).unit:
        case "share":
            return percent(value, count)
        case "points":
            return f"{value:.{count}f}{SPACE}pp"
        case "number":
            return f"{value:.{count + 2}f}"


def interval(gate: Record) -> str:
    """The 95 % interval of a gate's estimate; empty where there is none."""
    if gate["interval"] is None:
        return ""
    low, high = (amount(gate["name"], end, decimals(gate)) for end in gate["interval"])
    return f"{low.partition(SPACE)[0]} to {high}"


def found(gate: Record) -> str:
    """A gate's value in its unit; a dash where it could not be measured."""
    return amount(gate["name"], gate["value"], decimals(gate)) if gate["measurable"] else "–"


def asked(gate: Record) -> str:
    """What is asked of a gate's value."""
    return f"{gate['limit']} {amount(gate['name'], gate['threshold'], decimals(gate))}"


def decimals(gate: Record) -> int:
    """How many decimals it takes to see that a gate's value is not its threshold: two, unless it takes more."""
    name, value, threshold = gate["name"], gate["value"], gate["threshold"]
    count = 2
    while value not in (None, threshold) and amount(name, value, count) == amount(name, threshold, count) and count < 8:
        count += 1
    return count


def verdict(gate: Record) -> str:
    """What was found, what was asked for and, where it failed, by how much, with the decimals that show it."""
    if not gate["measurable"]:
        return "not measurable"
    text = f"{found(gate)}, must be {asked(gate)}"
    missed = amount(gate["name"], abs(gate["value"] - gate["threshold"]), decimals(gate))
    return text if gate["passed"] else f"{text}, missed by {missed}"


def refusal(gate: Record) -> str:
    """A failed gate: which, by how much, and the finding."""
    return f"{requirement(gate['name']).title} ({gate['name']}): {verdict(gate)}. {gate['sentence']}"


def place(gate: Record, page: Path) -> str:
    """Where in the report to look: the section and, by the first words of their captions, its pictures."""
    captions = [re.split(r"[:,;]", caption)[0] for caption in gate["figures"]]
    return f"{page}#{gate['section']}: {'; '.join(captions)}".removesuffix(": ")
