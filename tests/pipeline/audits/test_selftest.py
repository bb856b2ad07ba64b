"""The audit of the audit: that what it simulates is what it says, and that the gates it asks are the real ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import accuracy, calibration, population, selftest, style
from pipeline.audits.gates import GATES
from pipeline.audits.results import Results
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, nameless, results, thresholds

LIMITS = thresholds(
    coverage=0.985,
    answered_error=0.03,
    error=0.04,
    population_gap=3.0,
    students_error=0.055,
    digit_recall=0.945,
    broken_strokes=0.2,
)


@pytest.fixture
def audited() -> Results:
    """A network of 3 % errors on 6,000 images by 150 writers, some read far worse; one in ten broken."""
    rng = np.random.default_rng(0)
    samples = handwriting(rng)
    samples["components"] = np.where(rng.random(len(samples)) < 0.1, 2, 1)
    doubt = rng.beta(0.1, 3.2, len(samples))
    skill = rng.gamma(0.3, 1 / 0.3, 150)[samples["writer"].to_numpy(int)]
    wrong = rng.random(len(samples)) < doubt * skill
    return results(samples, wrong, 1 - doubt, doubt > 0.3)


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "FAIR_CANDIDATES", 20)
    monkeypatch.setattr(selftest, "CANDIDATES", 60)


def written(audited: Results, measures: dict[str, Any]) -> Section:
    return write("selftest", audited, measures, LIMITS)


def test_the_verdicts_are_those_of_the_sections(audited):
    sections = (accuracy, population, style, calibration)
    expected = {name: value for section in sections for name, value in section.measure(audited).items()}
    statistical = [
        name for name, gate in GATES.items() if gate.section in ("accuracy", "population", "style", "calibration")
    ]
    found = selftest.verdicts(audited, LIMITS)
    assert [*found] == statistical
    for name, verdict in found.items():
        assert verdict.estimate.value == expected[name].value
        assert verdict.threshold == LIMITS[name]


def test_the_bounds_of_many_networks_are_those_of_each(audited):
    rng = np.random.default_rng(1)
    wrong = selftest.simulate(audited, {"students": 0.03, "employees": 0.02}, np.ones(6000), 8, rng)
    gaps, students = selftest.population_bounds(audited, wrong, 300, np.random.default_rng(2), np.random.default_rng(3))
    for one, gap, bound in zip(wrong, gaps, students, strict=True):
        groups = population.populations(audited.samples)
        alone = population.gap(groups, one, 300, np.random.default_rng(2))
        error = population.error_bound(groups["students"].by_writer(one), 300, np.random.default_rng(3))
        assert gap == pytest.approx(alone.upper)
        assert bound == pytest.approx(error.value)


def test_many_networks_are_refused_as_each_would_be(audited):
    rng = np.random.default_rng(1)
    rates = {"students": 0.045, "employees": 0.035}
    wrong = selftest.simulate(audited, rates, np.where(style.broken(audited.samples), 5.0, 0.56), 40, rng)
    refused = selftest.refusals(audited, LIMITS, wrong, selftest.sureness(audited, rates), rng)
    for name in ("error", "digit_recall", "broken_strokes"):
        assert 0 < refused[name].sum() < 40, f"{name} does not tell these networks apart"
    for number, one in enumerate(wrong):
        digit = np.where(one, (audited.labels + 1) % 10, audited.labels)
        candidate = replace(audited, predictions=replace(audited.predictions, digit=digit))
        alone = selftest.verdicts(candidate, LIMITS)
        for name in ("error", "digit_recall", "broken_strokes"):
            assert refused[name][number] == (alone[name].passed is False)


def test_errors_have_the_rates_and_the_clustering_asked_for(audited):
    rates = selftest.rates(audited, 0.03, ratio=2)
    assert rates["students"] == 2 * rates["employees"]
    wrong = selftest.simulate(audited, rates, np.ones(6000), 4000, np.random.default_rng(0))
    assert wrong.mean() == pytest.approx(0.03, rel=0.02)
    for name, rows in selftest.members(audited).items():
        found = wrong[:, rows].mean(1)
        assert found.mean() == pytest.approx(rates[name], rel=0.03)
        independent = rates[name] * (1 - rates[name]) / len(rows)
        assert found.var() / independent == pytest.approx(selftest.DESIGN_EFFECT[name], rel=0.12)


def test_weights_shift_errors_to_broken_strokes(audited):
    broken = style.broken(audited.samples)
    weights = np.where(broken, 5.0, 1.0)
    wrong = selftest.simulate(audited, {"students": 0.01, "employees": 0.01}, weights, 2000, np.random.default_rng(0))
    assert wrong[:, broken].mean() / wrong[:, ~broken].mean() == pytest.approx(5, rel=0.1)


def test_simulated_networks_are_as_sure_as_they_are_right(audited):
    sure = selftest.sureness(audited, {"students": 0.05, "employees": 0.02})
    abstained = np.mean([one.doubt >= one.limit for one in sure.values()])
    assert abstained == pytest.approx(audited.predictions.abstained.mean(), abs=0.001)
    for name, rate in (("students", 0.05), ("employees", 0.02)):
        assert sure[name].doubt.mean() == pytest.approx(rate, rel=0.01)
        rng = np.random.default_rng(0)
        wrong = rng.random(200_000) < rate
        doubt = sure[name].draw(wrong, rng)
        for low, high in ((0, 0.01), (0.01, 0.1), (0.1, 0.4), (0.4, 1)):
            among = (doubt >= low) & (doubt < high)
            assert wrong[among].mean() == pytest.approx(doubt[among].mean(), rel=0.15, abs=0.001)
        assert (doubt >= sure[name].limit)[wrong].mean() == pytest.approx(sure[name].abstains(wrong=True), abs=0.03)


def test_false_alarms_are_counted_by_gate(audited, monkeypatch):
    few(monkeypatch)
    lenient = LIMITS | {"population_gap": 9.0, "students_error": 0.5}
    strict = LIMITS | {"population_gap": 0.01}
    passing, refusing = (
        selftest.false_alarms(audited, limits, 0.75).set_index("gate")["refused"] for limits in (lenient, strict)
    )
    assert passing["population_gap"] == 0
    assert refusing["population_gap"] >= 18
    assert refusing[selftest.ANY] >= refusing[selftest.ANY_GROUP] >= refusing["population_gap"]


def test_networks_that_err_less_are_refused_less(audited, monkeypatch):
    monkeypatch.setattr(selftest, "FAIR_CANDIDATES", 60)
    near, better = (
        selftest.false_alarms(audited, LIMITS, level).set_index("gate")["refused"]
        for level in (1.0, selftest.BETTER_LEVEL)
    )
    assert near["error"] > better["error"] + 10


def test_power_grows_with_the_ratio_and_with_the_errors(audited, monkeypatch):
    few(monkeypatch)
    table = selftest.power(audited, LIMITS)
    assert table["true_errors"].unique().tolist() == [120, 180, 240, 360]
    gap = table.pivot(index="students_over_employees", columns="true_errors", values="population_gap").to_dict()
    assert gap[180][1.0] < 15
    assert gap[180][3.0] > gap[180][1.5] + 20
    assert gap[360][2.0] > gap[120][2.0] + 20
    assert table["error"].iloc[0] < 10
    assert table["error"].iloc[3] > 90


def test_the_section_says_when_too_many_are_refused(audited, monkeypatch):
    few(monkeypatch)
    measures = selftest.measure(audited, LIMITS)
    for refused, told in ((2, "within the 10\u00a0%"), (3, "MORE than the 10\u00a0%")):
        near, better = (measures[name].copy() for name in ("near", "better"))
        for table in (near, better):
            table["refused"] = [0] * (len(table) - 1) + [refused]
            table["refused_percent"] = 100 * table["refused"] / 20
        findings = written(audited, measures | {"near": near, "better": better}).findings
        assert told in findings["false_alarms"][0]
        assert f"2.40\u00a0%, 144 images of 6,000, {refused} are refused" in findings["better"][0]
        assert told in findings["better"][0]
        assert "By requirement: none." in findings["false_alarms"][0]


def test_a_source_without_writers_says_what_it_cannot_measure(audited, monkeypatch):
    few(monkeypatch)
    unnamed = replace(audited, samples=nameless(audited.samples))
    section = written(unnamed, selftest.measure(unnamed, LIMITS))
    (sentence,) = section.findings["power"]
    assert sentence.startswith("Not measurable: this source does not say who wrote its digits. Errors are simulated")
    for _, table in section.tables.values():
        assert "population_gap" not in table
        assert "population_gap" not in table.get("gate", pd.Series()).tolist()


def test_the_section_has_its_tables_sentences_and_figure(audited, monkeypatch):
    few(monkeypatch)
    section = written(audited, selftest.measure(audited, LIMITS))
    assert not section.sentences
    assert set(section.tables) == {"near", "better", "power"}
    assert any(sentence.startswith("What 6,000 images can show") for sentence in section.findings["power"])
    assert len(section.findings["power"]) == 4
    ((_, figure),) = section.figures.values()
    assert [axes.get_title() for axes in figure.axes[:2]] == ["error", "digit recall"]
