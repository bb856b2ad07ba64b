"""Micro-batching: requests that wait at the same moment are answered by one run of the network.

A network's weights are read from memory once a run, however many images it is given: eight together take half the time
of eight alone. Nobody waits for others to come: the run is due in the event loop's next turn, and takes whoever has
come by then.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from serving import errors
from serving.web.limits import MAX_WAITING

MICRO_BATCH = 8  # images of one run, from where on larger runs save nothing more and only make a longer pause

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Result = TypeVar("Result")


class Waiting(NamedTuple):
    """A request's images, and where their results are awaited."""

    pixels: Pixels
    results: asyncio.Future[list[Any]]


class MicroBatcher(Generic[Result]):
    """Runs `predict`, from float32 [N, 28, 28] to N results, for several requests at a time."""

    def __init__(self, predict: Callable[[NDArray[np.float32]], list[Result]]) -> None:
        self._predict = predict
        self._waiting: deque[Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def capacity(self) -> int:
        """How many requests more may wait."""
        return MAX_WAITING - self.waiting

    async def run(self, pixels: Pixels) -> list[Result]:
        """A result for each of `pixels`, [n, 28, 28] in 0..255, n up to MICRO_BATCH.

        Raises ApiError 503 where too many wait, and what `predict` raises for them.
        """
        if not self.capacity:
            raise errors.OVERLOADED()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._run_batch)
        request = Waiting(pixels, loop.create_future())
        self._waiting.append(request)
        results: list[Result] = await request.results
        return results

    def _run_batch(self) -> None:
        """Answer those who have waited longest; the others in the loop's next turn, so that answers go out between."""
        batch: list[Waiting] = []
        free = MICRO_BATCH
        while self._waiting and len(self._waiting[0].pixels) <= free:
            request = self._waiting.popleft()
            if not request.results.done():  # its client may have given up
                batch.append(request)
                free -= len(request.pixels)
        if batch:
            self._answer(batch)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run_batch)

    def _answer(self, batch: list[Waiting]) -> None:
        try:
            results = self._predict(np.concatenate([request.pixels for request in batch], dtype=np.float32))
        except Exception as error:
            if len(batch) == 1:
                batch[0].results.set_exception(error)
            else:
                for request in batch:  # it may be one's fault, of which the others shall know nothing
                    self._answer([request])
            return
        end = 0
        for request in batch:
            begin, end = end, end + len(request.pixels)
            request.results.set_result(results[begin:end])
