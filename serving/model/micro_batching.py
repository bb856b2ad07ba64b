"""Requests that wait at the same moment are answered by one run of the network.

A network's weights are read from memory once a run, however many images it is given: eight together take half the time
of eight alone. Nobody waits for others to come: the run is due in the event loop's next turn, and takes whoever has
come by then.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.errors import ApiError
from serving.web.limits import MOST_WAITING

LARGEST_RUN = 8  # images of one run, from where on larger runs save nothing more and only make a longer pause

Pixels = NDArray[np.uint8] | NDArray[np.float32]


class Waiting(NamedTuple):
    """A request's images, and where their answers are awaited."""

    pixels: Pixels
    answers: asyncio.Future[list[str]]


class Together:
    """Answers requests, several at a time, by `work`: from float32 [N, 28, 28] to N answers."""

    def __init__(self, work: Callable[[NDArray[np.float32]], list[str]]) -> None:
        self._work = work
        self._waiting: deque[Waiting] = deque()

    @property
    def room(self) -> int:
        """How many requests more may wait."""
        return MOST_WAITING - len(self._waiting)

    async def answers(self, pixels: Pixels) -> list[str]:
        """An answer for each of `pixels`, [n, 28, 28] in 0..255, n up to LARGEST_RUN.

        Raises ApiError 503 where too many wait, and what `work` raises for them.
        """
        if not self.room:
            raise ApiError.of_status(503)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._run)
        request = Waiting(pixels, loop.create_future())
        self._waiting.append(request)
        return await request.answers

    def _run(self) -> None:
        """Answer those who have waited longest; the others in the loop's next turn, so that answers go out between."""
        requests: list[Waiting] = []
        room = LARGEST_RUN
        while self._waiting and len(self._waiting[0].pixels) <= room:
            request = self._waiting.popleft()
            if not request.answers.done():  # its client may have given up
                requests.append(request)
                room -= len(request.pixels)
        if requests:
            self._answer(requests)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)

    def _answer(self, requests: list[Waiting]) -> None:
        try:
            answers = self._work(np.concatenate([request.pixels for request in requests], dtype=np.float32))
        except Exception as error:
            if len(requests) == 1:
                requests[0].answers.set_exception(error)
            else:
                for request in requests:  # it may be one's fault, of which the others shall know nothing
                    self._answer([request])
            return
        end = 0
        for request in requests:
            begin, end = end, end + len(request.pixels)
            request.answers.set_result(answers[begin:end])
