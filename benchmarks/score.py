"""How quick is scoring in bulk beside ONNX Runtime in process, and do its speed and memory stay as images grow more?

    python -m benchmarks.score [--images 1000000] [--few 100000] [--workers 2] [--results benchmarks/score.json]

Scores digits of the validation set, repeated, by the command itself, first few and then many. The reference, before,
between and after, is the same model on the same bytes with nothing around it: in as many processes at once, a thread
each, in batches of whichever size is quickest. Start-up is told apart. Ends with status 1 where a bar is missed. Takes
a minute for each 600,000 images on two cores.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.bars import Bar, hold
from benchmarks.machine import processor
from pipeline.data.store import load_split
from pipeline.paths import PROCESSED
from pipeline.scoring import answers, champion
from serving.model.recogniser import Recogniser

RESULTS = Path("benchmarks/score.json")
BATCHES = (100, 500)
"""Sizes that the reference tries: what is quickest here, and what the service takes at most."""
REFERENCE = 10_000
SAMPLED_S = 0.25
FLAT = 1.1
"""Processor time per image, and memory, may grow by so much from few images to many."""


class Reference(NamedTuple):
    """What an image takes ONNX Runtime alone, in microseconds of the processor and of the clock."""

    cpu_us: float
    wall_us: float


def write(images: np.ndarray, count: int, path: Path) -> None:
    """Write so many of the images, again and again from the first on, into an array."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28))
    for start in range(0, count, len(images)):
        array[start : start + len(images)] = images[: count - start]
    array.flush()


def alone(task: tuple[Path, np.ndarray, int]) -> Reference:
    """One process of the reference: images, uint8 [N, 28, 28], in batches of a size."""
    path, images, size = task
    recogniser = Recogniser(path)
    recogniser.look(images[:size].astype(np.float32))
    cpu, wall = time.process_time(), time.perf_counter()
    for start in range(0, len(images), size):
        recogniser.look(images[start : start + size].astype(np.float32))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Reference(cpu / len(images) * 1e6, wall / len(images) * 1e6)


def reference(path: Path, images: np.ndarray, workers: int) -> Reference:
    """The mean of so many processes at once, with the batches that are quickest."""
    pixels = np.resize(images, (REFERENCE, 28, 28))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        found = [
            Reference(*np.mean(pool.map(alone, [(path, pixels, size)] * workers, chunksize=1), axis=0).tolist())
            for size in BATCHES
        ]
    return min(found, key=lambda one: one.cpu_us)


def command(given: Path, output: Path, model: Path, workers: int) -> dict[str, Any]:
    """What a run of the command took, the bytes of its answers, and the most memory that it had, in MB."""
    call = [sys.executable, "-m", "pipeline.score", str(given), str(output), "--model", str(model)]
    with subprocess.Popen([*call, "--workers", str(workers)], stdout=subprocess.DEVNULL) as process:
        most = 0.0
        while process.poll() is None:
            most = max(most, megabytes(process.pid))
            time.sleep(SAMPLED_S)
    if process.returncode:
        sys.exit(f"The command ended with status {process.returncode}.")
    took: dict[str, Any] = json.loads((output / "summary.json").read_text(encoding="utf-8"))["run"]
    written = sum(path.stat().st_size for path in (output / answers.FOLDER).rglob("*.parquet"))
    return {
        **took,
        "cpu_us": took["cpu_s"] / took["images"] * 1e6,
        "wall_us_per_core": (took["seconds"] - took["start_up_s"]) / took["images"] * workers * 1e6,
        "memory_mb": round(most),
        "bytes_written": written / took["images"],
    }


def megabytes(pid: int) -> float:
    """The memory that a process and all that it started have for themselves."""
    total = 0
    try:
        for one in (process := psutil.Process(pid)), *process.children(recursive=True):
            memory = one.memory_info()
            total += memory.rss - getattr(memory, "shared", 0)
    except psutil.Error:  # one that ended as it was looked at
        pass
    return total / 1e6


def measured(images: np.ndarray, model: Path, few: int, many: int, workers: int, folder: Path) -> dict[str, Any]:
    """Score few images and many, between three references."""
    references, runs = [reference(model, images, workers)], {}
    for count in (few, many):
        given, output = folder / f"{count}.npy", folder / str(count)
        write(images, count, given)
        runs[str(count)] = command(given, output, model, workers)
        given.unlink()
        references.append(reference(model, images, workers))
    cpu_us, wall_us = np.mean(references, axis=0).tolist()
    return {
        "processor": processor(),
        "workers": workers,
        "ONNX Runtime": {"cpu_us": cpu_us, "wall_us_per_core": wall_us, "runs": [one._asdict() for one in references]},
        "runs": runs,
    }


def report(found: dict[str, Any]) -> bool:
    """Print what was measured, and say whether the bars are held."""
    few, many = found["runs"].values()
    alone = found["ONNX Runtime"]
    table = Table(
        "", "ONNX Runtime alone", *(f"{int(count):,} images" for count in found["runs"]), title="An image takes"
    )
    table.add_row("processor, µs", *(f"{one['cpu_us']:.1f}" for one in (alone, few, many)))
    table.add_row("clock and core, µs", *(f"{one['wall_us_per_core']:.1f}" for one in (alone, few, many)))
    table.add_row("start-up, s", "", *(f"{one['start_up_s']:.1f}" for one in (few, many)))
    table.add_row("memory, MB", "", *(f"{one['memory_mb']:,}" for one in (few, many)))
    Console().print(table)
    return hold(
        "In bulk",
        [
            Bar("speed by processor time, of ONNX Runtime's", alone["cpu_us"] / many["cpu_us"], least=0.9),
            Bar("speed by clock and core", alone["wall_us_per_core"] / many["wall_us_per_core"], least=0.9),
            Bar("processor time per image, many to few", many["cpu_us"] / few["cpu_us"], most=FLAT),
            Bar("memory, many to few", many["memory_mb"] / few["memory_mb"], most=FLAT),
        ],
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    images = load_split(PROCESSED, "val")[0]
    with tempfile.TemporaryDirectory(prefix="score-") as place:
        model = Path(place) / answers.MODEL
        model.write_bytes(champion.find("mnist"))
        found = measured(images, model, options.few, options.images, options.workers, Path(place))
    options.results.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.exit(not report(found))


if __name__ == "__main__":
    main()
