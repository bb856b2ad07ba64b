"""Broken strokes, and the outer fifths of style."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.style import FIFTHS, STYLES, against_whole, holm, measure, styles_table, within_digit
from tests.pipeline.audits.made_up import handwriting, measured, subject


def outer(samples: pd.DataFrame, wrong: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    labels = samples["label"].to_numpy()
    fifths = {name: within_digit(samples[name].to_numpy(), labels, FIFTHS) for name in STYLES}
    return styles_table(fifths, labels, wrong, 500, rng).set_index("style")


@pytest.mark.parametrize(("errors", "passed"), [(8, True), (9, False)])
def test_the_gate_is_the_error_on_broken_strokes(rng, errors, passed):
    samples = handwriting(rng)
    samples.loc[:399, "components"] = 2
    wrong = np.zeros(len(samples), bool)
    wrong[:errors] = wrong[1000:1100] = True
    section = measure(subject(samples, wrong, broken_strokes=0.02))
    (gate,) = section.gates
    assert gate.passed is passed
    value, low, high = measured(gate)
    assert low < value == errors / 400 < high
    assert "The misread images whose strokes are broken" in section.figures


def test_broken_strokes_that_are_read_worse_are_told(rng):
    samples = handwriting(rng)
    samples.loc[:399, "components"] = 3
    wrong = rng.random(len(samples)) < np.where(samples["components"] > 1, 0.05, 0.01)
    finding = against_whole((samples["components"] > 1).to_numpy(), wrong)
    assert "times as often" in finding
    assert float(finding.split("p = ")[1].rstrip(").")) < 0.001


def test_without_broken_strokes_the_gate_is_not_measurable(rng):
    samples = handwriting(rng)
    (gate,) = measure(subject(samples, np.zeros(len(samples), bool))).gates
    assert gate.passed is None
    assert "Not measurable" in gate.sentence


def test_harm_at_both_ends_is_found_and_at_one_end(rng):
    samples = handwriting(rng, digits=60)
    thickness, slant = (samples[name].rank(pct=True) for name in ("thickness", "slant"))
    harmed = {"thickness": (thickness - 0.5).abs() > 0.4, "slant": slant < 0.1}
    for style, rows in harmed.items():
        table = outer(samples, rng.random(len(samples)) < np.where(rows, 0.04, 0.005), rng)
        assert table["p, Holm"][style] <= 0.01
        assert (table.drop(style)["p, Holm"] > 0.05).all()
        assert table["lowest fifth, error %"][style] > 2 * table["middle, error %"][style]


def test_harm_at_both_ends_counts_together_where_neither_end_would_show_it(rng):
    labels = np.zeros(5000, int)
    fifths = {"slant": np.arange(5000) % 5}
    wrong = np.zeros(5000, bool)
    for part, errors in enumerate((18, 8, 8, 8, 18)):
        wrong[np.flatnonzero(fifths["slant"] == part)[:errors]] = True
    assert styles_table(fifths, labels, wrong, 5000, rng)["p"][0] < 0.01


def test_a_thin_digit_that_is_read_badly_is_no_finding_about_thickness(rng):
    samples = handwriting(rng)
    ones = (samples["label"] == 1).to_numpy()
    samples["thickness"] += np.where(ones, -10, 0)
    assert outer(samples, rng.random(len(samples)) < np.where(ones, 0.2, 0.005), rng)["p"]["thickness"] > 0.05


def test_errors_dealt_out_by_chance_raise_no_alarm(rng):
    alarms = 0
    samples = handwriting(rng, digits=20)
    for _ in range(60):
        alarms += bool((outer(samples, rng.random(len(samples)) < 0.01, rng)["p, Holm"] < 0.05).any())
    assert alarms <= 6


def test_p_values_are_corrected_by_holm(rng):
    assert holm(np.array([0.01, 0.04, 0.03, 0.005, 0.9])) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.9])
    samples = handwriting(rng)
    table = outer(samples, rng.random(len(samples)) < 0.02, rng)
    assert table["p, Holm"].to_numpy() == pytest.approx(holm(table["p"].to_numpy()))


def test_a_style_that_does_not_vary_has_no_outer_fifths(rng):
    samples = handwriting(rng, height=20.0)
    table = outer(samples, rng.random(len(samples)) < 0.02, rng)
    assert np.isnan(table["lowest fifth, error %"]["height"])
    assert table["p"]["height"] == 1


def test_parts_are_ranked_within_the_digit_and_blank_images_have_none():
    values = np.array([1, 2, 3, 4, 5, 11, 12, 13, 14, 15, np.nan])
    labels = np.array([0] * 5 + [1] * 6)
    assert within_digit(values, labels, 5).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, -1]
