"""Shedding: while too many wait already, a request for an answer is refused as it arrives.

What is refused must cost a small part of an answer, or the refusals leave no time for the answers. So a request that
arrives whole, as those for one image do, is not even parsed: its bytes are told from others' by their first line and
by their length. Every other request goes the long way, and is refused where it would have to wait.
"""

import asyncio
import random
import re
from typing import Any

from serving import errors
from serving.contract import SIDE
from serving.images import is_small
from serving.model.micro_batching import MicroBatcher
from serving.web import log
from serving.web.cors import Origins
from serving.web.error_shape import rendered
from serving.web.limits import BoundedPool
from serving.web.metrics import Metrics

REQUEST_LINE = re.compile(rb"POST (/predict|/predict_pixels) HTTP/1\.1\r\n")
FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding):[ \t]*([^\r\n]*)", re.IGNORECASE)
ORIGIN = re.compile(rb"\r\norigin:[ \t]*([^\r\n]*)", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"
REFUSAL = errors.OVERLOADED()
ANY_ID = "0" * 32
ANSWER = rendered(REFUSAL, ANY_ID)


class Shedding:
    """Refuses what would have to wait: for the network (`batcher`), or to be decoded (`decoders`)."""

    def __init__(
        self, batcher: MicroBatcher[Any], decoders: BoundedPool, metrics: Metrics, origins: Origins | None = None
    ) -> None:
        self._batcher = batcher
        self._decoders = decoders
        self._metrics = metrics
        self._origins = origins or Origins()
        self._admitted = 0  # requests that were let in, in this turn of the event loop, and do not wait yet

    def refusal(self, data: bytes) -> bytes | None:
        """The whole answer to the bytes that have arrived, where they are one whole request that is to be refused.

        It is counted and logged, as every answer is.
        """
        crowded = self._batcher.capacity <= self._admitted
        if crowded or self._decoders.full:
            line = REQUEST_LINE.match(data)
            head, _, body = data.partition(END_OF_HEAD)
            if line and FRAMING.findall(head) == [b"%d" % len(body)]:
                path = line[1].decode()
                if crowded or _takes_a_decoder(path, body):
                    return self._refuse(path, head)
        if not self._admitted:
            asyncio.get_running_loop().call_soon(self._forget_admitted)
        self._admitted += 1
        return None

    def _forget_admitted(self) -> None:
        self._admitted = 0

    def _refuse(self, path: str, head: bytes) -> bytes:
        request_id = f"{random.getrandbits(128):032x}"  # which is no secret
        self._metrics.request(path, REFUSAL.status, REFUSAL.code, 0.0)
        log.request(request_id, "POST", path, REFUSAL.status, REFUSAL.code, 0.0)
        answer = ANSWER.replace(ANY_ID.encode(), request_id.encode())
        if not self._origins.listed:
            return answer
        origin = ORIGIN.search(head)
        lines = [b"\r\n%s: %s" % header for header in self._origins.headers(origin[1] if origin else b"")]
        return answer.replace(END_OF_HEAD, b"".join(lines) + END_OF_HEAD, 1)


def _takes_a_decoder(path: str, body: bytes) -> bool:
    """Whether a request may have to wait for a decoder: what costs more to find out is found out later."""
    if path == "/predict":
        return not is_small(body)
    return len(body) > SIDE * SIDE and not body.lstrip().startswith(b"{")
