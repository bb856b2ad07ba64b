"""How long does it take to switch a unit off, and what do other requests wait meanwhile?

    python -m benchmarks.without [--bento FOLDER] [--seconds 5]

Raw pixels are asked for at a steady rate, by turns alone and beside somebody who switches unit after unit off without a
pause (`POST /without`: the answer, and that to 500 test digits). The service runs on one processor and the load on
another. Ends with status 1 where the bar is missed. Needs Linux and two processors, and takes less than a minute.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bars import Bar, hold
from benchmarks.pictures import encode, resized
from benchmarks.serving import OCTETS, bento_service, champion, require_two_processors, served
from pipeline.audits.inputs.strokes import STYLES, draw

RATE = 150  # requests a second
ROUNDS = 4
UNITS = 8  # of the first layer, switched off in turn
SHARES = (50, 99, 100)  # of the waits, in percent
WITHIN_MS = 300


async def asked(client: httpx.AsyncClient, path: str, body: bytes, kind: str) -> float:
    """The milliseconds that an answer takes. Raises HTTPStatusError where there is none."""
    began = time.perf_counter()
    (await client.post(path, content=body, headers={"Content-Type": kind})).raise_for_status()
    return (time.perf_counter() - began) * 1000


async def steadily(client: httpx.AsyncClient, body: bytes, seconds: float) -> list[float]:
    """The waits of raw pixels, one after the other at a steady rate."""
    waits = []
    began = time.perf_counter()
    for number in range(int(seconds * RATE)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        waits.append(await asked(client, "/predict_pixels", body, OCTETS))
    return waits


async def switching(client: httpx.AsyncClient, picture: bytes, done: asyncio.Event) -> list[float]:
    """The waits of one switch-off after the other, until ``done``."""
    waits: list[float] = []
    while not done.is_set():
        waits.append(await asked(client, f"/without?off=0.{len(waits) % UNITS}", picture, "image/png"))
    return waits


async def measured(url: str, seconds: float) -> dict[str, list[float]]:
    """Waits in milliseconds: of pixels alone, of those beside switch-offs, and of these."""
    drawing = draw(STYLES["plain two"], np.random.default_rng(0))
    pixels, picture = resized(255 - drawing, 28).tobytes(), encode(drawing)
    waits: dict[str, list[float]] = {"pixels alone": [], "pixels beside switch-offs": [], "switch-offs": []}
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
        await asked(client, "/without?off=0.0", picture, "image/png")
        for _ in range(ROUNDS):
            waits["pixels alone"] += await steadily(client, pixels, seconds)
            done = asyncio.Event()
            other = asyncio.create_task(switching(client, picture, done))
            waits["pixels beside switch-offs"] += await steadily(client, pixels, seconds)
            done.set()
            waits["switch-offs"] += await other
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.without", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each turn lasts")
    options = parser.parse_args()
    require_two_processors()
    with served(bento_service(options.bento or champion())) as url:
        waits = asyncio.run(measured(url, options.seconds))
    table = Table("", "asked", "p50 ms", "p99 ms", "longest ms", title="Waits")
    for what, found in waits.items():
        table.add_row(what, f"{len(found):,}", *(f"{np.percentile(found, share):.2f}" for share in SHARES))
    Console().print(table)
    bar = Bar("a unit is switched off, p99 in ms", float(np.percentile(waits["switch-offs"], 99)), most=WITHIN_MS)
    sys.exit(not hold("Switched off", [bar]))


if __name__ == "__main__":
    main()
