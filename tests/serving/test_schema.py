"""JSON bodies: what they may cost, and what answers say. The rest is tested over HTTP."""

import json

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from serving import schema
from serving.contract import MAX_BATCH
from serving.errors import ApiError
from serving.model.recogniser import Recogniser
from serving.schema import MAX_QUOTES, PixelsBody, parse_pixels
from tests import toy_model


def image(value: float = 7) -> list[list[float]]:
    return [[value] * 28] * 28


def refusal(body: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_pixels(body)
    return caught.value


def test_the_largest_batch_is_read():
    body = json.dumps({"batch": [image(255.0)] * MAX_BATCH, "scale": "0-255"})
    assert parse_pixels(body.encode()).as_array().shape == (MAX_BATCH, 28, 28)


def unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema.PixelsBody, "model_validate_json", None)


@pytest.mark.parametrize(
    "body", [json.dumps({"batch": [image()] * (MAX_BATCH + 1)}), f"[{'1,' * 1_000_000}1]", f"[{'[],' * 1_000_000}[]]"]
)
def test_what_holds_more_than_the_largest_batch_is_refused_unparsed(monkeypatch, body):
    unparsed(monkeypatch)
    assert refusal(body.encode()).status == 413


def test_what_holds_many_names_or_texts_is_refused_unparsed(monkeypatch):
    unparsed(monkeypatch)
    names = {str(number): 1 for number in range(MAX_QUOTES)}
    assert refusal(json.dumps(names).encode()).code == "invalid_pixels"


def test_an_unknown_name_is_told():
    assert "shade" in refusal(json.dumps({"pixels": image(), "shade": 1}).encode()).message


def test_of_many_wrong_values_one_is_looked_at():
    for body in ({"pixels": image(999)}, {"batch": [image(999)] * 10}, {"batch": ["wrong"] * 10}):
        with pytest.raises(ValidationError) as caught:
            PixelsBody.model_validate_json(json.dumps(body))
        assert caught.value.error_count() == 1


def test_answers_say_what_the_recogniser_does_also_where_it_abstains(tmp_path):
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
        assert predictions.prediction_set is not None
        answers = [
            schema.Answer.model_validate_json(orjson.dumps(answer))
            for answer in schema.answers(predictions, recogniser)
        ]
        for answer, digit, row, members, reason in zip(
            answers,
            predictions.digit,
            predictions.probabilities,
            predictions.prediction_set,
            predictions.reason,
            strict=True,
        ):
            assert answer.digit == (None if reason else digit)
            assert answer.probabilities == row.astype(np.float64).round(7).tolist()
            assert answer.confidence == max(answer.probabilities)
            assert answer.prediction_set == np.flatnonzero(members).tolist()
            assert (answer.abstained, answer.reason) == (reason is not None, reason)
            assert answer.model == schema.ModelRef(name="toy", version=recogniser.version)
    assert {None, "blank"} < set(recogniser.predict(pixels).reason)  # and others


def test_a_model_that_promises_no_sets_names_none(tmp_path):
    recogniser = Recogniser(toy_model.write(tmp_path / "model.onnx", toy_model.NO_SETS))
    pixels = np.stack([toy_model.image(4), toy_model.image(3) | toy_model.image(8), toy_model.image(0, 0)])
    answers = schema.answers(recogniser.predict(pixels.astype(np.float32)), recogniser)
    assert [schema.Answer.model_validate(one).prediction_set for one in answers] == [None] * 3
    assert [one["reason"] for one in answers] == [None, "uncertain", "blank"]
