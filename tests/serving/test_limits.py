import asyncio
import time

import pytest

from serving import limits
from serving.errors import ApiError
from serving.limits import Line


async def turn(line, seconds):
    async with line:
        await asyncio.sleep(seconds)


def statuses(line, seconds, count):
    async def run():
        await turn(line, seconds)  # from which it learns how long a turn takes
        began = time.perf_counter()
        results = await asyncio.gather(*(turn(line, seconds) for _ in range(count)), return_exceptions=True)
        return [
            error.status if isinstance(error, ApiError) else error for error in results
        ], time.perf_counter() - began

    return asyncio.run(run())


def test_who_would_wait_too_long_is_refused_at_once_and_the_others_are_served_in_time(monkeypatch):
    monkeypatch.setattr(limits, "LONGEST_WAIT_S", 0.2)
    results, took = statuses(Line(2), 0.1, 20)
    assert 2 <= results.count(None) <= 8
    assert set(results) == {None, 503}
    assert took < 1


def test_quick_turns_are_all_taken():
    results, _ = statuses(Line(2), 0.001, 100)
    assert set(results) == {None}


def test_who_gives_up_waiting_or_fails_leaves_no_trace():
    async def run():
        line = Line(1)
        with pytest.raises(ZeroDivisionError):
            async with line:
                raise ZeroDivisionError
        async with line:
            waiting = asyncio.create_task(turn(line, 0))
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(turn(line, 0), 1)
        return line.wait_s

    assert asyncio.run(run()) == 0
