"""The audit's section on regional forms, with answers made up for the purpose."""

import numpy as np
import pytest

from pipeline.audits import forms
from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.strokes import FORMS, STYLES
from pipeline.audits.results import Answered, Results
from pipeline.report.figures import forms as figures
from pipeline.report.sections import write
from tests.pipeline.audits.made_up import handwriting, measured, predictions, results, thresholds

EACH = 3


def asked(rng: np.random.Generator, wrong: dict[str, list[int]], abstained: dict[str, list[int]]) -> Results:
    """What the judge knows where at some places of some forms answers are wrong, or none is given."""
    count = EACH * len(PENS)
    sets = {}
    for name, style in STYLES.items():
        misread, silent = (np.isin(np.arange(count), places.get(name, [])) for places in (wrong, abstained))
        told = predictions(np.full(count, style.digit), misread, abstained=silent)
        kept = {place: np.full((20, 20), 200, np.uint8) for place in range(count)}
        sets[f"forms/{name}"] = Answered(np.arange(count), told, kept)
    samples = handwriting(rng, 5, 5, 2)
    return results(samples, np.zeros(len(samples), bool), sets=sets)


def test_only_regional_forms_count_and_abstaining_is_not_right(rng):
    plain = {name: list(range(EACH)) for name, style in STYLES.items() if style.plain}
    found = forms.measure(asked(rng, plain, {}))
    assert measured(found["forms"])[0] == 1
    assert measured(found["forms_wrong"])[0] == 0
    assert found["plain_right"] == pytest.approx(1 - 1 / len(PENS))
    name = str(rng.choice(list(FORMS)))
    found = forms.measure(asked(rng, {name: [0, 1]}, {name: [5]}))
    drawings = EACH * len(PENS) * len(FORMS)
    value, low, high = measured(found["forms"])
    assert low < value < high
    assert value == pytest.approx(1 - 3 / drawings)
    assert found["forms_wrong"].value == pytest.approx(2 / drawings)


def test_forms_and_pens_are_told_apart_and_the_words_name_the_worst(rng):
    name = str(rng.choice(list(FORMS)))
    number = int(rng.integers(len(PENS)))
    results = asked(rng, {name: [EACH * number, EACH * number + 1]}, {})
    found = forms.measure(results)
    assert found["by_form"]["form"][0] == name
    assert found["by_pen"]["pen"][0] == list(PENS)[number]
    assert found["by_pen"]["right_percent"][0] == pytest.approx(100 * (1 - 2 / (EACH * len(FORMS))))
    section = write("forms", results, found, thresholds())
    assert name in section.findings["worst"][0]
    assert list(PENS)[number] in section.findings["pen"][0]
    assert set(section.figures) == {"drawings", "failed"}


def test_where_nothing_failed_there_is_no_sheet_of_it(rng):
    results = asked(rng, {}, {})
    section = write("forms", results, forms.measure(results), thresholds())
    assert set(section.figures) == {"drawings"}
    assert section.findings["worst"] == ["Every drawing of every form is read right."]


def test_a_drawing_that_failed_is_framed_with_its_pen_and_the_answer(rng):
    name = next(iter(FORMS))
    results = asked(rng, {name: [EACH + 1]}, {name: [EACH + 2]})
    figure = figures.failed(results)
    pen, digit = list(PENS)[1], FORMS[name].digit
    assert [text.get_text() for text in figure.axes[0].texts] == [f"{pen} → {digit + 1}", f"{pen} → –", name]
