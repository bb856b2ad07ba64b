"""The benchmark of the page: what it counts is so, and a bar that is missed is said to be. How long a thing takes is
measured there alone."""

import pytest

from benchmarks import page


@pytest.fixture(scope="module")
def found(url: str) -> dict[str, dict[str, float]]:
    return page.measured(url, 1, move_ms=10)


def test_what_is_counted_does_not_depend_on_time(found):
    assert set(found) == set(page.DEVICES)
    for numbers in found.values():
        assert 1 <= numbers["looks inside for a digit"] <= page.BUDGETS["looks inside for a digit"]
        assert 10 < numbers["first visit, files"] < 60
        assert numbers["first visit, bytes on the line"] < 0.7 * numbers["first visit, bytes of content"]
        assert numbers["second visit, bytes on the line"] < numbers["first visit, bytes on the line"] / 2
        assert min(numbers["first paint, ms"], numbers["first answer, ms"]) > 0


def test_a_page_that_is_late_or_asks_too_often_misses_its_bars(found, capsys):
    kept = found | {"desktop": found["desktop"] | page.BUDGETS}
    assert page.report(kept)
    for what, most in page.BUDGETS.items():
        assert not page.report(kept | {"desktop": kept["desktop"] | {what: most + 1}})
    assert capsys.readouterr().out.count("missed") == len(page.BUDGETS)
