"""The gates of a network in words: whether it may be served, and what it missed."""

from pathlib import Path

import pytest

from pipeline.report import scorecard, status
from tests.pipeline.report.made_up import CLOSE, FAILED, PASSED, SENTENCES, UNMEASURED, records, verdict


def test_a_near_miss_is_told_with_the_digits_that_show_it():
    near = verdict("error", 0.0040001, (0.003, 0.005), 0.004)
    assert status.told(near) == "0.40001\u00a0%, must be at most 0.40000\u00a0%, missed by 0.00001\u00a0%"
    assert status.told(FAILED) == "0.60\u00a0pp, must be at most 0.50\u00a0pp, missed by 0.10\u00a0pp"
    assert status.told(UNMEASURED) == "not measurable"


def test_no_gate_that_failed_looks_met():
    near = verdict("answered_error", 0.0010134, (0.0005, 0.0019), 0.001)
    assert (status.found(near), status.asked(near)) == ("0.101\u00a0%", "at most 0.100\u00a0%")
    assert (status.found(PASSED), status.asked(PASSED)) == ("99.50\u00a0%", "at least 99.00\u00a0%")
    assert status.found(UNMEASURED) == "–"


def test_an_interval_has_the_decimals_of_its_value():
    assert status.interval(verdict("answered_error", 0.00101, (0.00049, 0.00186), 0.001)) == "0.049 to 0.186\u00a0%"


def test_the_verdict_says_whether_it_may_be_served_and_why_not():
    refused = scorecard.verdict("convnet", [PASSED, CLOSE, FAILED, UNMEASURED])
    assert refused.startswith("convnet may not be served: it misses 1 of the 3 requirements measured.")
    assert "(0.60\u00a0pp, must be at most 0.50\u00a0pp, missed by 0.10\u00a0pp)" in refused
    assert "another test set might decide otherwise: Errors." in refused
    assert "This data cannot show: Errors on students' digits." in refused
    served = scorecard.verdict("convnet", [PASSED, PASSED])
    assert served == "convnet may be served: it meets all 2 requirements that could be measured."
    assert "may not be judged" in scorecard.verdict("convnet", [UNMEASURED])


def test_a_record_has_the_numbers_and_the_words():
    [record] = records(CLOSE)
    assert (record["name"], record["value"], record["interval"]) == ("error", 0.0038, [0.0027, 0.0052])
    assert (record["limit"], record["threshold"], record["status"]) == ("at most", 0.004, "close")
    assert (record["found"], record["asked"]) == ("0.38\u00a0%", "at most 0.40\u00a0%")
    assert record["sentence"] == SENTENCES["error"]


def test_a_gate_whose_section_has_no_words_for_it_is_told_by_the_table():
    gate = verdict("canvas", 0.997, None, 0.99)
    assert "Larger canvases: 0.997" in records(gate)[0]["sentence"]
    assert "Not measurable" in records(verdict("canvas", None, None, 0.99))[0]["sentence"]


def test_a_refusal_says_which_gate_by_how_much_and_where_to_look():
    [record] = records(FAILED)
    assert scorecard.refusal(record) == (
        "Gap between the writers' populations (population_gap): 0.60\u00a0pp, must be at most 0.50\u00a0pp, missed by "
        "0.10\u00a0pp. Students are misread more often."
    )
    where = scorecard.place(record, Path("report.html"), ["The misread images, the surest first"])
    assert where == "report.html#population: The misread images"


@pytest.mark.parametrize("gate", [PASSED, CLOSE, FAILED])
def test_a_gauge_holds_value_interval_and_threshold(gate):
    [record] = records(gate)
    gauge = scorecard.gauge(record)
    assert gauge is not None
    assert all(0 <= gauge[name] <= 100 for name in ("value", "low", "high", "threshold"))
    inside = gauge["allowed"] <= gauge["value"] <= gauge["allowed"] + gauge["width"]
    assert inside is gate.passed
    assert scorecard.gauge(records(UNMEASURED)[0]) is None
