"""The model card: what it says, and of whom."""

from typing import Any

import pytest

from pipeline.audits.gates import Verdict
from pipeline.report import model_card
from tests.pipeline.report.made_up import CLOSE, records, verdict

ERROR = CLOSE
RECALL = verdict("digit_recall", 0.985, (0.97, 0.99), 0.99)
GAP = verdict("students_error", None, None, 0.5)
CANDIDATE = {
    "network": "convnet",
    "run_key": "0f549579bf6cda71",
    "model_sha256": "04cc20214d55",
    "validation_accuracy": 0.9942,
    "validation_errors": 29,
    "validation_images": 5016,
}
RUN = {
    "network": "convnet",
    "source": "mnist",
    "run_key": "0f549579bf6cda71",
    "inputs": {
        "params": {"networks.convnet.kind": "convnet", "networks.convnet.width": 32},
        "data": {"data/processed/train": "feedbeef"},
        "code": {},
    },
}


def promotion(source: str = "mnist", **changes: Any) -> dict[str, Any]:
    candidates = [CANDIDATE | {"gates_failed": [], "gates_not_measurable": []}]
    found = {"source": source, "champion": CANDIDATE, "why": "The best of 3.", "comparison": None}
    return found | {"candidates": candidates} | changes


def card(*gates: Verdict, **changes: Any) -> str:
    return model_card.render(promotion(**changes), RUN, {"gates": records(*gates)})


def test_it_says_what_it_is_for_and_what_not():
    text = card(ERROR)
    assert text.startswith("# Model card: convnet\n")
    assert "## For and not for" in text
    assert "**Not for**" in text
    assert "share no writer" in text


def test_every_gate_stands_in_the_table_with_its_verdict():
    text = card(ERROR, RECALL, GAP)
    assert (
        "| Errors: test images misclassified | 0.38\u00a0% | 0.27 to 0.52\u00a0% | at most 0.40\u00a0% | close |"
        in text
    )
    assert "| 98.50\u00a0% | 97.00 to 99.00\u00a0% | at least 99.00\u00a0% | failed |" in text
    assert "| – | – | at most 50.00\u00a0% | not measurable |" in text
    assert "It meets 1 of the 2 requirements that this data can show; 1 it cannot." in text


def test_it_repeats_what_the_recipe_does_to_strangers_where_that_was_tried():
    findings = {name: [f"What was found of {name}."] for name in (*model_card.OUT_OF_FOLD, "style")}
    told = model_card.render(promotion(), RUN, {"gates": records(ERROR), "findings": {"out_of_fold": findings}})
    part = told.partition("### On hands that it never saw")[2].partition("\n#")[0]
    assert "".join(f"- What was found of {name}.\n" for name in model_card.OUT_OF_FOLD) in part
    assert "of style" not in part
    assert "On hands that it never saw" not in card(ERROR)


def test_limits_name_what_is_missed_and_what_is_not_known():
    limits = card(ERROR, RECALL, GAP).partition("## Limits")[2].partition("##")[0]
    assert "**Not known: errors on students' digits.** This source does not say" in limits
    assert (
        "**Missed: the digit recognised worst.** 98.50\u00a0%, must be at least 99.00\u00a0%, missed by 0.50\u00a0%."
        in limits
    )
    assert "Errors:" not in limits


def test_groups_are_told_where_they_can_be_told_apart():
    groups = card(ERROR, RECALL, GAP).partition("### By group")[2].partition("###")[0]
    assert "Fives are read worst." in groups
    assert "does not say who wrote" not in groups
    assert "38 of 10,000" not in groups


@pytest.mark.parametrize(("source", "said"), [("mnist-sample", "5,000 images"), ("uci-digits", "1,797 digits")])
def test_on_a_small_source_it_says_that_it_is_for_trying_out(source, said):
    text = card(ERROR, GAP, source=source)
    assert said in text
    assert "not for serving" in " ".join(text.split())
    assert "“Students”" in card(ERROR)
    assert "“Students”" not in text


def test_lineage_leads_back_to_bytes_and_parameters():
    lineage = card(ERROR).partition("## Lineage")[2]
    for fact in ("0f549579bf6cda71", "04cc20214d55", "| data/processed/train, sha256 | `feedbeef` |"):
        assert fact in lineage
    assert "| networks.convnet.width | 32 |" in lineage


def test_how_it_was_chosen_stands_there_with_the_comparison():
    paired = {"candidate_only": 3, "champion_only": 5, "paired": True, "at_most": 0.0006, "margin": 0.002}
    chosen = card(ERROR, comparison=paired).partition("## How it was chosen")[2]
    assert "The best of 3." in chosen
    assert "| convnet | 99.42\u00a0% | 29 of 5,016 | passed |" in chosen
    assert "on the same validation images: 3 are misread by the\ncandidate alone and 5 by the champion alone" in chosen
    assert "Against the champion" not in card(ERROR)


def test_without_a_champion_it_says_so_and_nothing_else():
    text = model_card.render(promotion(champion=None, why="No candidate passed its gates."), None, {})
    assert text.startswith("# Model card: no champion on mnist\n")
    assert "No network may be served: No candidate passed its gates." in text
    assert "Lineage" not in text


def test_a_champion_whose_verdicts_were_not_kept_is_said_to_be_one():
    assert "before its verdicts were kept" in card()
