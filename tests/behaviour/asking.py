"""How the service is asked, and how a share in a sample is held against a threshold for the whole."""

import io
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from PIL import Image
from scipy.stats import binom

AT_ONCE = 4
PATIENCE_S = 60
SURE = 0.99
CHANCE = 0.05
"""How often a network that just meets a gate may fail its test, for the luck of the sample."""


@dataclass(frozen=True)
class Digits:
    """Images, uint8 [N, 28, 28], and labels, uint8 [N]."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Answers:
    """What was answered for N images.

    digit: int [N], the most probable one; probabilities: float [N, 10]; confidence: float [N]; abstained: bool [N].
    """

    digit: np.ndarray
    probabilities: np.ndarray
    confidence: np.ndarray
    abstained: np.ndarray

    @property
    def sure(self) -> np.ndarray:
        """bool [N]: which were answered with confidence above 0.99."""
        return ~self.abstained & (self.confidence > SURE)


@dataclass(frozen=True)
class Service:
    """A running service, and what it says of its model."""

    client: httpx.Client
    model: Mapping[str, Any]

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def answer(self, file: bytes) -> dict[str, Any]:
        """The answer for one image file, sent as the body; while the service is overloaded it is asked again."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            response = self.client.post("/predict", content=file, headers={"Content-Type": "application/octet-stream"})
            if response.status_code not in (429, 503) or time.monotonic() > deadline:
                break
            time.sleep(float(response.headers.get("retry-after", 1)))
        assert response.status_code == 200, response.text
        return dict(response.json())

    def ask(self, files: Iterable[bytes]) -> Answers:
        """The answers for many image files, in their order."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(self.answer, files))
        probabilities = np.array([one["probabilities"] for one in found])
        return Answers(
            digit=probabilities.argmax(1),
            probabilities=probabilities,
            confidence=np.array([one["confidence"] for one in found]),
            abstained=np.array([one["abstained"] for one in found]),
        )

    def read(self, pictures: np.ndarray) -> Answers:
        """The answers for pictures, uint8 [N, H, W], sent as PNG."""
        return self.ask(encode(picture) for picture in pictures)


def encode(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture, uint8 [H, W] if it is an array, as an image file."""
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, kind, **options)
    return file.getvalue()


def at_least(hits: np.ndarray, share: float) -> None:
    """Hold the share of hits, bool [N], against the least that is allowed, but for the luck of the sample."""
    fewest = int(binom.ppf(CHANCE, len(hits), share))
    assert hits.sum() >= fewest, f"{hits.sum()} of {len(hits)}; at {share:.2%} there should be {fewest} or more"


def at_most(hits: np.ndarray, share: float) -> None:
    """Hold the share of hits, bool [N], against the most that is allowed, but for the luck of the sample."""
    most = int(binom.ppf(1 - CHANCE, len(hits), share))
    assert hits.sum() <= most, f"{hits.sum()} of {len(hits)}; at {share:.2%} there should be {most} or fewer"
