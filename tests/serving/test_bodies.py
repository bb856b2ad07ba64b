import asyncio

import pytest

from serving import bodies
from serving.bodies import Bodies, ClientGoneError
from serving.errors import ApiError


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


def test_bodies_together_are_bounded(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 10)
    held = Bodies()
    with held.hold() as first:
        asyncio.run(first.read({"headers": []}, lambda: asyncio.sleep(0, chunk(b"a" * 8, False))))
        with pytest.raises(ApiError) as caught:
            read(held, [chunk(b"b" * 8, False)])
    assert caught.value.status == 503
    assert read(held, [chunk(b"b" * 8, False)]) == b"b" * 8


def test_who_hangs_up_is_gone():
    with pytest.raises(ClientGoneError):
        read(Bodies(), [chunk(b"a"), {"type": "http.disconnect"}])
