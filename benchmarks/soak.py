"""Does the service stay what it is over many requests, good and bad? Its memory, and what it answers.

    python -m benchmarks.soak [--requests 200000] [--bento FOLDER]

The service runs on one processor and the load on another. Ends with status 1 where a bar is missed. Needs Linux and two
processors; 200,000 requests take about five minutes.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import struct
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from benchmarks import load
from benchmarks.bars import Bar, hold
from benchmarks.pictures import encode, resized
from benchmarks.serving import JSON, OCTETS, bento_service, champion, megabytes, require_two_processors, served
from pipeline.audits.inputs.strokes import STYLES, draw
from serving.contract import MAX_BODY_BYTES, MAX_HEADER_BYTES

CLIENTS = 8
SAMPLES = 100  # of the memory, evenly over the requests
WARM_UP = 20  # samples until the memory is taken to be what it stays
WINDOW = 10  # samples that are compared: those after the warm-up with the last
MEGABYTES = 20.0
SEED = 0

Rng = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of request: how many in a thousand, the statuses that are right, and the bytes of the next one."""

    share: float
    right: set[int]
    make: Callable[[], bytes]


@dataclass
class Tally:
    """What was answered to the requests of each kind: statuses (0: none) and seconds; and the memory on the way."""

    statuses: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    megabytes: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Megabytes that the service has grown by since it was warm."""
        warm, last = self.megabytes[WARM_UP : WARM_UP + WINDOW], self.megabytes[-WINDOW:]
        return statistics.median(last) - statistics.median(warm)


def kinds(url: str, rng: Rng) -> dict[str, Kind]:
    """All that is asked of the service at `url`."""

    def post(path: str, body: bytes, kind: str = OCTETS) -> bytes:
        return load.request(url, path, body, kind)

    def one_of(messages: list[bytes]) -> Callable[[], bytes]:
        return lambda: messages[rng.integers(len(messages))]

    def always(message: bytes) -> Callable[[], bytes]:
        return lambda: message

    def get(path: str) -> Callable[[], bytes]:
        return always(load.request(url, path))

    def as_json(rows: object) -> bytes:
        return json.dumps({"pixels": rows, "scale": "0-255"}).encode()

    drawings = [draw(style, rng) for style in STYLES.values()]
    images = [resized(255 - drawing, 28) for drawing in drawings]
    small = [encode(image) for image in images]
    large = [encode(drawing) for drawing in drawings]
    photos = [encode(resized(drawing, 640), "JPEG") for drawing in drawings]
    damaged = [damage(file, rng) for file in small + large for _ in range(5)]
    rows = images[0].tolist()
    numbers = itertools.count()
    form = "multipart/form-data; boundary=b"
    field_of_form = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n--b--\r\n'
    host = load.request(url, "/predict", method="POST").removesuffix(b"\r\n")
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"

    ok = {200}
    return {
        "pixels, raw": Kind(250, ok, one_of([post("/predict_pixels", image.tobytes()) for image in images])),
        "pixels, JSON": Kind(80, ok, one_of([post("/predict_pixels", as_json(i.tolist()), JSON) for i in images])),
        "pixels, 100 images": Kind(20, ok, always(post("/predict_pixels", images[0].tobytes() * 100))),
        "pixels, prepared": Kind(20, ok, one_of([post("/predict_prepared", image.tobytes()) for image in images])),
        "small PNG": Kind(100, ok, one_of([post("/predict", file, "image/png") for file in small])),
        "small PNG in a form": Kind(
            50, ok, one_of([post("/predict", field_of_form % (b"image", file), form) for file in small])
        ),
        "PNG of 280 pixels": Kind(30, ok, one_of([post("/predict", file) for file in large])),
        "JPEG of 640 pixels": Kind(10, ok, one_of([post("/predict", file) for file in photos])),
        "blank paper": Kind(20, ok, always(post("/predict", encode(np.full((60, 60), 255, np.uint8))))),
        "explanation": Kind(3, ok, one_of([post("/explain", file) for file in small])),
        "page": Kind(10, ok, get("/")),
        "script": Kind(10, ok, get("/page/main.js")),
        "model": Kind(20, ok, get("/model")),
        "probes": Kind(30, ok, one_of([load.request(url, path) for path in ("/livez", "/readyz", "/healthz")])),
        "metrics": Kind(5, ok, get("/metrics")),
        "docs": Kind(2, ok, get("/docs.json")),
        "no image": Kind(50, {415}, always(post("/predict", b"This is no image."))),
        "damaged PNG": Kind(50, {200, 400, 413, 415}, one_of([post("/predict", file) for file in damaged])),
        "image of 900 megapixels": Kind(10, {413}, always(post("/predict", bomb()))),
        "bad form": Kind(20, {400}, always(post("/predict", field_of_form % (b"picture", small[0]), form))),
        "other type": Kind(20, {415}, always(post("/predict_pixels", b"<x/>", "application/xml"))),
        "bytes that are no images": Kind(30, {422}, always(post("/predict_pixels", bytes(785)))),
        "too many images": Kind(3, {413}, always(post("/predict_pixels", bytes(784 * 1001)))),
        "bad JSON": Kind(30, {400}, always(post("/predict_pixels", b'{"pixels": [[0, ', JSON))),
        "numbers out of range": Kind(30, {422}, always(post("/predict_pixels", as_json([[-1] * 28] * 28), JSON))),
        "rows missing": Kind(20, {422}, always(post("/predict_pixels", as_json(rows[:27]), JSON))),
        "unknown path": Kind(60, {404}, lambda: load.request(url, f"/{next(numbers)}/{rng.bytes(8).hex()}")),
        "other method": Kind(20, {405}, get("/predict")),
        "large body, declared": Kind(
            10, {413}, always(host + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1) + bytes(50_000))
        ),
        "large body, in chunks": Kind(
            1, {413}, always(host + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * (MAX_BODY_BYTES // len(chunk) + 1))
        ),
        "no HTTP": Kind(4, {400}, always(b"nonsense\r\n\r\n")),
        "large headers": Kind(2, {431}, always(host + b"A: b\r\n" * MAX_HEADER_BYTES)),
    }


def damage(file: bytes, rng: Rng) -> bytes:
    """The file with a few bytes of it exchanged, and its end cut off in one case of four."""
    damaged = np.frombuffer(file, np.uint8).copy()
    places = rng.integers(0, len(damaged), 3)
    damaged[places] = rng.integers(0, 256, 3)
    return damaged.tobytes()[: rng.integers(1, len(file)) if rng.random() < 0.25 else None]


def bomb() -> bytes:
    """A PNG that promises 30,000 by 30,000 pixels."""

    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(bytes(9999))) + part(b"IEND", b"")


class Client:
    """Asks one request after another, on a new connection where the service has closed the old one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: load.Connection | None = None

    async def ask(self, message: bytes) -> tuple[int, float]:
        """The answer's status, 0 if there was none, and its seconds."""
        if self._connection is None or not self._connection.is_open:
            self._connection = await load.connect(self._url, self._note)
        self._answer: asyncio.Future[tuple[int, float]] = asyncio.get_running_loop().create_future()
        self._connection.ask(message)
        return await self._answer

    def _note(self, connection: load.Connection, status: int, seconds: float) -> None:
        self._answer.set_result((status, seconds))


async def soak(
    url: str, all_kinds: dict[str, Kind], count: int, memory: Callable[[], float], done: Callable[[int], None]
) -> Tally:
    """Ask the service at `url` so many times, CLIENTS at a time; `done` is told how often it has been asked."""
    rng = np.random.default_rng(SEED)
    shares = np.array([kind.share for kind in all_kinds.values()])
    order = rng.choice(list(all_kinds), count, p=shares / shares.sum())
    places = {count * sample // SAMPLES for sample in range(1, SAMPLES + 1)}
    tally = Tally()
    requests: Iterator[tuple[int, str]] = enumerate(order.tolist(), 1)

    async def work() -> None:
        client = Client(url)
        for number, name in requests:
            status, seconds = await client.ask(all_kinds[name].make())
            tally.statuses[name][status] += 1
            tally.seconds[name].append(seconds)
            if number in places:
                tally.megabytes.append(memory())
                done(number)

    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return tally


def report(tally: Tally, all_kinds: dict[str, Kind]) -> bool:
    """Print what was answered and how the memory went; say whether all bars are held."""
    answers = Table(title="Answers")
    for column in ("", "requests", "p50 ms", "p99 ms", "statuses (wrong ones)"):
        answers.add_column(column, justify="right" if column.endswith("s") else "left")
    wrong = 0
    for name, statuses in tally.statuses.items():
        right = all_kinds[name].right
        wrong += sum(number for status, number in statuses.items() if status not in right)
        told = (f"{status}: {n:,}" if status in right else f"({status}: {n:,})" for status, n in statuses.items())
        times = (f"{np.percentile(tally.seconds[name], share) * 1000:,.1f}" for share in (50, 99))
        answers.add_row(name, f"{statuses.total():,}", *times, ", ".join(told))
    console = Console()
    console.print(answers)
    first, warm, last = (tally.megabytes[place] for place in (0, WARM_UP, -1))
    most = max(tally.megabytes)
    console.print(f"Memory: {first:.0f} MB at first, {warm:.0f} once warm, {most:.0f} at most, {last:.0f} at last.")
    total = sum(tally.statuses.values(), Counter[int]())
    return hold(
        f"{total.total():,} requests",
        [
            Bar("answers with a status of 500 or more", sum(n for status, n in total.items() if status >= 500), most=0),
            Bar("answers that are wrong, or missing", wrong, most=0),
            Bar("megabytes grown by since the warm-up", tally.growth, most=MEGABYTES),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200_000, help=f"how many, {SAMPLES} or more")
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    options = parser.parse_args()
    require_two_processors()
    service = bento_service(options.bento or champion())
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with served(service) as url, Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=options.requests)
        all_kinds = kinds(url, np.random.default_rng(SEED))
        tally = uvloop.run(
            soak(
                url,
                all_kinds,
                options.requests,
                lambda: megabytes(service.process),
                lambda number: progress.update(task, completed=number),
            )
        )
    sys.exit(not report(tally, all_kinds))


if __name__ == "__main__":
    main()
