"""Answers as a table: what is asked is what the judge gets back, and in few bytes."""

import numpy as np
import pytest

from pipeline.audits import results
from pipeline.audits.results import Answered
from serving.model.recogniser import Predictions


def predictions(rng: np.random.Generator, count: int, promised: bool) -> Predictions:
    probabilities = rng.dirichlet(np.ones(10), count).astype(np.float32)
    reason = rng.choice(np.array([None, "blank", "not_a_digit", "multiple", "uncertain"], object), count)
    return Predictions(
        digit=probabilities.argmax(1),
        confidence=probabilities.max(1),
        probabilities=probabilities,
        novelty=rng.random(count).astype(np.float32),
        prediction_set=rng.random((count, 10)) < 0.3 if promised else None,
        abstained=np.array([one is not None for one in reason]),
        reason=reason,
    )


@pytest.fixture(params=[True, False], ids=["with prediction sets", "without"])
def sets(request):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (40, 30), np.uint8)
    return {
        "test": Answered(np.arange(50), predictions(rng, 50, request.param)),
        "corruption/fog": Answered(
            np.arange(50)[::-1], predictions(rng, 50, request.param), {3: picture, 0: picture.T}
        ),
        "canvas/64": Answered(np.arange(7), predictions(rng, 7, request.param)),
        "as_sent/specks/1": Answered(
            np.arange(7), predictions(rng, 7, request.param), {2: picture, 1: rng.integers(0, 256, (9, 5, 3), np.uint8)}
        ),
    }


def test_what_is_saved_is_loaded(sets, tmp_path):
    results.save(tmp_path, sets)
    loaded = results.load(tmp_path)
    assert list(loaded) == list(sets)
    for name, one in sets.items():
        np.testing.assert_array_equal(loaded[name].rows, one.rows)
        for field, value in vars(one.predictions).items():
            np.testing.assert_array_equal(getattr(loaded[name].predictions, field), value)
        assert list(loaded[name].kept) == list(one.kept)
        for place, picture in one.kept.items():
            np.testing.assert_array_equal(loaded[name].kept[place], picture)


def test_equal_answers_give_equal_bytes(sets, tmp_path):
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        results.save(folder, sets)
    for name in ("answers.parquet", "pictures.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_sets_of_a_kind_are_found_by_it(sets):
    one = results.Results(
        images=np.zeros((50, 28, 28), np.uint8),
        labels=np.zeros(50, np.uint8),
        samples=None,  # type: ignore[arg-type]
        predictions=sets["test"].predictions,
        seed=0,
        sets=sets,
    )
    assert list(one.of("corruption")) == ["fog"]
    assert one.of("attack") == {}


def test_each_purpose_has_draws_of_its_own():
    one = results.TestSet(np.zeros((1, 28, 28)), np.zeros(1), None, None, seed=3)  # type: ignore[arg-type]
    first, again, other = (one.rng(purpose).random() for purpose in ("fog", "fog", "shear"))
    assert first == again != other
