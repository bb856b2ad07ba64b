import hashlib

import numpy as np
import pytest

from serving.recogniser import CHUNK, ModelError, Recogniser
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


def test_it_answers_in_order_and_abstains_with_reasons(recogniser):
    got = predict(recogniser, bands(4), bands(3, 8), np.zeros((28, 28)), np.full((28, 28), 255), bands(9))
    assert got.digit[[0, 4]].tolist() == [4, 9]
    assert got.abstained.tolist() == [False, True, True, True, False]
    assert got.reason.tolist() == [None, "uncertain", "blank", "blank", None]
    assert [np.flatnonzero(row).tolist() for row in got.prediction_set] == [[4], [3, 8], [], [], [9]]
    assert got.confidence == pytest.approx(got.probabilities.max(axis=1))
    assert got.probabilities.sum(axis=1) == pytest.approx(1)
    assert len(got) == 5


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


@pytest.mark.parametrize("value", ["high", "1.5", "nan"])
def test_a_threshold_that_is_no_probability_is_named(tmp_path, value):
    with pytest.raises(ModelError, match=f"confidence_threshold = '{value}'"):
        Recogniser(toy_model.write(tmp_path / "m.onnx", toy_model.METADATA | {"confidence_threshold": value}))
