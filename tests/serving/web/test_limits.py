import asyncio
import threading
import time

import pytest

from serving.errors import ApiError
from serving.web import limits
from serving.web.limits import BoundedPool


def statuses(line, seconds, count):
    async def run():
        await line.run(time.sleep, seconds)  # from which it learns how long a turn takes
        began = time.perf_counter()
        results = await asyncio.gather(*(line.run(time.sleep, seconds) for _ in range(count)), return_exceptions=True)
        return [
            error.status if isinstance(error, ApiError) else error for error in results
        ], time.perf_counter() - began

    return asyncio.run(run())


def test_who_would_wait_too_long_is_refused_at_once_and_the_others_are_served_in_time(monkeypatch):
    monkeypatch.setattr(limits, "LONGEST_WAIT_S", 0.2)
    results, took = statuses(BoundedPool(2), 0.1, 20)
    assert 2 <= results.count(None) <= 8
    assert set(results) == {None, 503}
    assert took < 1


def test_quick_turns_are_all_taken():
    results, _ = statuses(BoundedPool(2), 0.001, 100)
    assert set(results) == {None}


def test_who_gives_up_waiting_or_fails_leaves_no_trace():
    async def run():
        line = BoundedPool(1)
        with pytest.raises(ZeroDivisionError):
            await line.run(divmod, 1, 0)
        working = asyncio.create_task(line.run(time.sleep, 0.1))
        waiting = asyncio.create_task(line.run(time.sleep, 0.1))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        assert await asyncio.wait_for(line.run(divmod, 7, 2), 1) == (3, 1)
        return line.wait_s

    assert asyncio.run(run()) == 0


def test_who_gives_up_waiting_for_work_leaves_its_place_taken_until_it_is_done():
    done = threading.Event()

    async def run():
        line = BoundedPool(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.run(done.wait, 5), 0.05)
        next_one = asyncio.create_task(line.run(time.perf_counter))
        await asyncio.sleep(0.1)
        assert not next_one.done()
        done.set()
        await asyncio.wait_for(next_one, 5)

    asyncio.run(run())


def test_however_short_the_turns_only_so_many_wait(monkeypatch):
    monkeypatch.setattr(limits, "LONGEST_WAIT_S", 60)
    results, _ = statuses(BoundedPool(2), 0.0001, limits.MAX_WAITING + 20)
    assert results.count(503) == 19  # who is at work does not wait
