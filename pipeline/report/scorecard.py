"""The gates of one network as its verdicts file holds them, and what to say of them all together."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from pipeline.audits.gates import Verdict
from pipeline.report import status
from pipeline.report.sections import Section, default_sentence, record

Record = Mapping[str, Any]
"""One gate in reports/verdicts/NAME.json."""

TOLD_IN_FULL = 3
"""With more failures than this the verdict leaves their figures to the scorecard."""
COLOURS = {"passed": "green", "close": "yellow", "not measurable": "yellow", "failed": "bold red"}


def records(verdicts: Sequence[Verdict], sections: Mapping[str, Section]) -> list[dict[str, Any]]:
    """All gates: numbers first, then the words that the report, the card and the page have for them."""
    return [_record(verdict, sections[verdict.gate.section]) for verdict in verdicts]


def _record(verdict: Verdict, section: Section) -> dict[str, Any]:
    gate, estimate = verdict.gate, verdict.estimate
    return {
        "name": gate.name,
        "value": record(estimate.value),
        "interval": record(estimate.interval),
        "limit": gate.limit,
        "threshold": verdict.threshold,
        "status": verdict.status,
        "section": gate.section,
        "title": gate.title,
        "measure": gate.measure,
        "found": status.found(verdict),
        "found_interval": status.interval(verdict),
        "asked": status.asked(verdict),
        "told": status.told(verdict),
        "sentence": section.sentences.get(gate.name, default_sentence(gate.name, estimate)),
        "between_groups": gate.between_groups,
        "anchor": gate.anchor,
    }


def verdict(network: str, gates: Sequence[Verdict]) -> str:
    """May the network be served, and why: a paragraph for somebody who reads nothing else."""
    failed, close, unmeasured = (
        [one for one in gates if one.status == wanted] for wanted in ("failed", "close", "not measurable")
    )
    measured = len(gates) - len(unmeasured)
    if failed:
        missed = status.titles(failed)
        if len(failed) <= TOLD_IN_FULL:
            missed = "; ".join(f"{one.gate.title} ({status.told(one)})" for one in failed)
        text = (
            f"{network} may not be served: it misses {len(failed)} of the {measured} requirements measured. {missed}."
        )
    elif not measured:
        text = f"{network} may not be judged: none of its requirements could be measured."
    else:
        text = f"{network} may be served: it meets all {measured} requirements that could be measured."
    if close:
        text += f" Met so narrowly that another test set might decide otherwise: {status.titles(close)}."
    if unmeasured:
        text += f" This data cannot show: {status.titles(unmeasured)}. Nothing is known about that, good or bad."
    return text


def gauge(gate: Record) -> dict[str, float] | None:
    """Where value, interval and threshold lie, in 0..100, on an axis that holds them all."""
    if gate["value"] is None:
        return None
    low, high = gate["interval"] or (gate["value"], gate["value"])
    marks = {"value": gate["value"], "low": low, "high": high, "threshold": gate["threshold"]}
    start, end = min(marks.values()), max(marks.values())
    margin = 0.2 * (end - start) or 0.1 * (abs(end) or 1)
    scale = 100 / (end - start + 2 * margin)
    places = {name: round((mark - start + margin) * scale, 2) for name, mark in marks.items()}
    at_most = gate["limit"] == "at most"
    first, last = (0.0, places["threshold"]) if at_most else (places["threshold"], 100.0)
    return places | {"allowed": first, "width": round(last - first, 2)}


def table(gates: Sequence[Record]) -> Table:
    """A row for each gate, to be printed."""
    shown = Table("requirement", "found", "required", "", box=box.SIMPLE_HEAD)
    for gate in gates:
        colour = COLOURS[gate["status"]]
        shown.add_row(gate["title"], gate["found"], gate["asked"], f"[{colour}]{gate['status']}[/]")
    return shown


def refusal(gate: Record) -> str:
    """A failed gate: which, by how much, and the finding."""
    return f"{gate['title']} ({gate['name']}): {gate['told']}. {gate['sentence']}"


def place(gate: Record, report: Path, captions: Sequence[str]) -> str:
    """Where in the report to look: the gate's section and, by the first words of their captions, its pictures."""
    names = [re.split(r"[:,;]", caption)[0] for caption in captions]
    return f"{report}#{gate['section']}: {'; '.join(names)}".removesuffix(": ")


def failed(gates: Sequence[Record]) -> list[Record]:
    """The gates that were not passed."""
    return [gate for gate in gates if gate["status"] == "failed"]
