"""How amounts are written: one form in sentences, figures and tables' heads, which no line break takes apart."""

import re
from pathlib import Path

import pytest

from pipeline.models import folds
from pipeline.report import wording


def test_an_amount_stands_before_a_no_break_space_and_its_unit():
    assert wording.percent(0.00441) == "0.44\u00a0%"
    assert wording.percent(0.95, 0) == "95\u00a0%"
    assert wording.span(0.0019, 0.00404) == "95\u00a0% interval 0.19 to 0.40\u00a0%"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("with 95 % confidence", "with 95\u00a0% confidence"),
        ("2.55 px thick, 0.3 pp", "2.55\u00a0px thick, 0.3\u00a0pp"),
        ("(p = 0.04)", "(p\u00a0=\u00a00.04)"),
        ("error, % and 7 people", "error, % and 7 people"),
    ],
)
def test_amounts_that_were_typed_are_bound_to_their_units(text, bound):
    assert wording.bound(text) == bound


def test_no_sentence_of_the_audit_writes_a_percentage_otherwise():
    sources = set(Path(wording.__file__).parent.glob("*.*"))
    sources.remove(Path(folds.__file__))  # it says how trainings go, as trainings do
    assert not [path.name for path in sources if re.search(r":[+.,\d]*%\}", path.read_text(encoding="utf-8"))]


def test_an_interval_has_the_decimals_of_its_value():
    gate = {"name": "answered_error", "value": 0.00101, "threshold": 0.001, "interval": (0.00049, 0.00186)}
    assert wording.interval(gate) == "0.049 to 0.186\u00a0%"
