import numpy as np

from serving import quick, schema
from serving.model.recogniser import Recogniser
from tests import toy_model


def test_it_says_what_pydantic_would_to_the_last_digit_also_where_it_abstains(tmp_path):
    recogniser = Recogniser(toy_model.write(tmp_path / "model.onnx"))
    random = np.random.default_rng(0)
    digits = [
        np.maximum(
            toy_model.image(number % 10, int(random.integers(20, 256))),
            toy_model.image(int(random.integers(10)), int(random.integers(256))),
        )
        for number in range(500)
    ]
    pixels = np.stack([*digits, np.zeros((28, 28))]).astype(np.float32)
    for some in (pixels, pixels[:1], pixels[-1:]):
        predictions = recogniser.predict(some)
        told = [schema.Answer.model_validate_json(answer) for answer in quick.answers(predictions, recogniser)]
        assert told == schema.answers(predictions, recogniser)
    assert {None, "blank"} < set(recogniser.predict(pixels).reason)  # and others
