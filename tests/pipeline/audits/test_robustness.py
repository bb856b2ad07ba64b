"""The audit's section on robustness, of a reader that compares with the mean picture of each digit."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import robustness
from pipeline.audits.inputs.catalogue import canvas_sets, corruption_sets, morphology_sets, severity_sets
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES, corrupt
from pipeline.audits.inputs.kept import first_of_each_digit
from pipeline.audits.results import Answered, Results
from pipeline.audits.robustness import measure, severity_table
from pipeline.audits.statistics import resampled_means
from pipeline.report.figures.robustness import gallery
from pipeline.report.sections import write
from serving.images import normalise_all
from tests.pipeline.audits.asked import ask, sample
from tests.pipeline.audits.made_up import thresholds


@cache
def asked(named: bool = True, abstains: bool = False) -> Results:
    test, reader = sample(named=named, abstains=abstains)
    makers = (corruption_sets, severity_sets, morphology_sets, canvas_sets)
    return ask(test, reader, [one for make in makers for one in make(test)])


@cache
def audited():
    return measure(asked())


def test_the_gates_hold_what_the_table_shows():
    found = audited()
    table = found["corruptions"]
    assert list(table["corruption"]) == list(CORRUPTIONS)
    assert found["corruption_mean"].value == pytest.approx(table["right_percent"].mean() / 100)
    assert found["corruption_worst"].value == pytest.approx(table["right_percent"].min() / 100)
    assert found["worst"]["right_percent"] == table["right_percent"].min()
    for gate in ("corruption_mean", "corruption_worst", "canvas"):
        low, high = found[gate].interval
        assert low < found[gate].value < high
    canvases = found["canvases"]
    mean = np.average(canvases["right_percent"], weights=canvases["images"]) / 100
    assert found["canvas"].value == pytest.approx(mean)
    assert canvases["images"].sum() == 50


def test_the_words_say_what_was_measured():
    section = write("robustness", asked(), audited(), thresholds())
    assert set(section.sentences) == {"corruption_mean", "corruption_worst", "canvas"}
    assert section.sentences["corruption_mean"].startswith("Under 15 MNIST-C-style (re-implemented) corruptions")
    assert audited()["worst"]["corruption"].replace("_", " ") in section.sentences["corruption_worst"]
    assert "canvases of 40 to 280 pixels" in section.sentences["canvas"]
    assert all("over writers" in sentence for sentence in section.sentences.values())
    assert set(section.findings) == {"abstained", "hard", "populations", "strokes", "severities"}
    assert set(section.tables) == {"corruptions", "strokes", "severities", "canvases"}
    assert set(section.figures) == {"accuracy", "examples", "mistakes", "severities"}


def test_every_accuracy_is_that_of_the_corrupted_pictures_as_the_service_prepares_them():
    test, reader = sample()
    pictures = corrupt(test.images, "zigzag", test.rng("robustness: zigzag"))
    digit = reader.predict(normalise_all(pictures.astype(np.float32))).digit
    one = asked().of("corruption")["zigzag"]
    assert (one.predictions.digit == digit).all()
    assert (robustness.trial(asked(), one).right == (digit == test.labels)).all()
    for place, picture in one.kept.items():
        assert (picture == pictures[place]).all()
    examples = first_of_each_digit(test)
    assert test.labels[examples].tolist() == list(range(10))
    assert set(examples) <= set(one.kept)
    assert all(digit[place] != test.labels[place] for place in set(one.kept) - set(examples))


def test_abstaining_does_not_change_what_is_right():
    silent = measure(asked(abstains=True))["corruptions"]
    open_ = audited()["corruptions"]
    assert (silent["right_percent"] == open_["right_percent"]).all()
    assert (silent["answered_percent"] == 0).all()
    assert (open_["answered_percent"] == 100).all()
    assert silent["wrong_among_answered_percent"].isna().all()


def test_the_gap_between_the_populations_is_students_errors_minus_employees():
    right = robustness.trial(asked(), asked().of("corruption")["rotate"]).right
    students = (asked().samples["population"] == "students").to_numpy()
    row = audited()["corruptions"].set_index("corruption").loc["rotate"]
    assert row["students_minus_employees_pp"] == pytest.approx(100 * (right[~students].mean() - right[students].mean()))
    assert row["gap_low_pp"] <= row["students_minus_employees_pp"] <= row["gap_high_pp"]


def test_without_writers_the_gap_is_not_shown_and_that_is_said():
    results = asked(named=False)
    found = measure(results)
    assert not any("students" in column for column in found["corruptions"].columns)
    section = write("robustness", results, found, thresholds())
    assert "does not say who wrote" in section.findings["populations"][0]
    assert "over images" in section.sentences["corruption_mean"]
    assert found["canvas"].value is not None


def test_a_corruption_without_a_published_figure_is_shown_all_the_same(monkeypatch):
    monkeypatch.setitem(CORRUPTIONS, "fog", replace(CORRUPTIONS["fog"], published=None))
    found = measure(asked())
    assert found["corruptions"].set_index("corruption").loc["fog"].isna().sum() == 2
    assert "accuracy" in write("robustness", asked(), found, thresholds()).figures


def test_resampling_whole_writers_keeps_the_mean_and_widens_what_fails_together():
    scores = np.zeros((400, 2), bool)
    scores[:200, 0] = True
    scores[::2, 1] = True
    draws = resampled_means(scores, np.repeat(np.arange(8), 50), 4000, np.random.default_rng(0))
    assert draws.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.01)
    assert draws[:, 0].std() == pytest.approx(0.5 / np.sqrt(8), rel=0.1)
    assert draws[:, 1].std() == pytest.approx(0, abs=1e-9)


def test_severity_curves_tell_where_accuracy_breaks():
    rows = [("rotate", level, f"{level}0°", 1 - level / 40, 1.0) for level in range(1, 6)]
    rows += [("blur", level, f"{level} px", 0.99, 1.0) for level in range(1, 6)]
    table = severity_table(pd.DataFrame(rows, columns=["family", "severity", "told", "right", "answered"]))
    found = table.set_index("family")
    assert found["broken_at"].to_dict() == {"rotate": "30°", "blur": ""}
    assert found.loc["rotate", "mean_percent"] == pytest.approx(92.5)
    assert found.loc["rotate", "severity_2_percent"] == pytest.approx(95)


def test_all_families_and_changes_are_there():
    assert list(audited()["severities"]["family"]) == list(CURVES)
    assert list(audited()["strokes"]["change"]) == ["none", "thinning", "thickening", "swelling", "fractures"]


def test_a_part_of_the_pictures_is_measured_too():
    """As where a running service is asked about a sample of them."""
    whole = asked()
    part = {name: Answered(one.rows[::2], few(one.predictions)) for name, one in whole.sets.items() if "/" in name}
    found = measure(replace(whole, sets=part))
    assert found["canvases"]["images"].sum() < 50
    assert 0 < found["corruption_mean"].value < 1
    assert "mistakes" in write("robustness", replace(whole, sets=part), found, thresholds()).figures


def few(told):
    return type(told)(**{name: value[::2] for name, value in vars(told).items()})


def test_misclassified_examples_are_framed_in_red_with_label_and_answer():
    results = asked()
    one = results.of("corruption")["stripe"]
    examples = np.sort(first_of_each_digit(results))
    figure = gallery(replace(results, sets={"corruption/stripe": one}), lambda _: examples)
    texts = [text.get_text() for text in figure.axes[0].texts][: len(examples)]
    pairs = zip(results.labels[examples], one.predictions.digit[examples], strict=True)
    assert texts == [f"{label} → {answer}" if label != answer else "" for label, answer in pairs]
    assert any(texts)
