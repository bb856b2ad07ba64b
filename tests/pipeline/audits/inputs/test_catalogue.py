"""The catalogue of what an audit asks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.audits.inputs.catalogue import DRAWINGS, picture_sets, with_gradients
from pipeline.audits.inputs.corruptions import CORRUPTIONS
from pipeline.audits.inputs.kept import failed
from pipeline.audits.inputs.pen import PENS
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import TestSet
from tests.pipeline.audits.asked import sample
from tests.pipeline.audits.made_up import predictions

KINDS = ["corruption", "severity", "morphology", "canvas", "lossless", "small", "direction", "as_sent", "forms"]
KINDS += ["non_digit"]


@pytest.fixture(scope="module")
def some_digits() -> TestSet:
    return sample(200)[0]


@pytest.fixture(scope="module")
def sets(some_digits) -> dict[str, PictureSet]:
    return {one.name: one for one in picture_sets(some_digits)}


def test_every_kind_is_there_under_names_of_their_own(some_digits, sets):
    assert len(sets) == len(picture_sets(some_digits))
    assert list(dict.fromkeys(name.split("/")[0] for name in sets)) == KINDS


@pytest.mark.parametrize(
    "name",
    [
        *("corruption/fog", "severity/rotate/3", "morphology/thinning", "morphology/none", "canvas/64"),
        *("lossless/PNG", "small/turned by 5° to the left", "direction/noise/25", "forms/plain two"),
        *("as_sent/specks/1", "as_sent/white rim/3"),
        *("non_digit/letters", "non_digit/two digits"),
    ],
)
def test_pictures_are_as_many_as_their_rows_and_the_same_each_time(some_digits, sets, name):
    pictures = sets[name].make()
    assert len(pictures) == len(sets[name].rows)
    assert pictures.dtype == np.uint8
    assert sets[name].rows.max() < len(some_digits.images)
    other = {one.name: one for one in picture_sets(some_digits)}
    assert (other[name].make() == pictures).all()


def test_sets_depend_on_no_other_set_having_been_made(some_digits):
    """Since two workers share them."""
    sets, last = ({one.name: one for one in picture_sets(some_digits)} for _ in range(2))
    for name in ("canvas/40", "forms/plain zero", "non_digit/uniform noise", "morphology/thinning"):
        sets[name].make()
    for name in ("canvas/280", "forms/plain eight", "non_digit/letters", "morphology/swelling"):
        assert (last[name].make() == sets[name].make()).all()


def files(one):
    return [one.encode(picture, place) for place, picture in enumerate(one.make())]


def test_what_is_sent_is_a_file_of_the_image_and_the_same_each_time(some_digits, sets):
    name = "as_sent/red on green/2"
    sent = files(sets[name])
    assert len(set(sent)) == len(sent)
    [other] = [one for one in picture_sets(some_digits) if one.name == name]
    assert files(other) == sent
    rows = [tuple(sets[f"as_sent/red on green/{strength}"].rows) for strength in (1, 2, 3)]
    assert len(set(rows)) == 3


def test_each_form_is_drawn_with_each_pen(sets):
    one = sets["forms/crossed seven"]
    pens = one.make().reshape(len(PENS), DRAWINGS, *one.make().shape[1:])
    ink = dict(zip(PENS, (255.0 - pens).mean(axis=(1, 2, 3)), strict=True))
    assert ink["fineliner"] < ink["felt tip"] < ink["marker"]


def test_every_image_is_on_one_canvas(sets):
    rows = np.concatenate([one.rows for name, one in sets.items() if name.startswith("canvas/")])
    assert sorted(rows) == list(range(200))


def test_a_new_corruption_is_asked_about(some_digits, monkeypatch):
    monkeypatch.setitem(CORRUPTIONS, "frost", CORRUPTIONS["fog"])
    assert "corruption/frost" in {one.name for one in picture_sets(some_digits)}


def test_what_is_shown_is_chosen_by_the_answers(some_digits, sets):
    told = some_digits.predictions
    places = sets["corruption/fog"].keep(told)
    wrong = told.digit != some_digits.labels
    assert not wrong[places[:10]].any()
    assert wrong[places[10:]].all()
    assert 0 < len(places[10:]) <= 10
    assert len(sets["small/10 % larger"].keep(told)) == 0
    assert sets["severity/rotate/3"].keep is None


@pytest.mark.parametrize("lenient", [True, False])
def test_of_what_failed_the_surest_wrong_answers_are_kept_first(lenient):
    rng = np.random.default_rng(15)
    labels = rng.integers(0, 10, 20)
    wrong, silent = np.isin(np.arange(20), [4, 9]), np.isin(np.arange(20), [9, 11, 12])
    confidence = np.where(np.arange(20) == 4, 0.7, 0.9)
    told = predictions(labels, wrong, confidence, silent)
    places = failed(told, labels, always=(0,), lenient=lenient)
    assert places[:2].tolist() == [0, 4]
    assert set(places[2:]) == (set() if lenient else {9, 11, 12})
    assert len(failed(predictions(labels, np.ones(20, bool)), labels, always=(0, 1))) <= 7


def test_only_what_needs_gradients_loads_torch(some_digits):
    sets = with_gradients(some_digits, Path("no such folder"), None, 0)  # type: ignore[arg-type]
    assert [one.name for one in sets] == ["non_digit/fooling images"]
    code = "import sys, pipeline.audits.inputs.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
