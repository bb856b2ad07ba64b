"""How fast the service answers, held against the plain way, FastAPI, bare ASGI and the network alone, in the same run.

    python -m benchmarks.serving [NETWORK ...]      without names: the champion and the perceptron

The services run on one processor and the load on another, one after the other, in rounds; ratios are medians over the
rounds. Needs Linux, two processors, and that the pipeline has run.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured, measure, request
from pipeline import package, params, serve
from pipeline.paths import CANDIDATES
from serving.model.recogniser import Recogniser

NETWORKS = ["best", "perceptron"]
ROUNDS = 3
SECONDS = 4.0
CONCURRENCY = 16
BULK = 1000
OCTETS, JSON = "application/octet-stream", "application/json"
SERVERS, LOAD = 0, 1  # the processors


@dataclass
class Service:
    """One way to serve: how it is started, where, and what that cost."""

    command: Callable[[int], list[str]]
    ready: str
    environ: dict[str, str]
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    start_s: list[float] = field(default_factory=list)
    megabytes: float = 0.0


@contextmanager
def served(service: Service) -> Iterator[str]:
    """Start it on its processor and give its URL once it answers; this process goes to the other processor."""
    port = serve.free_port("127.0.0.1")
    service.url = f"http://127.0.0.1:{port}"
    serve.STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=serve.STATE, prefix="bench-") as home:
        os.sched_setaffinity(0, {SERVERS})  # which what is started now inherits
        began = time.perf_counter()
        process = subprocess.Popen(
            service.command(port),
            env={**serve.environment(Path(home)), **service.environ},
            stdin=subprocess.DEVNULL,
            stdout=(Path(home) / "log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        os.sched_setaffinity(0, {LOAD})
        try:
            while not is_ready(service.url + service.ready):
                if process.poll() is not None:
                    log = (Path(home) / "log").read_text(encoding="utf-8", errors="replace")
                    sys.exit(f"{' '.join(service.command(port))} stopped:\n{log[-2000:]}")
                time.sleep(0.02)
            service.start_s.append(time.perf_counter() - began)
            service.process = process
            yield service.url
            service.megabytes = megabytes(process)
        finally:
            serve.stop(process)


def family(process: subprocess.Popen[bytes] | None) -> list[psutil.Process]:
    """A server and the processes that it started."""
    assert process
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


def megabytes(process: subprocess.Popen[bytes] | None) -> float:
    """Resident memory of a server and the processes that it started."""
    return sum(member.memory_info().rss for member in family(process)) / 1e6


def cpu_s(process: subprocess.Popen[bytes] | None) -> float:
    return sum(sum(member.cpu_times()[:2]) for member in family(process))


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def bento_service(bento: Path) -> Service:
    """The Bento in the folder `bento`, as `make serve` serves it."""
    return Service(lambda port: serve.command(bento, "127.0.0.1", port), "/readyz", {})


def champion(source: str | None = None) -> Path:
    """The Bento of the champion of a source, params.yaml's if none is named. Ends the command where there is none."""
    try:
        return serve.find(source or params.load("data.source"))
    except serve.ServeError as error:
        sys.exit(f"There is nothing to ask: {error}.")


def services(bento: Path, name: str, model: Path) -> dict[str, Service]:
    def plain(port: int) -> list[str]:
        place = ["--host", "127.0.0.1", "--port", str(port)]
        return [sys.executable, "-m", "bentoml", "serve", "benchmarks.plain_service:Plain", *place]

    def uvicorn(app: str, *options: str) -> Callable[[int], list[str]]:
        def command(port: int) -> list[str]:
            place = ["--host", "127.0.0.1", "--port", str(port)]
            return [sys.executable, "-m", "uvicorn", f"benchmarks.{app}:app", *place, *options]

        return command

    file = {"MODEL": str(model)}
    return {
        "ours": bento_service(bento),
        "plain": Service(plain, "/readyz", {"NETWORK": name}),
        "fastapi": Service(uvicorn("fastapi_service"), "/openapi.json", file),
        "fastapi, no log": Service(uvicorn("fastapi_service", "--no-access-log"), "/openapi.json", file),
        "asgi": Service(uvicorn("asgi_service", "--no-access-log"), "/", file),
    }


def bodies(image: np.ndarray) -> dict[str, tuple[str, str, bytes, str]]:
    """What is asked: the service, the path, the body and its type."""
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    rows = image.tolist()
    return {
        "plain": ("plain", "/predict", json.dumps({"image": rows}).encode(), JSON),
        "fastapi": ("fastapi", "/predict_pixels", image.tobytes(), OCTETS),
        "fastapi, no log": ("fastapi, no log", "/predict_pixels", image.tobytes(), OCTETS),
        "asgi": ("asgi", "/predict_pixels", image.tobytes(), OCTETS),
        "raw": ("ours", "/predict_pixels", image.tobytes(), OCTETS),
        "json": ("ours", "/predict_pixels", json.dumps({"pixels": rows, "scale": "0-255"}).encode(), JSON),
        "png": ("ours", "/predict", png.getvalue(), "image/png"),
    }


@dataclass
class Round:
    """One round: what was measured at CONCURRENCY and alone, and an answer's processor time, by what was asked; images
    per second in bulk."""

    many: dict[str, Measured] = field(default_factory=dict)
    cpu_us: dict[str, float] = field(default_factory=dict)
    alone: dict[str, Measured] = field(default_factory=dict)
    bulk: float = 0.0
    bulk_in_process: float = 0.0


def one_round(all_services: dict[str, Service], images: np.ndarray, recogniser: Recogniser) -> Round:
    result = Round()
    asked = bodies(images[0])
    for name, service in all_services.items():
        with served(service) as url:
            for what, (by, path, body, kind) in asked.items():
                if by == name:
                    message = request(url, path, body, kind)
                    before = cpu_s(service.process)
                    result.many[what] = measured = measure(url, message, CONCURRENCY, SECONDS)
                    result.cpu_us[what] = (cpu_s(service.process) - before) / measured.total * 1e6
                    result.alone[what] = measure(url, message, 1, SECONDS / 2)
            if name == "ours":
                empty = request(url, "/nowhere")
                result.alone["empty"] = measure(url, empty, 1, SECONDS / 2)
                bulk = request(url, "/predict_pixels", images[:BULK].tobytes(), OCTETS)
                result.bulk = measure(url, bulk, 1, SECONDS).rate * BULK
    result.bulk_in_process = in_process(recogniser, images)
    return result


def in_process(recogniser: Recogniser, images: np.ndarray) -> float:
    """Images per second of ONNX Runtime alone, in batches of BULK, on the services' processor."""
    os.sched_setaffinity(0, {SERVERS})
    batch = {"pixels": images[:BULK].astype(np.float32)}
    session = recogniser._session
    session.run(None, batch)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS / 2:
        session.run(None, batch)
        count += BULK
    return count / (time.perf_counter() - began)


def single_ms(recogniser: Recogniser, image: np.ndarray) -> float:
    """How long one prediction takes in process."""
    os.sched_setaffinity(0, {SERVERS})
    pixels = image[None].astype(np.float32)
    took = []
    for _ in range(500):
        began = time.perf_counter()
        recogniser.predict(pixels)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def report(title: str, rounds: list[Round], all_services: dict[str, Service], prediction_ms: float) -> None:
    def ratio(of: Callable[[Round], float]) -> float:
        return statistics.median(of(one) for one in rounds)

    def faster(what: str, than: str) -> float:
        return ratio(lambda one: one.many[what].rate / one.many[than].rate)

    console = Console()
    speeds = Table(title=f"{title}: {CONCURRENCY} at a time, medians of {len(rounds)} rounds")
    for column in ("", "answers/s", "p50 ms", "p99 ms", "longest ms", "alone p50 ms", "processor µs"):
        speeds.add_column(column, justify="right" if column else "left")
    for what in rounds[0].many:
        values = [
            ratio(lambda one, what=what: one.many[what].rate),  # type: ignore[misc]
            *(ratio(lambda one, what=what, q=q: one.many[what].percentile(q)) for q in (50, 99, 100)),  # type: ignore[misc]
            ratio(lambda one, what=what: one.alone[what].percentile(50)),  # type: ignore[misc]
        ]
        cpu = ratio(lambda one, what=what: one.cpu_us[what])  # type: ignore[misc]
        speeds.add_row(what, f"{values[0]:,.0f}", *(f"{value:.2f}" for value in values[1:]), f"{cpu:,.0f}")
    console.print(speeds)

    alone = ratio(lambda one: one.alone["raw"].percentile(50) - one.alone["empty"].percentile(50)) - prediction_ms
    bars = Table(title="Ratios")
    for column in ("", "measured", "bar"):
        bars.add_column(column, justify="right" if column else "left")
    bars.add_row("raw bytes, times the plain way", f"{faster('raw', 'plain'):.1f}", "8")
    bars.add_row("raw bytes, times FastAPI + ONNX Runtime", f"{faster('raw', 'fastapi'):.2f}", "1")
    bars.add_row("the same, FastAPI's access log off", f"{faster('raw', 'fastapi, no log'):.2f}", "")
    bars.add_row("raw bytes, times bare ASGI + ONNX Runtime", f"{faster('raw', 'asgi'):.2f}", "1.3")
    bars.add_row("JSON, times the plain way", f"{faster('json', 'plain'):.1f}", "3")
    bars.add_row("PNG, times the plain way", f"{faster('png', 'plain'):.1f}", "3")
    bars.add_row(
        "raw bytes, p99 over p50",
        f"{ratio(lambda one: one.many['raw'].percentile(99) / one.many['raw'].percentile(50)):.1f}",
        "3",
    )
    bars.add_row("raw bytes, longest pause, ms", f"{ratio(lambda one: one.many['raw'].percentile(100)):.0f}", "20")
    bars.add_row("alone, ms beyond the prediction and an empty request", f"{alone:.2f}", "1")
    bars.add_row(
        "bulk, share of ONNX Runtime in process", f"{ratio(lambda one: one.bulk / one.bulk_in_process):.2f}", "0.8"
    )
    for name in ("ours", "plain", "fastapi", "asgi"):
        service = all_services[name]
        cost = f"{statistics.median(service.start_s):.1f} s, {service.megabytes:.0f} MB"
        bars.add_row(f"{name}: ready after, memory under load", cost, "")
    failed = sum(measured.failed for one in rounds for measured in one.many.values())
    bars.add_row("answers that were no answer", str(failed), "0")
    console.print(bars)
    console.print(f"One prediction takes {prediction_ms:.3f} ms in process.")


def require_two_processors() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("The benchmark wants two processors: one for the services, one for the load.")


def main(names: list[str]) -> None:
    require_two_processors()
    images = np.load(package.IMAGES)
    for name in names:
        model = CANDIDATES / name / "model.onnx"
        recogniser = Recogniser(model)
        serve.STATE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=serve.STATE, prefix="bench-") as workplace:
            bento = package.build(model, package.SERVING, Path(workplace))
            all_services = services(bento, recogniser.name, model)
            rounds = [one_round(all_services, images, recogniser) for _ in range(ROUNDS)]
        report(f"Serving {recogniser.name}", rounds, all_services, single_ms(recogniser, images[0]))


if __name__ == "__main__":
    main(sys.argv[1:] or NETWORKS)
