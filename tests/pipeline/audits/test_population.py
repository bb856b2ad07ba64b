"""The gaps between the two populations, and the spread of errors over writers."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.gates import GATES, Estimate
from pipeline.audits.population import (
    error_bound,
    estimates,
    gap,
    measure,
    permuted,
    populations,
    standardised_gap,
    writers_table,
)
from pipeline.audits.results import Results
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, measured, nameless, results, thresholds, verdict


def students(samples: pd.DataFrame) -> np.ndarray:
    return (samples["population"] == "students").to_numpy()


def over_writers(samples: pd.DataFrame, wrong: np.ndarray, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    groups = populations(samples)
    nulls = {name: permuted(one.by_writer(wrong), draws, rng) for name, one in groups.items()}
    return writers_table(groups, wrong, nulls).set_index("population")


def found(samples: pd.DataFrame, wrong: np.ndarray, **details) -> dict[str, Estimate]:
    return estimates(results(samples, wrong, **details))


def written(asked: Results) -> Section:
    return write("population", asked, measure(asked), thresholds())


def test_equal_populations_pass(rng):
    samples = handwriting(rng, digits=50)
    gap = found(samples, rng.random(len(samples)) < 0.003)["population_gap"]
    assert verdict("population_gap", gap, 0.5).passed
    _, low, high = measured(gap)
    assert low < 0 < high


def test_students_read_worse_fail_and_the_sentences_say_by_how_much(rng):
    samples = handwriting(rng)
    asked = results(samples, students(samples) & (rng.random(len(samples)) < 0.02))
    gap, error = (estimates(asked)[name] for name in ("population_gap", "students_error"))
    assert verdict("population_gap", gap, 0.5).passed is False
    assert measured(gap)[0] > 1.7
    sentence = written(asked).sentences["population_gap"]
    assert "+1." in sentence or "+2." in sentence
    assert verdict("students_error", error, 0.02).passed is False


def test_errors_of_one_hand_widen_the_interval(rng):
    samples = handwriting(rng, students=50, digits=50)
    spread, gathered = np.zeros((2, len(samples)), bool)
    spread[:2500:50] = True
    gathered[:50] = True
    (_, *narrow), (_, *wide) = (measured(found(samples, wrong)["population_gap"]) for wrong in (spread, gathered))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_the_interval_and_the_bound_hold_the_true_gap_as_often_as_they_say(rng):
    """Writers differ in how hard they are to read; students are misread 1 percentage point more often."""
    inside, under = [], []
    samples = handwriting(rng, digits=20)
    for _ in range(100):
        skill = rng.gamma(2, 0.5, size=150)[samples["writer"].to_numpy(int)]
        wrong = rng.random(len(samples)) < skill * np.where(students(samples), 0.02, 0.01)
        one = gap(populations(samples), wrong, 200, rng)
        inside.append(one.low <= 1 <= one.high)
        under.append(one.upper >= 1)
    assert np.mean(inside) > 0.9
    assert np.mean(under) > 0.9


def test_the_bound_is_never_narrower_than_that_of_independent_images(rng):
    """Without an error among the students resampling shows nothing: it would be sure that there is none."""
    samples = handwriting(rng)
    wrong = np.zeros(len(samples), bool)
    asked = results(samples, wrong)
    assert estimates(asked)["students_error"].value == pytest.approx(1 - 0.05 ** (1 / students(samples).sum()))
    assert "exact bound" in written(asked).sentences["students_error"]
    assert measured(estimates(asked)["population_gap"])[0] > 0
    wrong[:20] = True
    clustered = error_bound(populations(samples)["students"].by_writer(wrong), 500, rng)
    assert measured(clustered)[0] > 0.01
    sentence = written(results(samples, wrong)).sentences["students_error"]
    assert "writers drawn again" in sentence
    assert "exact" not in sentence


def test_the_gap_in_abstention_counts_in_either_direction(rng):
    samples = handwriting(rng)
    declined = ~students(samples) & (rng.random(len(samples)) < 0.1)
    gap = found(samples, np.zeros(len(samples), bool), abstained=declined)["abstention_gap"]
    assert verdict("abstention_gap", gap, 2.0).passed is False
    value, low, high = measured(gap)
    assert value == pytest.approx(10, abs=2)
    assert low < -value < high < 0


def test_a_gap_that_is_one_of_style_vanishes_between_like_digits(rng):
    samples = handwriting(rng, students=100, employees=100, digits=100)
    thin = rng.random(len(samples)) < np.where(students(samples), 0.6, 0.1)
    samples["thickness"] = np.where(thin, 1.0, 3.0)
    drawn = rng.random(len(samples))
    of_style, of_people = drawn < np.where(thin, 0.10, 0.01), drawn < np.where(students(samples), 0.05, 0.01)
    for wrong, left in ((of_style, 0), (of_people, 4)):
        value, low, high = standardised_gap(results(samples, wrong, bootstrap=300), populations(samples))
        assert gap(populations(samples), wrong, 300, rng).value == pytest.approx(4.5, abs=0.8)
        assert value == pytest.approx(left, abs=0.8)
        assert low < left < high


def test_errors_that_gather_on_some_writers_are_noticed(rng):
    samples = handwriting(rng)
    writer = samples["writer"].to_numpy(int)
    wrong = rng.random(len(samples)) < np.where(writer % 10 == 0, 0.2, 0.005)
    table = over_writers(samples, wrong, 500, rng)
    assert (table["dispersion_p"] < 0.01).all()
    assert (table["worst_tenth_p"] < 0.01).all()
    assert (table["with_3_errors_or_more"] > table["with_3_errors_or_more_by_chance"]).all()


def test_errors_dealt_out_by_chance_are_not_held_against_writers(rng):
    alarms = []
    samples = handwriting(rng, digits=20)
    for _ in range(60):
        table = over_writers(samples, rng.random(len(samples)) < 0.01, 200, rng)
        alarms += [*(table["dispersion_p"] < 0.05), *(table["worst_tenth_p"] < 0.05)]
    assert np.mean(alarms) <= 0.1


def test_a_source_without_writers_is_not_passed_silently(rng):
    samples = nameless(handwriting(rng))
    asked = results(samples, np.zeros(len(samples), bool), source="mnist-sample")
    section = written(asked)
    assert list(measure(asked)) == ["population_gap", "students_error", "abstention_gap"]
    for name, estimate in measure(asked).items():
        assert verdict(name, estimate, 0.5).passed is None
        assert section.sentences[name] == "Not measurable: this source does not say who wrote its digits."
    assert section.findings
    assert not section.tables
    assert not section.figures


def test_the_same_seed_gives_the_same_figures(rng):
    samples = handwriting(rng)
    asked = results(samples, rng.random(len(samples)) < 0.01)
    first, second = estimates(asked), estimates(asked)
    assert first == second
    assert written(asked).findings == written(asked).findings


def test_a_gate_between_populations_has_a_sentence_each_and_the_section_its_tables_and_figure(rng):
    samples = handwriting(rng)
    section = written(results(samples, rng.random(len(samples)) < 0.01))
    assert set(section.sentences) == {name for name, gate in GATES.items() if gate.section == "population"}
    assert [*section.findings] == ["clustering", "alike", "writers", "cannot_show"]
    assert [sentence.partition(":")[0] for sentence in section.findings["writers"]] == ["Students", "Employees"]
    assert set(section.tables) == {"populations", "gaps", "writers"}
    assert set(section.figures) == {"gap_and_writers"}
