"""The gaps between the two populations, and the spread of errors over writers."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.population import (
    POPULATIONS,
    by_writer,
    gap,
    measure,
    permuted,
    resampled_error,
    standardised_gap,
    students_error,
    writers_table,
)
from tests.pipeline.audits.made_up import handwriting, measured, nameless, subject


def students(samples: pd.DataFrame) -> np.ndarray:
    return (samples["population"] == "students").to_numpy()


def over_writers(samples: pd.DataFrame, wrong: np.ndarray, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    nulls = {name: permuted(by_writer(samples, wrong, name), draws, rng) for name in POPULATIONS}
    return writers_table(samples, wrong, nulls).set_index("population")


def gates(samples: pd.DataFrame, wrong: np.ndarray, **details) -> dict:
    return {gate.name: gate for gate in measure(subject(samples, wrong, **details)).gates}


def test_equal_populations_pass(rng):
    samples = handwriting(rng, digits=50)
    gate = gates(samples, rng.random(len(samples)) < 0.003)["population_gap"]
    assert gate.passed
    assert gate.interval[0] < 0 < gate.interval[1]


def test_students_read_worse_fail_and_the_sentences_say_by_how_much(rng):
    samples = handwriting(rng)
    found = gates(samples, students(samples) & (rng.random(len(samples)) < 0.02), students_error=0.02)
    assert found["population_gap"].passed is False
    assert found["population_gap"].value > 1.7
    assert "+1." in found["population_gap"].sentence or "+2." in found["population_gap"].sentence
    assert found["students_error"].passed is False


def test_errors_of_one_hand_widen_the_interval(rng):
    samples = handwriting(rng, students=50, digits=50)
    spread, gathered = np.zeros((2, len(samples)), bool)
    spread[:2500:50] = True
    gathered[:50] = True
    narrow, wide = (gates(samples, wrong)["population_gap"].interval for wrong in (spread, gathered))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_the_interval_and_the_bound_hold_the_true_gap_as_often_as_they_say(rng):
    """Writers differ in how hard they are to read; students are misread 1 percentage point more often."""
    inside, under = [], []
    samples = handwriting(rng, digits=20)
    for _ in range(100):
        skill = rng.gamma(2, 0.5, size=150)[samples["writer"].to_numpy(int)]
        wrong = rng.random(len(samples)) < skill * np.where(students(samples), 0.02, 0.01)
        found = gap(samples, wrong, 200, rng)
        inside.append(found.low <= 1 <= found.high)
        under.append(found.upper >= 1)
    assert np.mean(inside) > 0.9
    assert np.mean(under) > 0.9


def test_the_bound_is_never_narrower_than_that_of_independent_images(rng):
    """Without an error among the students resampling shows nothing: it would be sure that there is none."""
    samples = handwriting(rng)
    wrong = np.zeros(len(samples), bool)
    found = gates(samples, wrong)
    assert found["students_error"].value == pytest.approx(1 - 0.05 ** (1 / students(samples).sum()))
    assert "exact bound" in found["students_error"].sentence
    assert found["population_gap"].value > 0
    wrong[:20] = True
    clustered = students_error(samples, wrong, 500, rng, 0.5)
    assert measured(clustered)[0] > 0.01
    assert "writers drawn again" in clustered.sentence
    assert "exact" not in clustered.sentence


def test_the_gap_in_abstention_counts_in_either_direction(rng):
    samples = handwriting(rng)
    declined = ~students(samples) & (rng.random(len(samples)) < 0.1)
    gate = gates(samples, np.zeros(len(samples), bool), abstained=declined, abstention_gap=2.0)["abstention_gap"]
    assert gate.passed is False
    assert gate.value == pytest.approx(10, abs=2)
    assert gate.interval[0] < -gate.value < gate.interval[1] < 0


def test_a_gap_that_is_one_of_style_vanishes_between_like_digits(rng):
    samples = handwriting(rng, students=100, employees=100, digits=100)
    thin = rng.random(len(samples)) < np.where(students(samples), 0.6, 0.1)
    samples["thickness"] = np.where(thin, 1.0, 3.0)
    drawn = rng.random(len(samples))
    of_style, of_people = drawn < np.where(thin, 0.10, 0.01), drawn < np.where(students(samples), 0.05, 0.01)
    for wrong, left in ((of_style, 0), (of_people, 4)):
        value, low, high = standardised_gap(samples, wrong, 300, rng)
        assert gap(samples, wrong, 300, rng).value == pytest.approx(4.5, abs=0.8)
        assert value == pytest.approx(left, abs=0.8)
        assert low < left < high


def test_errors_that_gather_on_some_writers_are_noticed(rng):
    samples = handwriting(rng)
    writer = samples["writer"].to_numpy(int)
    wrong = rng.random(len(samples)) < np.where(writer % 10 == 0, 0.2, 0.005)
    table = over_writers(samples, wrong, 500, rng)
    assert (table["dispersion, p"] < 0.01).all()
    assert (table["worst tenth, p"] < 0.01).all()
    assert (table["writers with 3 errors or more"] > table["by chance"]).all()


def test_errors_dealt_out_by_chance_are_not_held_against_writers(rng):
    alarms = []
    samples = handwriting(rng, digits=20)
    for _ in range(60):
        table = over_writers(samples, rng.random(len(samples)) < 0.01, 200, rng)
        alarms += [*(table["dispersion, p"] < 0.05), *(table["worst tenth, p"] < 0.05)]
    assert np.mean(alarms) <= 0.1


def test_a_source_without_writers_is_not_passed_silently(rng):
    samples = nameless(handwriting(rng))
    section = measure(subject(samples, np.zeros(len(samples), bool), source="mnist-sample"))
    assert [gate.name for gate in section.gates] == ["population_gap", "students_error", "abstention_gap"]
    for gate in section.gates:
        assert gate.passed is None
        assert gate.record()["measurable"] is False
        assert gate.sentence == "Not measurable: this source does not say who wrote its digits."
    assert section.findings


def test_resampling_keeps_the_mean(rng):
    writers = np.array([[1, 20], [0, 30], [3, 50]])
    errors = resampled_error(writers, 20_000, rng)
    assert errors.mean() == pytest.approx(0.04, abs=0.003)


def test_the_same_seed_gives_the_same_figures(rng):
    samples = handwriting(rng)
    wrong = rng.random(len(samples)) < 0.01
    first, second = (measure(subject(samples, wrong)) for _ in range(2))
    assert first.gates == second.gates
    assert first.findings == second.findings
