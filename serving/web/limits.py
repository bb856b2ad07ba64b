"""How much the service takes on: a pool of threads that refuses whoever would have to wait too long."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar, TypeVarTuple

from serving import errors

LONGEST_WAIT_S = 0.5
MAX_WAITING = 128  # requests, however short their turns: far fewer than there may be connections
NICENESS = 5  # more than others', of a thread that gives way to them
SMOOTHING = 0.9  # how much of the estimate of a turn's length stays when another turn has ended

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class BoundedPool:
    """Threads that do at most `workers` things at once."""

    def __init__(self, workers: int, giving_way: bool = False) -> None:
        """giving_way: to all other threads, where the system has priorities of single threads."""
        self._threads = ThreadPoolExecutor(workers, initializer=_give_way) if giving_way else None
        self._free = asyncio.Semaphore(workers)
        self._workers = workers
        self._present = 0
        self._turn_s = 0.0

    @property
    def wait_s(self) -> float:
        """How long the next one would wait, by what the last turns took."""
        return max(0, self._present + 1 - self._workers) * self._turn_s / self._workers

    @property
    def taken(self) -> bool:
        """Whether the next one would wait at all."""
        return self._present >= self._workers

    @property
    def full(self) -> bool:
        return self.wait_s > LONGEST_WAIT_S or self._present > MAX_WAITING

    async def run(self, work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """What `work` returns, when it is its turn. A thread cannot be stopped: whoever gives up waiting for it leaves
        its worker taken until it is done, or there would soon be more at work than workers.

        Raises ApiError 503 where the pool is full, and what `work` raises.
        """
        if self.full:
            raise errors.OVERLOADED()
        self._present += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._present -= 1
            raise
        began = time.perf_counter()
        turn = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        turn.add_done_callback(lambda _: self._leave(time.perf_counter() - began))
        return await asyncio.shield(turn)

    def _leave(self, took: float) -> None:
        self._turn_s = took if not self._turn_s else SMOOTHING * self._turn_s + (1 - SMOOTHING) * took
        self._present -= 1
        self._free.release()


def _give_way() -> None:
    with suppress(OSError):  # a system without priorities of single threads
        thread = os.PRIO_PROCESS, threading.get_native_id()
        os.setpriority(*thread, os.getpriority(*thread) + NICENESS)
