"""Clients who never pause."""

import asyncio
import time
from collections import Counter

import uvloop

from benchmarks import soak


def insist(url, message, seconds):
    """How often 40 clients who never pause are given each status."""
    statuses: Counter[int] = Counter()

    async def work():
        client = soak.Client(url)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, _ = await client.ask(message)
            statuses[status] += 1

    async def run():
        await asyncio.gather(*(work() for _ in range(40)))

    uvloop.run(run())
    return statuses
