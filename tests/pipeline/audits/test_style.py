"""Broken strokes, and the outer fifths of style."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.results import Results
from pipeline.audits.statistics import holm
from pipeline.audits.style import FIFTHS, broken, by_style, estimates, measure, ranked, styles_table, within_digit
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, measured, results, thresholds, verdict


def outer(samples: pd.DataFrame, wrong: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    labels = samples["label"].to_numpy()
    return styles_table(ranked(samples, labels, FIFTHS), labels, wrong, 500, rng).set_index("style")


def written(found: Results) -> Section:
    return write("style", found, measure(found), thresholds())


@pytest.mark.parametrize(("errors", "passed"), [(8, True), (9, False)])
def test_the_gate_is_the_error_on_broken_strokes(rng, errors, passed):
    samples = handwriting(rng)
    samples.loc[:399, "components"] = 2
    wrong = np.zeros(len(samples), bool)
    wrong[:errors] = wrong[1000:1100] = True
    found = results(samples, wrong)
    estimate = measure(found)["broken_strokes"]
    assert verdict("broken_strokes", estimate, 0.02).passed is passed
    value, low, high = measured(estimate)
    assert low < value == errors / 400 < high
    section = written(found)
    assert section.sentences["broken_strokes"].startswith(f"{errors} of the 400 test images whose strokes are broken")
    assert "misclassified" in section.figures


def test_broken_strokes_that_are_read_worse_are_told(rng):
    samples = handwriting(rng)
    samples.loc[:399, "components"] = 3
    wrong = rng.random(len(samples)) < np.where(samples["components"] > 1, 0.05, 0.01)
    found = results(samples, wrong)
    assert measure(found)["broken_against_whole_p"] < 0.001
    (finding,) = written(found).findings["against_whole"]
    assert "times as often (Fisher's exact test, p" in finding


def test_without_broken_strokes_the_gate_is_not_measurable(rng):
    samples = handwriting(rng)
    found = results(samples, np.zeros(len(samples), bool))
    assert estimates(found)["broken_strokes"].value is None
    section = written(found)
    assert "Not measurable" in section.sentences["broken_strokes"]
    assert section.findings["against_whole"] == [
        "Broken and whole strokes cannot be compared: all images are of one kind."
    ]
    assert "misclassified" not in section.figures


def test_harm_at_both_ends_is_found_and_at_one_end(rng):
    samples = handwriting(rng, digits=60)
    thickness, slant = (samples[name].rank(pct=True) for name in ("thickness", "slant"))
    harmed = {"thickness": (thickness - 0.5).abs() > 0.4, "slant": slant < 0.1}
    for style, rows in harmed.items():
        table = outer(samples, rng.random(len(samples)) < np.where(rows, 0.04, 0.005), rng)
        assert table["p_holm"][style] <= 0.01
        assert (table.drop(style)["p_holm"] > 0.05).all()
        assert table["lowest_fifth_error_percent"][style] > 2 * table["middle_error_percent"][style]


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
        alarms += bool((outer(samples, rng.random(len(samples)) < 0.01, rng)["p_holm"] < 0.05).any())
    assert alarms <= 6


def test_p_values_are_corrected_by_holm(rng):
    samples = handwriting(rng)
    table = outer(samples, rng.random(len(samples)) < 0.02, rng)
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"].to_numpy()))


def test_a_style_that_does_not_vary_has_no_outer_fifths(rng):
    samples = handwriting(rng, height=20.0)
    table = outer(samples, rng.random(len(samples)) < 0.02, rng)
    assert np.isnan(table["lowest_fifth_error_percent"]["height"])
    assert table["p"]["height"] == 1


def test_parts_are_ranked_within_the_digit_and_blank_images_have_none():
    values = np.array([1, 2, 3, 4, 5, 11, 12, 13, 14, 15, np.nan])
    labels = np.array([0] * 5 + [1] * 6)
    assert within_digit(values, labels, 5).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, -1]


def test_every_image_is_counted_in_one_part_of_each_style(rng):
    samples = handwriting(rng)
    wrong = rng.random(len(samples)) < 0.02
    table = by_style(ranked(samples, samples["label"].to_numpy(), 10), wrong)
    assert (table.groupby("style")["images"].sum() == len(samples)).all()
    assert (table.groupby("style")["errors"].sum() == wrong.sum()).all()
    assert table["part"].max() == 9


def test_each_style_has_a_sentence_and_one_without_outer_fifths_tells_the_middle_alone(rng):
    samples = handwriting(rng, height=20.0, components=2)
    section = written(results(samples, rng.random(len(samples)) < 0.02))
    sentences = section.findings["styles"]
    assert len(sentences) == 5
    assert sentences[0].startswith("Thickness shows no effect beyond chance: misread are ")
    assert "of the lowest fifth," in sentences[0]
    assert sentences[4].startswith("Height shows no effect beyond chance: misread are 1.97")
    assert "fifth" not in sentences[4]
    assert set(section.tables) == {"pieces", "styles"}
    assert broken(samples).all()
