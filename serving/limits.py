"""How much the service takes on: a line that refuses whoever would have to wait too long."""

import asyncio
import time
from types import TracebackType

from serving.errors import ApiError

LONGEST_WAIT_S = 0.5
MEMORY = 0.9  # how much of the estimate of a turn's length stays when another turn has ended


class Line:
    """A semaphore for `places` at once. Raises ApiError 503 where the wait would be longer than LONGEST_WAIT_S."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._count = places
        self._present = 0
        self._turn_s = 0.0
        self._began: dict[asyncio.Task[object] | None, float] = {}

    @property
    def wait_s(self) -> float:
        """How long the next one would wait, by what the last turns took."""
        return max(0, self._present + 1 - self._count) * self._turn_s / self._count

    @property
    def full(self) -> bool:
        return self.wait_s > LONGEST_WAIT_S

    async def __aenter__(self) -> None:
        if self.full:
            raise ApiError.of_status(503)
        self._present += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._present -= 1
            raise
        self._began[asyncio.current_task()] = time.perf_counter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = time.perf_counter() - self._began.pop(asyncio.current_task())
        self._turn_s = took if not self._turn_s else MEMORY * self._turn_s + (1 - MEMORY) * took
        self._present -= 1
        self._places.release()
