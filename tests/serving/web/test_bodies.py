import asyncio

import pytest

from serving.errors import ApiError
from serving.web import bodies
from serving.web.bodies import Bodies, ClientGoneError


def read(held, messages, headers=()):
    async def run():
        queue: asyncio.Queue = asyncio.Queue()
        for message in messages:
            queue.put_nowait(message)
        with held.hold() as body:
            return await body.read({"headers": headers}, queue.get)

    return asyncio.run(run())


def chunk(content, more=True):
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_is_counted_while_it_is_held_and_no_longer():
    held = Bodies()
    with held.hold() as body:
        assert asyncio.run(body.read({"headers": []}, lambda: asyncio.sleep(0, chunk(b"abc", False)))) == b"abc"
        assert held.held == 3
    assert held.held == 0


@pytest.mark.parametrize(
    ("messages", "headers"),
    [([chunk(b"a" * 6), chunk(b"b" * 6)], []), ([], [(b"content-length", b"11")])],
)
def test_what_is_too_large_is_refused_by_what_was_declared_and_by_what_came(monkeypatch, messages, headers):
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 10)
    held = Bodies()
    with pytest.raises(ApiError) as caught:
        read(held, messages, headers)
    assert caught.value.status == 413
    assert held.held == 0


@pytest.fixture
def tight(monkeypatch):
    """There is room for ten bytes, a body has eight at most, and one of more than four is not small."""
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 8)
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 10)
    monkeypatch.setattr(bodies, "SMALL_BODY_BYTES", 4)
    monkeypatch.setattr(bodies, "LONGEST_WAIT_S", 0.05)


@pytest.mark.usefixtures("tight")
def test_bodies_together_are_bounded_but_for_small_ones():
    held = Bodies()
    with held.hold() as first:
        asyncio.run(first.read({"headers": []}, lambda: asyncio.sleep(0, chunk(b"a" * 8, False))))
        with pytest.raises(ApiError) as caught:
            read(held, [chunk(b"b" * 8, False)])
        assert read(held, [chunk(b"b" * 4, False)]) == b"b" * 4
    assert caught.value.status == 503
    assert read(held, [chunk(b"b" * 8, False)]) == b"b" * 8


@pytest.mark.usefixtures("tight")
def test_who_was_let_in_gets_to_the_end_and_the_next_is_told_before_it_sends():
    async def run():
        held = Bodies()
        arrived: asyncio.Queue = asyncio.Queue()
        with held.hold() as first, held.hold() as second:
            eight = {"headers": [(b"content-length", b"8")]}
            reading = asyncio.create_task(first.read(eight, arrived.get))
            await asyncio.sleep(0)
            with pytest.raises(ApiError) as caught:
                await asyncio.wait_for(second.read(eight, asyncio.Queue().get), 5)
            for last in (False, True):
                arrived.put_nowait(chunk(b"abcd", not last))
            return await reading, caught.value.status

    assert asyncio.run(run()) == (b"abcdabcd", 503)


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"8")]])
def test_a_body_waits_for_room_rather_than_be_refused(monkeypatch, headers):
    monkeypatch.setattr(bodies, "LONGEST_WAIT_S", 5)

    async def run():
        held = Bodies()
        queue: asyncio.Queue = asyncio.Queue()
        for content in (b"b" * 4, b"b" * 4):
            queue.put_nowait(chunk(content))
        queue.put_nowait(chunk(b"", False))
        with held.hold() as second:
            with held.hold() as first:
                await first.read({"headers": []}, lambda: asyncio.sleep(0, chunk(b"a" * 8, False)))
                reading = asyncio.create_task(second.read({"headers": headers}, queue.get))
                await asyncio.sleep(0.05)
                assert not reading.done()
            return await reading

    assert asyncio.run(run()) == b"b" * 8


@pytest.mark.usefixtures("tight")
def test_bodies_that_declare_nothing_do_not_wait_for_each_other(monkeypatch):
    """Each has come in part, and there is no room for both wholes: one goes on, and then the other."""
    monkeypatch.setattr(bodies, "LONGEST_WAIT_S", 5)

    async def run():
        held = Bodies()
        queues: list[asyncio.Queue] = [asyncio.Queue(), asyncio.Queue()]

        async def one(queue):
            with held.hold() as body:
                return await body.read({"headers": []}, queue.get)

        reading = [asyncio.create_task(one(queue)) for queue in queues]
        for part in (chunk(b"abcde"), chunk(b"fg"), chunk(b"h", False)):
            for queue in queues:
                queue.put_nowait(part)
            await asyncio.sleep(0.01)
        return await asyncio.wait_for(asyncio.gather(*reading), 1), held.held

    assert asyncio.run(run()) == ([b"abcdefgh"] * 2, 0)


@pytest.mark.usefixtures("tight")
def test_what_was_set_aside_in_vain_is_free_once_a_body_is_complete():
    async def run():
        held = Bodies()
        queue: asyncio.Queue = asyncio.Queue()
        for part in (chunk(b"abcde"), chunk(b"", False)):
            queue.put_nowait(part)
        with held.hold() as body:
            await body.read({"headers": []}, queue.get)
            return held.held

    assert asyncio.run(run()) == 5


def test_who_hangs_up_is_gone():
    with pytest.raises(ClientGoneError):
        read(Bodies(), [chunk(b"a"), {"type": "http.disconnect"}])
