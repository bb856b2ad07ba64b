"""JSON bodies: what they may cost. Their answers are tested over HTTP."""

import json

import pytest
from pydantic import ValidationError

from serving import schema
from serving.errors import ApiError
from serving.schema import MAX_BATCH, MOST_QUOTES, PixelsBody, parse_pixels


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
    names = {str(number): 1 for number in range(MOST_QUOTES)}
    assert refusal(json.dumps(names).encode()).code == "invalid_pixels"


def test_an_unknown_name_is_told():
    assert "shade" in refusal(json.dumps({"pixels": image(), "shade": 1}).encode()).message


def test_of_many_wrong_values_one_is_looked_at():
    for body in ({"pixels": image(999)}, {"batch": [image(999)] * 10}, {"batch": ["wrong"] * 10}):
        with pytest.raises(ValidationError) as caught:
            PixelsBody.model_validate_json(json.dumps(body))
        assert caught.value.error_count() == 1
