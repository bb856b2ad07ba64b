"""The model card: what the champion is for and not for, its data, its figures by group, its limits, its lineage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data.sources import SOURCES
from pipeline.models.networks import kinds
from pipeline.report.scorecard import Record
from pipeline.report.templates import template

OUT_OF_FOLD = ("errors", "answered", "populations", "gates", "labels")
"""The findings out of fold that the card repeats."""


def render(promotion: Mapping[str, Any], run: Mapping[str, Any] | None, verdicts: Mapping[str, Any]) -> str:
    """The model card, in Markdown.

    Args:
        promotion: what reports/promotion.json says.
        run: the champion's run.json; None where there is no champion.
        verdicts: what the champion's verdicts file says; empty where it is not known.
    """
    champion = promotion["champion"]
    gates = verdicts.get("gates", [])
    measured = [gate for gate in gates if gate["status"] != "not measurable"]
    out_of_fold = verdicts.get("findings", {}).get("out_of_fold", {})
    return template("model_card.md").render(
        title=champion["network"] if champion else f"no champion on {promotion['source']}",
        kind=kind(run) if run else "",
        champion=champion,
        promotion=promotion,
        run=run,
        source=SOURCES[promotion["source"]],
        verdict=verdict(gates),
        gates=gates,
        groups=[gate for gate in measured if gate["between_groups"]],
        out_of_fold=[sentence for name in OUT_OF_FOLD for sentence in out_of_fold.get(name, [])],
        others=[gate for gate in measured if not gate["between_groups"]],
        unmeasured=[gate for gate in gates if gate["status"] == "not measurable"],
        failed=[gate for gate in gates if gate["status"] == "failed"],
    )


def kind(run: Mapping[str, Any]) -> str:
    """What people call the kind of network that a run.json tells of."""
    return kinds()[run["inputs"]["params"][f"networks.{run['network']}.kind"]].title


def verdict(gates: Sequence[Record]) -> str:
    """How its gates went, in a sentence."""
    if not gates:
        return ""
    count = Counter(gate["status"] for gate in gates)
    unmeasured = count["not measurable"]
    met, measured = count["passed"] + count["close"], len(gates) - unmeasured
    text = f"It meets {met} of the {measured} requirements that this data can show"
    return f"{text}; {unmeasured} it cannot." if unmeasured else f"{text}."
