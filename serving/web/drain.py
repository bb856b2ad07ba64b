"""Leaving in order: after SIGTERM the service answers on for a moment and asks each client to go, then it stops.

A server that closes an idle connection in the moment in which a request arrives on it loses that request; one that
stops listening loses the connections that wait to be taken. So, where the system can (Linux), new connections are
turned away first, by a filter on the listening socket that drops their first packet.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

DRAIN_S = 1.0

ATTACH_FILTER, DETACH_FILTER = 26, 27  # of Linux's <asm-generic/socket.h>
NO_NEWCOMERS = (  # a socket filter: drop a packet whose TCP flags have SYN without ACK
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # unless SYN is the only one, skip the next
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
)


class Drain:
    def __init__(self) -> None:
        self.begun = False

    def install(self) -> None:
        """Put the moment before what SIGTERM does now. Called in the event loop, in the main thread."""
        loop = asyncio.get_running_loop()
        stop = signal.getsignal(signal.SIGTERM)
        _welcome_newcomers(True)  # whom a predecessor on the same socket may have turned away

        def begin(number: int, frame: FrameType | None) -> None:
            if not self.begun and callable(stop):
                self.begun = True
                _welcome_newcomers(False)
                loop.call_soon_threadsafe(loop.call_later, DRAIN_S, stop, number, frame)

        signal.signal(signal.SIGTERM, begin)


def _welcome_newcomers(welcome: bool) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in NO_NEWCOMERS))
    program = struct.pack("HP", len(NO_NEWCOMERS), ctypes.addressof(code))
    option, value = (DETACH_FILTER, 0) if welcome else (ATTACH_FILTER, program)
    for listener in _listeners():
        with contextlib.suppress(OSError):  # there is none to detach
            listener.setsockopt(socket.SOL_SOCKET, option, value)


def _listeners() -> Iterator[socket.socket]:
    """The TCP sockets on which this process listens, which it inherited."""
    for entry in filter(Path.is_socket, Path("/proc/self/fd").glob("*")):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as found:
            of_tcp = found.family in (socket.AF_INET, socket.AF_INET6)
            if of_tcp and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found
