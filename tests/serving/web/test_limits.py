import asyncio
import os
import sys
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_a_pool_that_gives_way_has_threads_of_less_priority():
    def nice():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert asyncio.run(BoundedPool(1, giving_way=True).run(nice)) == nice() + limits.NICENESS
    assert asyncio.run(BoundedPool(1).run(nice)) == nice()


def test_a_pool_is_taken_while_all_its_threads_are_at_work():
    async def run():
        pool = BoundedPool(2)
        taken = [pool.taken]
        for _ in range(2):
            turn = asyncio.create_task(pool.run(time.sleep, 0.2))
            await asyncio.sleep(0.01)
            taken.append(pool.taken)
        await turn
        return [*taken, pool.taken]

    assert asyncio.run(run()) == [False, False, True, False]
