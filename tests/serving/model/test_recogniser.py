import hashlib

import numpy as np
import onnx
import pytest

from serving.model.recogniser import CHUNK, ModelError, Recogniser
from tests import toy_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return toy_model.write(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def recogniser(path):
    return Recogniser(path)


def bands(*digits, brightness=255):
    return np.max([toy_model.image(digit, brightness) for digit in digits], axis=0)


def predict(recogniser, *images):
    return recogniser.predict(np.stack(images).astype(np.float32))


def test_it_knows_its_model(recogniser, path):
    assert recogniser.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert recogniser.version == recogniser.sha256[:12]
    assert (recogniser.name, recogniser.source, recogniser.run_key) == ("toy", "toy-bands", "0123456789abcdef")
    assert (recogniser.confidence_threshold, recogniser.conformal_threshold) == (0.6, 0.05)
    assert recogniser.novelty_threshold == 6.5


def test_it_answers_in_order_and_abstains_with_reasons(recogniser):
    got = predict(recogniser, bands(4), bands(3, 8), np.zeros((28, 28)), np.full((28, 28), 255), bands(9))
    assert got.digit[[0, 4]].tolist() == [4, 9]
    assert got.abstained.tolist() == [False, True, True, True, False]
    assert got.reason.tolist() == [None, "uncertain", "blank", "blank", None]
    assert got.prediction_set is not None
    assert [np.flatnonzero(row).tolist() for row in got.prediction_set] == [[4], [3, 8], [], [], [9]]
    assert got.confidence == pytest.approx(got.probabilities.max(axis=1))
    assert got.probabilities.sum(axis=1) == pytest.approx(1)
    assert len(got) == 5


def test_what_is_too_novel_is_not_a_digit_however_sure_the_network(tmp_path):
    strict = Recogniser(toy_model.write(tmp_path / "m.onnx", toy_model.METADATA | {"novelty_threshold": "1.1"}))
    got = predict(strict, bands(4), bands(4) + 0.2 * bands(5), bands(3, 8), np.full((28, 28), 255))
    assert got.novelty == pytest.approx([1.0, 1.2, 2.0, 10.0], rel=0.03)
    assert got.confidence[1] > 0.9
    assert got.abstained.tolist() == [False, True, True, True]
    assert got.reason.tolist() == [None, "not_a_digit", "not_a_digit", "blank"]


def strokes(*parts):
    """An image, float64 [28, 28], with ink in each part, (rows, columns)."""
    image = np.zeros((28, 28))
    for rows, columns in parts:
        image[rows, columns] = 255
    return image


TALL = slice(4, 24)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (((TALL, slice(3, 8)), (TALL, slice(18, 23))), "multiple"),
        (((TALL, slice(3, 8)), (slice(8, 24), slice(18, 23))), "multiple"),
        (((TALL, slice(3, 8)), (slice(4, 9), slice(18, 23))), "uncertain"),
        (((TALL, slice(3, 8)), (TALL, slice(18, 23)), (slice(12, 14), slice(8, 18))), "uncertain"),
        (((TALL, slice(3, 5)), (TALL, slice(8, 18)), (TALL, slice(21, 23))), "uncertain"),
    ],
    ids=["two", "one a little shorter", "a digit and a dot", "joined by a bar", "bars at the sides of something else"],
)
def test_two_strokes_beside_each_other_are_named_as_such(tmp_path, parts, reason):
    never_sure = Recogniser(toy_model.write(tmp_path / "m.onnx", gain=0.001))
    assert predict(never_sure, strokes(*parts)).reason.tolist() == [reason]


def test_two_strokes_are_no_reason_to_decline_what_is_certain(recogniser):
    pair = np.where(bands(4), 255, 0)
    pair[:, 10:18] = 0
    got = predict(recogniser, pair)
    assert (got.digit.tolist(), got.reason.tolist()) == ([4], [None])


def test_with_too_few_labels_no_prediction_sets_are_promised_and_all_else_is_the_same(recogniser, tmp_path):
    without = Recogniser(toy_model.write(tmp_path / "m.onnx", toy_model.NO_SETS))
    assert without.conformal_threshold is None
    assert without.least_confidence == without.confidence_threshold
    images = [bands(*digits, brightness=brightness) for digits in ((4,), (3, 8)) for brightness in (0, 40, 90, 255)]
    here, there = (predict(one, *images) for one in (without, recogniser))
    assert here.prediction_set is None
    assert there.prediction_set is not None
    assert here.reason.tolist() == there.reason.tolist()
    assert {None, "uncertain", "blank"} == set(here.reason)


def test_an_empty_prediction_set_is_no_answer(tmp_path):
    strict = Recogniser(toy_model.write(tmp_path / "m.onnx", toy_model.METADATA | {"conformal_threshold": "0.99"}))
    got = predict(strict, bands(4, brightness=80))
    assert 0.6 < got.confidence[0] < 0.99
    assert got.reason.tolist() == ["uncertain"]


def test_a_batch_is_answered_as_its_images_one_by_one(recogniser):
    images = np.random.default_rng(0).integers(0, 256, (CHUNK + 3, 28, 28)).astype(np.float32)
    together = recogniser.predict(images).probabilities
    for row in (0, CHUNK - 1, CHUNK, CHUNK + 2):
        np.testing.assert_allclose(together[row], recogniser.predict(images[row : row + 1]).probabilities[0], atol=1e-5)
    assert len(recogniser.predict(images[:0])) == 0


@pytest.mark.parametrize("value", [-1, 256, np.nan, np.inf])
def test_values_out_of_range_are_refused(recogniser, value):
    with pytest.raises(ValueError, match=r"0\.\.255"):
        predict(recogniser, np.full((28, 28), value))


@pytest.mark.parametrize("shape", [(28, 28), (1, 784), (1, 28, 28, 1), (1, 14, 56)])
def test_other_shapes_are_refused(recogniser, shape):
    with pytest.raises(ValueError, match="expected float32"):
        recogniser.predict(np.zeros(shape, np.float32))


def test_other_types_are_refused(recogniser):
    with pytest.raises(ValueError, match="uint8"):
        recogniser.predict(np.zeros((1, 28, 28), np.uint8))


def test_a_missing_or_damaged_model_is_named(path, tmp_path):
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        Recogniser(tmp_path / "missing.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        Recogniser(cut)


@pytest.mark.parametrize("key", sorted(toy_model.METADATA))
def test_missing_metadata_is_named(tmp_path, key):
    rest = {other: value for other, value in toy_model.METADATA.items() if other != key}
    with pytest.raises(ModelError, match=f"lacks {key}"):
        Recogniser(toy_model.write(tmp_path / "m.onnx", rest))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("confidence_threshold", value) for value in ("high", "1.5", "nan")),
        *(("novelty_threshold", value) for value in ("far", "-1", "nan")),
    ],
)
def test_a_threshold_out_of_range_is_named(tmp_path, key, value):
    with pytest.raises(ModelError, match=f"{key} = '{value}'"):
        Recogniser(toy_model.write(tmp_path / "m.onnx", toy_model.METADATA | {key: value}))


def test_a_model_that_knows_no_novelty_is_refused(path, tmp_path):
    model = onnx.load(path)
    del model.graph.output[-1]
    onnx.save(model, tmp_path / "old.onnx")
    with pytest.raises(ModelError, match="trained again"):
        Recogniser(tmp_path / "old.onnx")
