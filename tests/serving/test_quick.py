import json

import numpy as np
import pytest

from serving.quick import Quick
from serving.recogniser import Recogniser
from serving.schema import answers
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
        [expected] = answers(predictions, recogniser)
        answer = quick.answer(pixels if number % 2 else pixels.astype(np.float32))
        assert (answer is None) == predictions.abstained[0]
        if answer is not None:
            assert json.loads(answer.json) == json.loads(expected)
            assert (answer.digit, answer.confidence) == (predictions.digit[0], predictions.confidence[0])
            said += 1
    assert 100 < said < 490
