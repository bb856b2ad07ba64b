"""SIGTERM: for a moment who is connected is served and newcomers are turned away, then the server stops."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.web import drain
from serving.web.drain import Drain

DRAIN_S = 0.1
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can turn newcomers away")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The signals that reached what SIGTERM did before, which stands again after the test."""
    monkeypatch.setattr(drain, "DRAIN_S", DRAIN_S)
    reached: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: reached.append(number))
    yield reached
    in_loop(lambda _: asyncio.sleep(0))  # all that listen in this process are welcoming again
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def in_loop(steps: Callable[[Drain], Any]) -> None:
    """Install it in a loop and go through steps there."""

    async def run() -> None:
        own = Drain()
        own.install()
        await steps(own)

    asyncio.run(run())


def reaches(listener: socket.socket) -> bool:
    """Whether a newcomer gets through: the kernel answers, or drops what was sent."""
    try:
        with socket.create_connection(listener.getsockname(), timeout=0.05):
            return True
    except TimeoutError:
        return False


def test_the_server_stops_only_after_the_moment_and_once(stopped):
    async def steps(own: Drain) -> None:
        assert not own.begun
        began = asyncio.get_running_loop().time()
        terminate()
        assert own.begun
        while not stopped:
            await asyncio.sleep(0.01)
            terminate()
        assert asyncio.get_running_loop().time() - began >= DRAIN_S
        await asyncio.sleep(2 * DRAIN_S)

    in_loop(steps)
    assert stopped == [signal.SIGTERM]


def test_what_the_server_ignores_is_ignored_still(stopped):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    async def steps(own: Drain) -> None:
        terminate()
        await asyncio.sleep(2 * DRAIN_S)
        assert not own.begun

    in_loop(steps)
    assert stopped == []


@on_linux
def test_newcomers_are_turned_away_and_who_is_connected_is_not(stopped, listener):
    async def steps(own: Drain) -> None:
        assert reaches(listener)
        listener.accept()[0].close()
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as served:
            terminate()
            assert not reaches(listener)
            client.settimeout(1)
            served.sendall(b"answer")
            assert client.recv(6) == b"answer"

    in_loop(steps)


@on_linux
def test_a_successor_on_the_same_socket_welcomes_them_again(stopped, listener):
    async def turn_away(own: Drain) -> None:
        terminate()
        assert not reaches(listener)

    async def welcome(own: Drain) -> None:
        assert reaches(listener)

    in_loop(turn_away)
    in_loop(welcome)


@on_linux
def test_it_leaves_no_descriptor_open(stopped, listener):
    async def steps(own: Drain) -> None:
        before = list(Path("/proc/self/fd").iterdir())
        Drain().install()
        assert len(list(Path("/proc/self/fd").iterdir())) == len(before)

    in_loop(steps)
