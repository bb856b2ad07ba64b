"""What the last version wrote of an audit, as a verdicts file has it now: for a champion that was chosen then."""

from collections.abc import Mapping
from typing import Any

from pipeline.audits.gates import GATES, Estimate, Verdict
from pipeline.report import scorecard
from pipeline.report.sections import Section

TOLD = 5
"""Findings of its folds, the first ones, that the model card repeated."""


def verdicts(audit: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A verdicts file, without numbers beside the gates', out of an audit.json and the model's version."""
    old = {gate["name"]: gate for gate in audit["gates"] if gate["name"] in GATES}
    decided = [
        Verdict(GATES[name], Estimate(gate["value"], gate["interval"] and tuple(gate["interval"])), gate["threshold"])
        for name, gate in old.items()
    ]
    sentences = {name: gate["sentence"] for name, gate in old.items()}
    sections = {one.gate.section: Section(one.gate.section, "", "", sentences) for one in decided}
    return {
        "network": audit["network"],
        "source": audit["source"],
        "version": version,
        "gates": scorecard.records(decided, sections),
        "values": {},
        "findings": {"out_of_fold": {"errors": audit["findings"].get("recipe", [])[:TOLD]}},
    }
