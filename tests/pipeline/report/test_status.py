"""How amounts are written: one form in sentences, figures and tables' heads, which no line break takes apart."""

import re
from pathlib import Path

import pytest

from pipeline import report
from pipeline.report import status


def test_an_amount_stands_before_a_no_break_space_and_its_unit():
    assert status.percent(0.00441) == "0.44\u00a0%"
    assert status.percent(0.95, 0) == "95\u00a0%"
    assert status.span((0.0019, 0.00404)) == "95\u00a0% interval 0.19 to 0.40\u00a0%"


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
    assert status.bound(text) == bound


def test_no_word_of_the_report_writes_a_percentage_otherwise():
    folder = Path(report.__file__).parent
    sources = [path for path in folder.rglob("*") if path.suffix in (".py", ".txt", ".md", ".html")]
    assert not [path.name for path in sources if re.search(r":[+.,\d]*%\}", path.read_text(encoding="utf-8"))]
