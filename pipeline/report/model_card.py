"""The model card: what the champion is for and not for, its data, its figures by group, its limits, its lineage."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.models.networks import kinds
from pipeline.report import wording
from pipeline.report.templates import template

GROUPS = ("digit_recall", "population_gap", "students_error", "abstention_gap", "broken_strokes")
RECIPE_TOLD = 5
"""Findings of the recipe's audit, the first ones, that the card repeats: errors, answers, whose, gates and labels."""
TRIAL = (
    "Who wrote them is not known, so that training, validation and test may share writers. It is for trying things "
    "out, not for serving."
)
DATA = {
    "mnist": "MNIST's 70,000 images: digits written by employees of the US Census Bureau and by high-school students, "
    "told apart by QMNIST's tables. Training, validation and test share no writer.",
    "mnist-sample": f"5,000 images of MNIST. {TRIAL}",
    "uci-digits": f"The 1,797 digits of 8×8 pixels inside scikit-learn, enlarged to 28×28. {TRIAL}",
}


def render(promotion: Mapping[str, Any], run: Mapping[str, Any] | None, audited: Mapping[str, Any]) -> str:
    """The model card, in Markdown.

    Args:
        promotion: what reports/promotion.json says.
        run: the champion's run.json; None where there is no champion.
        audited: what the champion's audit.json says; empty where it is not known.
    """
    champion = promotion["champion"]
    found = [view(gate) for gate in audited.get("gates", [])]
    return template("model_card.md").render(
        title=champion["network"] if champion else f"no champion on {promotion['source']}",
        kind=kinds()[run["inputs"]["params"][f"networks.{run['network']}.kind"]].title if run else "",
        champion=champion,
        promotion=promotion,
        run=run,
        data=DATA[promotion["source"]],
        verdict=verdict(found),
        gates=found,
        groups=[gate for gate in found if gate["name"] in GROUPS and gate["standing"] != "not measurable"],
        recipe=audited.get("findings", {}).get("recipe", [])[:RECIPE_TOLD],
        others=[gate for gate in found if gate["name"] not in GROUPS and gate["standing"] != "not measurable"],
        unmeasured=[gate for gate in found if gate["standing"] == "not measurable"],
        failed=[gate for gate in found if gate["standing"] == "failed"],
        percent=wording.percent,
    )


def verdict(gates: Sequence[Mapping[str, Any]]) -> str:
    """How its gates went, in a sentence."""
    if not gates:
        return ""
    count = {standing: sum(gate["standing"] == standing for gate in gates) for standing in wording.STANDINGS}
    met = count["passed"] + count["close"]
    text = f"It meets {met} of the {len(gates) - count['not measurable']} requirements that this data can show"
    return f"{text}; {count['not measurable']} it cannot." if count["not measurable"] else f"{text}."


def view(gate: wording.Record) -> dict[str, Any]:
    """A gate's texts."""
    words = wording.requirement(gate["name"])
    return {
        "name": gate["name"],
        "title": words.title,
        "measure": words.measure,
        "value": wording.found(gate),
        "interval": wording.interval(gate),
        "asked": wording.asked(gate),
        "standing": wording.standing(gate),
        "verdict": wording.verdict(gate),
        "sentence": wording.bound(gate["sentence"]),
    }
