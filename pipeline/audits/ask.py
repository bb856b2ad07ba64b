"""Asking a recogniser about sets of pictures: in process, or over HTTP at any URL."""

import io
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import httpx
import numpy as np
from PIL import Image, ImageOps

from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import Answered
from serving import schema
from serving.images import decode, normalise_all
from serving.model.recogniser import CLASSES, Predictions, Recogniser

AT_ONCE = 4
CHUNK = 500  # pictures prepared at once, which bounds memory
PATIENCE_S = 60.0
SHOWN_SIDE = 112  # pixels


class Asker(Protocol):
    """Whoever can be asked about a set of pictures."""

    def ask(self, pictures: np.ndarray, one: PictureSet) -> Predictions:
        """The answers for ``pictures``, [M, H, W], which ``one`` made."""
        ...


def answered(asker: Asker, one: PictureSet) -> Answered:
    """Make the pictures of a set, ask about them, and keep those that the report will show."""
    pictures = one.make()
    predictions = asker.ask(pictures, one)
    places = one.keep(predictions) if one.keep else ()
    return Answered(one.rows, predictions, {int(place): shown(pictures[place], int(place), one) for place in places})


def shown(picture: np.ndarray, place: int, one: PictureSet) -> np.ndarray:
    """A picture as somebody sees it who opens what was sent: uint8 [H, W], of a coloured file [H, W, 3].

    Upright, on a white sheet where it is transparent, and no larger than a report shows it.
    """
    if one.form == "file":
        assert one.encode is not None
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(one.encode(picture, place))))
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.has_transparency_data:
            seen = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
        image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    else:
        image = Image.fromarray(grey_levels(picture))
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return np.asarray(image)


def grey_levels(picture: np.ndarray) -> np.ndarray:
    """A picture rounded to grey levels, uint8 [H, W]."""
    return np.rint(picture).astype(np.uint8)


class InProcess:
    """A recogniser in this process, with the service's own preparation of pictures before it."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def ask(self, pictures: np.ndarray, one: PictureSet) -> Predictions:
        return self._recogniser.predict(self._prepared(pictures, one))

    def _prepared(self, pictures: np.ndarray, one: PictureSet) -> np.ndarray:
        match one.form:
            case "pixels":
                return pictures.astype(np.float32)
            case "picture":
                parts = (pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK))
                return np.concatenate([normalise_all(part.astype(np.float32)) for part in parts])
            case "file":
                return np.stack([decode(file) for file in encoded(pictures, one)])
            case "json":
                bodies = (schema.parse_pixels(body) for body in encoded(pictures, one))
                return np.concatenate([normalise_all(body.as_array()) for body in bodies])


class OverHttp:
    """A running service, which is asked as its users ask. It does not tell the novelty of a picture: NaN."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, pictures: np.ndarray, one: PictureSet) -> Predictions:
        match one.form:
            case "file":
                requests = (("/predict", "application/octet-stream", file) for file in encoded(pictures, one))
            case "json":
                requests = (("/predict_pixels", "application/json", body) for body in encoded(pictures, one))
            case _:
                requests = (("/predict", "image/png", png(picture)) for picture in pictures)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return predictions(list(pool.map(lambda request: self._answer(*request), requests)))

    def _answer(self, path: str, kind: str, body: bytes) -> dict[str, Any]:
        """One answer; while the service is overloaded it is asked again. Raises httpx.HTTPStatusError."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            response = self._client.post(path, content=body, headers={"Content-Type": kind})
            if response.status_code not in (429, 503) or time.monotonic() > deadline:
                return dict(response.raise_for_status().json())
            time.sleep(float(response.headers.get("retry-after", 1)))


def predictions(answers: list[dict[str, Any]]) -> Predictions:
    """The service's answers, as the recogniser would have given them."""
    probabilities = np.array([one["probabilities"] for one in answers], np.float32).reshape(-1, CLASSES)
    return Predictions(
        digit=probabilities.argmax(1),
        confidence=probabilities.max(1),
        probabilities=probabilities,
        novelty=np.full(len(answers), np.nan, np.float32),
        prediction_set=prediction_sets(answers),
        abstained=np.array([one["abstained"] for one in answers], bool),
        reason=np.array([one["reason"] for one in answers], object),
    )


def prediction_sets(answers: list[dict[str, Any]]) -> np.ndarray | None:
    """The sets that the service's answers name, bool [N, 10]; None where it promises none."""
    sets = np.zeros((len(answers), CLASSES), bool)
    for row, one in enumerate(answers):
        if one["prediction_set"] is None:
            return None
        sets[row, one["prediction_set"]] = True
    return sets


def encoded(pictures: np.ndarray, one: PictureSet) -> Iterable[bytes]:
    """The pictures of a set as it sends them."""
    assert one.encode is not None
    return (one.encode(picture, place) for place, picture in enumerate(pictures))


def png(picture: np.ndarray) -> bytes:
    """A picture, [H, W] in 0..255, as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(grey_levels(picture)).save(file, "PNG")
    return file.getvalue()
