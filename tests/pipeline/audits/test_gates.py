"""Gates: when they are met, how narrowly, and that none is left out."""

import pytest

from pipeline.audits import gates
from pipeline.audits.gates import GATES, Estimate, Verdict


def verdict(name: str, value: float | None, interval: tuple[float, float] | None, threshold: float) -> Verdict:
    return Verdict(GATES[name], Estimate(value, interval), threshold)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (verdict("digit_recall", 0.995, (0.992, 0.998), 0.99), "passed"),
        (verdict("error", 0.0038, (0.0027, 0.0052), 0.004), "close"),
        (verdict("error", 0.004, None, 0.004), "passed"),
        (verdict("population_gap", 0.6, (-0.1, 0.7), 0.5), "failed"),
        (verdict("students_error", None, None, 0.007), "not measurable"),
        (verdict("coverage", 0.986, (0.983, 0.988), 0.985), "close"),
        (verdict("coverage", 0.986, None, 0.985), "passed"),
    ],
)
def test_a_gate_stands_as_its_value_and_its_interval_say(one, status):
    assert one.status == status


def test_what_meets_all_or_nothing_is_not_called_close():
    assert verdict("invariance_lossless", 1.0, (0.9996, 1.0), 1.0).status == "passed"
    assert verdict("invariance_lossless", 0.9999, (0.9996, 1.0), 1.0).status == "failed"


def measures() -> dict[str, dict[str, Estimate]]:
    found: dict[str, dict[str, Estimate]] = {}
    for gate in GATES.values():
        found.setdefault(gate.section, {})[gate.name] = Estimate(0.5)
    return found


def test_every_gate_is_decided_once_by_its_own_threshold():
    thresholds = {name: 0.1 * place for place, name in enumerate(GATES)}
    verdicts = gates.decide(measures(), thresholds)
    assert [one.gate.name for one in verdicts] == list(GATES)
    assert all(one.threshold == thresholds[one.gate.name] for one in verdicts)


def test_a_gate_that_nobody_measured_is_an_error():
    found = measures()
    del found["style"]["broken_strokes"]
    with pytest.raises(KeyError, match="broken_strokes"):
        gates.decide(found, dict.fromkeys(GATES, 0.5))
