import numpy as np
import pytest

from serving import schema
from serving.quick import Quick
from serving.recogniser import Recogniser
from tests import toy_model


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    return Recogniser(toy_model.write(tmp_path_factory.mktemp("model") / "model.onnx"))


def test_it_says_what_the_recogniser_says_to_the_last_digit_or_nothing(recogniser):
    random = np.random.default_rng(0)
    quick = Quick(recogniser)
    said = 0
    for number in range(500):
        second = toy_model.image(int(random.integers(10)), int(random.integers(256)))
        pixels = np.maximum(toy_model.image(number % 10, int(random.integers(20, 256))), second)[None]
        predictions = recogniser.predict(pixels.astype(np.float32))
        [expected] = schema.answers(predictions, recogniser)
        answer = quick.answer(pixels if number % 2 else pixels.astype(np.float32))
        assert (answer is None) == predictions.abstained[0]
        if answer is not None:
            assert schema.Answer.model_validate_json(answer.json) == expected
            assert (answer.digit, answer.confidence) == (predictions.digit[0], predictions.confidence[0])
            said += 1
    assert 100 < said < 490


def test_it_says_what_pydantic_would_of_many_and_of_those_it_does_not_answer(recogniser):
    digits = [
        np.maximum(toy_model.image(number % 10, 255), toy_model.image(number % 7, 30 * (number % 9)))
        for number in range(200)
    ]
    between = np.maximum(toy_model.image(1), toy_model.image(2))
    pixels = np.stack([*digits, between, np.zeros((28, 28))]).astype(np.float32)
    predictions = recogniser.predict(pixels)
    assert {None, "blank"} < set(predictions.reason)  # and others
    told = [schema.Answer.model_validate_json(answer) for answer in Quick(recogniser).answers(predictions)]
    assert told == schema.answers(predictions, recogniser)
