"""Leaving in order: after SIGTERM the service answers on for a moment, asking each client to go elsewhere.

A server that closes an idle connection in the moment in which a request arrives on it loses that request.
"""

import asyncio
import signal
from types import FrameType

DRAIN_S = 1.0


class Drain:
    def __init__(self) -> None:
        self.begun = False

    def install(self) -> None:
        """Put the moment before what SIGTERM does now. Called in the event loop, in the main thread."""
        loop = asyncio.get_running_loop()
        stop = signal.getsignal(signal.SIGTERM)

        def begin(number: int, frame: FrameType | None) -> None:
            if not self.begun and callable(stop):
                self.begun = True
                loop.call_soon_threadsafe(loop.call_later, DRAIN_S, stop, number, frame)

        signal.signal(signal.SIGTERM, begin)
