"""A client in Python, of the standard library alone: copy this file to wherever it is needed.

    with Client("http://127.0.0.1:3000") as inkwell:
        inkwell.predict(Path("seven.png").read_bytes())["digit"]

An answer is the service's JSON. A refusal is a RefusedError; after a 429 or 503 it is asked again, as often as
`attempts` says, with the pause that the service asks for.
"""

import http.client
import json
import time
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import urlsplit

Json = dict[str, Any]


class RefusedError(Exception):
    """The service did not answer: its HTTP status, a code for programs, a message, and the request's id."""

    def __init__(self, status: int, code: str, message: str, request_id: str) -> None:
        super().__init__(f"{status} {code}: {message} (request {request_id})")
        self.status = status
        self.code = code
        self.request_id = request_id


class Client:
    """A connection to a service, which it keeps open. Not for several threads at once."""

    def __init__(
        self, url: str = "http://127.0.0.1:3000", key: str = "", timeout: float = 10, attempts: int = 3
    ) -> None:
        place = urlsplit(url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(place.hostname or "", place.port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._attempts = attempts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def predict(self, image: bytes) -> Json:
        """The answer for an image file: PNG, JPEG, WebP, BMP, GIF or TIFF."""
        return self._ask("POST", "/predict", image, "application/octet-stream")

    def predict_pixels(self, pixels: list[list[float]], scale: str = "0-255") -> Json:
        """The answer for 28 rows of 28 numbers, bright ink on a dark ground; `scale` is "0-255" or "0-1"."""
        body = json.dumps({"pixels": pixels, "scale": scale}).encode()
        return self._ask("POST", "/predict_pixels", body, "application/json")

    def predict_many(self, images: Iterable[bytes]) -> list[Json]:
        """The answers for up to 1000 images of 784 bytes each, row by row."""
        answer = self._ask("POST", "/predict_pixels", b"".join(images), "application/octet-stream")
        predictions: list[Json] = answer["predictions"]
        return predictions

    def model(self) -> Json:
        """What is served, and where it came from."""
        return self._ask("GET", "/model", b"", "")

    def _ask(self, method: str, path: str, body: bytes, kind: str) -> Json:
        headers = {**self._headers, **({"Content-Type": kind} if kind else {})}
        for attempt in range(1, self._attempts + 1):
            status, again_in, answer = self._exchange(method, path, body, headers)
            if status not in (429, 503) or attempt == self._attempts:
                break
            time.sleep(again_in)
        if status != 200:
            error = answer["error"]
            raise RefusedError(status, error["code"], error["message"], answer["request_id"])
        return answer

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, float, Json]:
        """One request, on a new connection where the service has closed the old one."""
        reused = self._connection.sock is not None
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
            if not reused:
                raise
            return self._exchange(method, path, body, headers)
        answer: Json = json.loads(response.read())
        return response.status, float(response.getheader("Retry-After") or 0), answer
