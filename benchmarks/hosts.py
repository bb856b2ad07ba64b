"""Does anybody who asks notice it when one of two hosts is killed, and when the other is restarted?

    python -m benchmarks.hosts [--bento FOLDER] [--rate 100] [--seconds 8]

Two Bentos behind nginx, as deploy/nginx.conf has it, are asked at a steady rate. Meanwhile one gets SIGKILL, with all
its processes, and is started again; then the other gets SIGTERM, as in a restart, and is started again. A request that
was sent must be answered rightly, or be told by 503 when to come back; the bars allow none of the latter either. Ends
with status 1 where one is missed. Needs Debian's nginx-light, and takes a minute.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bars import Bar, hold
from benchmarks.pictures import encode, resized
from benchmarks.serving import OCTETS, champion, is_ready
from pipeline import guard, serve
from pipeline.audits.inputs.strokes import STYLES, draw

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIG = Path(__file__).parent.parent / "deploy/nginx.conf"
LISTEN, UPSTREAMS = "127.0.0.1:8080", ("127.0.0.1:3000", "127.0.0.1:3001")  # as the configuration has them
PATIENCE_S = 20.0
START_S = 60.0
LONGEST_S = 5.0  # what nginx waits for one host's answer, and then the other's
ANSWERED, TOLD, LOST = "answered", "told to come back", "lost"


class Host:
    """One of the hosts: a Bento on a port of its own, which can be started there again."""

    def __init__(self, bento: Path, home: Path) -> None:
        self.port = serve.free_port("127.0.0.1")
        self.url = serve.url_of("127.0.0.1", self.port)
        self.home = home
        self._bento = bento
        self._process: subprocess.Popen[bytes] | None = None
        home.mkdir()

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self._process = serve.begin(self._bento, "127.0.0.1", self.port, self.home, log)

    def await_ready(self) -> None:
        """Raises ServeError where it stops, or is not ready within a minute."""
        deadline = time.monotonic() + START_S
        while not is_ready(f"{self.url}/readyz"):
            if not self._process or self._process.poll() is not None or time.monotonic() > deadline:
                raise serve.ServeError((self.home / "log").read_text(encoding="utf-8", errors="replace")[-3000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """End all its processes at once, as a machine does that loses its power."""
        if self._process:
            guard.kill(self._process.pid)
            self._process.wait()
            self._process = None

    def drain(self) -> int:
        """Ask it to end, and say with which status it did."""
        assert self._process
        self._process.terminate()
        status = self._process.wait(PATIENCE_S)
        self._process = None
        return status


@contextlib.contextmanager
def two_hosts(bento: Path, folder: Path) -> Iterator[list[Host]]:
    """Two hosts of `bento`, ready to answer."""
    hosts = [Host(bento, folder / name) for name in ("first", "second")]
    try:
        for host in hosts:
            host.start()
        for host in hosts:
            host.await_ready()
        yield hosts
    finally:
        for host in hosts:
            host.kill()


@contextlib.contextmanager
def proxied(ports: Sequence[int], folder: Path) -> Iterator[str]:
    """nginx before two hosts on these ports, and its URL. Its files, access.log among them, are in `folder`."""
    port = serve.free_port("127.0.0.1")
    places = dict(zip((LISTEN, *UPSTREAMS), (port, *ports), strict=True))
    text = CONFIG.read_text(encoding="utf-8")
    for place, own in places.items():
        text = text.replace(f" {place}", f" 127.0.0.1:{own}")
    folder.mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(text, encoding="utf-8")
    as_root = " user root;" if os.geteuid() == 0 else ""  # or its workers were nobody's, to whom the folder is closed
    url = f"http://127.0.0.1:{port}"
    with (folder / "error.log").open("wb") as log:
        process = subprocess.Popen(
            [str(NGINX), "-p", str(folder.absolute()), "-c", str(config.absolute()), "-g", f"daemon off;{as_root}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        while not is_listening(port):
            if process.poll() is not None:
                raise serve.ServeError(f"nginx wrote:\n{(folder / 'error.log').read_text(encoding='utf-8')}")
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@dataclass(frozen=True)
class Question:
    """A request for a digit, and the digit that is right, as one host alone answered."""

    path: str
    kind: str
    body: bytes
    digit: object


def questions(url: str, rng: np.random.Generator) -> list[Question]:
    """Some drawn digits as pixels and as PNG, with what the host at `url` answers."""
    made = []
    for style in STYLES.values():
        drawing = draw(style, rng)
        for path, kind, body in (
            ("/predict_pixels", OCTETS, resized(255 - drawing, 28).tobytes()),
            ("/predict", "image/png", encode(drawing)),
        ):
            response = httpx.post(f"{url}{path}", content=body, headers={"Content-Type": kind}, trust_env=False)
            made.append(Question(path, kind, body, digit_of(response.json())))
    return made


def digit_of(answer: dict[str, object]) -> object:
    predictions = answer.get("predictions")
    [one] = predictions if isinstance(predictions, list) else [answer]
    return one["digit"]


@dataclass
class Asked:
    """What became of the requests, in the order of their answers: the phase in which each was sent, what came of it,
    and the seconds that took. failures: in words."""

    phase: str = "both"
    phases: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return self.outcomes.count(outcome)


@contextlib.contextmanager
def asking(url: str, asked: Sequence[Question], rate: float) -> Iterator[Asked]:
    """Ask `rate` times a second while the context lasts, in a thread, whatever comes of it; then wait for the rest."""
    found, done = Asked(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask_steadily(url, asked, rate, found, done)))
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


async def _ask_steadily(url: str, asked: Sequence[Question], rate: float, found: Asked, done: threading.Event) -> None:
    async def ask(client: httpx.AsyncClient, question: Question) -> None:
        phase, began = found.phase, time.perf_counter()
        try:
            response = await client.post(question.path, content=question.body, headers={"Content-Type": question.kind})
            outcome = outcome_of(response, question.digit)
            told = f"{response.status_code} {response.text}"
        except httpx.HTTPError as error:
            outcome, told = LOST, repr(error)
        found.phases.append(phase)
        found.outcomes.append(outcome)
        found.seconds.append(time.perf_counter() - began)
        if outcome != ANSWERED:
            found.failures.append(told)

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    began = time.perf_counter()
    async with (
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            if done.is_set():
                return
            group.create_task(ask(client, asked[number % len(asked)]))


def outcome_of(response: httpx.Response, digit: object) -> str:
    """What an answer counts as; an answer with another digit than the right one is lost, as one without any is."""
    if response.status_code == 200 and digit_of(response.json()) == digit:
        return ANSWERED
    if response.status_code == 503 and "retry-after" in response.headers and "error" in response.json():
        return TOLD
    return LOST


def retried(access_log: Path) -> int:
    """How many of the requests in nginx's log went to both hosts."""
    lines = access_log.read_text(encoding="utf-8").splitlines()
    return sum("," in json.loads(line)["hosts"] for line in lines)


def trouble(hosts: Sequence[Host], asked: Asked, seconds: float) -> int:
    """Kill the first host, then drain the second, with `seconds` before, between and after. The drain's status."""
    first, second = hosts
    time.sleep(seconds)
    asked.phase = "first killed"
    first.kill()
    time.sleep(seconds)
    asked.phase = "first back"
    first.start()
    first.await_ready()
    time.sleep(seconds)
    asked.phase = "second drains"
    status = second.drain()
    time.sleep(seconds)
    asked.phase = "second back"
    second.start()
    second.await_ready()
    time.sleep(seconds)
    return status


def report(asked: Asked, again: int, status: int) -> bool:
    """Print what became of the requests; say whether all bars are held."""
    table = Table(title=f"{len(asked.outcomes):,} requests, of which {again} went to both hosts")
    for column in ("while", "asked", ANSWERED, TOLD, LOST, "p50 ms", "p99 ms", "longest ms"):
        table.add_column(column, justify="left" if column == "while" else "right")
    for phase in dict.fromkeys(asked.phases):
        rows = [row for row, one in enumerate(asked.phases) if one == phase]
        counts = Counter(asked.outcomes[row] for row in rows)
        waits = np.percentile([asked.seconds[row] for row in rows], (50, 99, 100)) * 1000
        numbers = (len(rows), *(counts[outcome] for outcome in (ANSWERED, TOLD, LOST)), *waits)
        table.add_row(phase, *(f"{number:,.0f}" for number in numbers))
    Console().print(table)
    for told, times in Counter(asked.failures).most_common(5):
        Console().print(f"{times} times: {told}", markup=False)
    return hold(
        "One host killed, the other drained",
        [
            Bar("requests without an answer, or with a wrong one", asked.count(LOST), most=0),
            Bar("requests told to come back", asked.count(TOLD), most=0),
            Bar("longest wait, s", max(asked.seconds), most=LONGEST_S),
            Bar("status of the host that drained", status, most=0),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hosts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each phase lasts at least")
    options = parser.parse_args()
    if not NGINX:
        sys.exit("hosts: there is no nginx here; Debian has it in the package nginx-light.")
    bento = options.bento or champion()
    with tempfile.TemporaryDirectory(dir=serve.state(), prefix="hosts-") as folder:
        try:
            with (
                two_hosts(bento, Path(folder)) as hosts,
                proxied([host.port for host in hosts], Path(folder) / "nginx") as url,
            ):
                right = questions(hosts[0].url, np.random.default_rng(0))
                with asking(url, right, options.rate) as asked, Console().status("Killing one, draining the other"):
                    status = trouble(hosts, asked, options.seconds)
            held = report(asked, retried(Path(folder) / "nginx/access.log"), status)
        except serve.ServeError as error:
            sys.exit(f"hosts: a server did not start: {error}")
    sys.exit(not held)


if __name__ == "__main__":
    main()
