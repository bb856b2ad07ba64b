"""Does the service answer as many as it can when it is asked for three times as much?

    python -m benchmarks.overload [--bento FOLDER] [--seconds 10]

Its capacity is what it answers to a few clients who each wait for their answer. Then requests arrive at a rate of their
own, as from many clients who know nothing of one another: each on a connection that is idle, of which there are enough
as long as whoever cannot be answered is told so at once; what finds none is not asked. What counts are good answers
within the deadline. The service runs on one processor and the load on another. Ends with status 1 where a bar is
missed. Needs Linux and two processors, and takes about a minute.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks import load
from benchmarks.bars import Bar, hold
from benchmarks.pictures import encode, resized
from benchmarks.serving import CONCURRENCY, OCTETS, bento_service, champion, require_two_processors, served
from pipeline.audits.inputs.strokes import STYLES, draw
from serving.web.deadlines import ANSWER_DEADLINE_S

TIMES = (1, 3)  # the capacity
WARM_UP_S = 2.0
GOODPUT = 0.8
OFFERED = 0.95  # of what was meant to be asked; with less, the load is too slow to say anything
TICK_S = 0.001
SHARES = (50, 99, 100)  # of the waits, in percent
CONNECTIONS = 400


@dataclass(frozen=True)
class Flood:
    """What became of requests that arrived at a rate: how many arrived a second, how many were answered well and in
    time a second; seconds: float [N], from the arrival to each good answer; statuses: of all, 0 for none."""

    offered: float
    goodput: float
    seconds: np.ndarray
    statuses: Counter[int]


def flood(url: str, message: bytes, rate: float, seconds: float) -> Flood:
    """Ask `rate` times a second, whatever comes of it, for so long after a warm-up that does not count."""

    async def run() -> Flood:
        idle: deque[load.Connection] = deque()
        took: list[float] = []
        statuses: Counter[int] = Counter()
        good = 0

        def answered(connection: load.Connection, status: int, wait: float) -> None:
            nonlocal good
            statuses[status] += 1
            if status == 200:
                took.append(wait)
                good += wait <= ANSWER_DEADLINE_S
            if connection.is_open:
                idle.append(connection)

        def arrive() -> bool:
            while idle:
                connection = idle.popleft()
                if connection.is_open:
                    connection.ask(message)
                    return True
            return False

        async def arrivals(for_s: float) -> int:
            """Let requests arrive evenly; says how many were asked in time."""
            began, tried, asked = time.perf_counter(), 0, 0
            while (passed := time.perf_counter() - began) < for_s:
                for _ in range(min(int(passed * rate) - tried, int(rate * 10 * TICK_S) + 1)):
                    tried += 1
                    asked += arrive()
                await asyncio.sleep(TICK_S)
            return asked

        connections = [await load.connect(url, answered) for _ in range(CONNECTIONS)]
        idle.extend(connections)
        await arrivals(WARM_UP_S)
        took.clear()
        statuses.clear()
        good = 0
        began = time.perf_counter()
        count = await arrivals(seconds)
        passed = time.perf_counter() - began
        found = Flood(count / passed, good / passed, np.array(took), statuses.copy())
        for connection in connections:
            connection.close()
        await asyncio.wait([connection.closed for connection in connections], timeout=10)
        return found

    return uvloop.run(run())


def messages(url: str) -> dict[str, bytes]:
    """What is asked: an answer that costs little more than its request, and one that costs much more."""
    drawing = draw(STYLES["plain two"], np.random.default_rng(0))
    return {
        "28x28 pixels as bytes": load.request(url, "/predict_pixels", resized(255 - drawing, 28).tobytes(), OCTETS),
        "a PNG of 280x280": load.request(url, "/predict", encode(drawing), "image/png"),
    }


def report(what: str, capacity: load.Measured, floods: dict[int, Flood]) -> bool:
    """Print what became of the requests; say whether all bars are held."""
    table = Table(title=f"{what}: capacity {capacity.rate:,.0f} a second, {CONCURRENCY} at a time")
    for column in ("arrivals", "a second", "good answers a second", "p50 ms", "p99 ms", "longest ms", "statuses"):
        table.add_column(column, justify="right")
    for times, one in floods.items():
        waits = [f"{np.percentile(one.seconds, share) * 1000:,.0f}" if one.seconds.size else "" for share in SHARES]
        told = ", ".join(f"{status}: {number:,}" for status, number in sorted(one.statuses.items()))
        table.add_row(f"{times} times", f"{one.offered:,.0f}", f"{one.goodput:,.0f}", *waits, told)
    Console().print(table)
    most = max(floods)
    longest = float(floods[most].seconds.max(initial=0))
    others = sum(number for status, number in floods[most].statuses.items() if status not in (200, 503))
    return hold(
        f"At {most} times the capacity",
        [
            Bar("arrivals, share of those meant", floods[most].offered / (most * capacity.rate), least=OFFERED),
            Bar("good answers, share of the capacity", floods[most].goodput / capacity.rate, least=GOODPUT),
            Bar("longest wait for a good answer, s", longest, most=ANSWER_DEADLINE_S),
            Bar("neither answered nor told to come back", others, most=0),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each rate lasts")
    options = parser.parse_args()
    require_two_processors()
    held = []
    with served(bento_service(options.bento or champion())) as url:
        for what, message in messages(url).items():
            capacity = load.measure(url, message, CONCURRENCY, options.seconds, WARM_UP_S)
            floods = {times: flood(url, message, times * capacity.rate, options.seconds) for times in TIMES}
            held.append(report(what, capacity, floods))
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
