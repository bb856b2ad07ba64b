"""What would it take to score a billion images? A model, from what `python -m benchmarks.score` measured.

    python -m benchmarks.billion [--images 1000000000] [--cores 64] [--read-mb-s 100] [--network-gbit 10] [--price 0.05]

A core reads a shard's images, then scores and writes them, so that the two times add up; the nodes' network carries
what all their cores read and write at once, and is the limit where that takes longer. Nothing of it was measured
beyond one machine: the assumptions are the options.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.score import RESULTS

PIXELS = 784
WRITTEN = 60
"""Bytes of an answer's numbers, not compressed."""


class Estimate(NamedTuple):
    """Of all images: what is read and written, in GB; core-hours of scoring and of waiting for what is read; hours that
    it takes in all, and those that the network alone would; the price; and what decides how long it takes."""

    read_gb: float
    written_gb: float
    scoring_core_hours: float
    reading_core_hours: float
    hours: float
    network_hours: float
    price: float
    decides: str


def estimate(measured: dict[str, Any], asked: argparse.Namespace) -> Estimate:
    """What so many images take by the measured figures and the assumptions."""
    most = max(measured["runs"].values(), key=lambda run: run["images"])
    read, written = asked.images * asked.bytes, asked.images * asked.written
    scoring = asked.images * most["wall_us_per_core"] / 1e6 / 3600
    reading = read / (asked.read_mb_s * 1e6) / 3600
    nodes = -(-asked.cores // asked.node_cores)
    network = (read + written) * 8 / (nodes * asked.network_gbit * 1e9) / 3600
    working = (scoring + reading) / asked.cores
    hours = max(working, network) + most["start_up_s"] / 3600
    decides = "network" if network > working else "scoring" if scoring > reading else "reading"
    price = hours * nodes * asked.node_cores * asked.price
    return Estimate(read / 1e9, written / 1e9, scoring, reading, hours, network, price, decides)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.billion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, what in (
        ("--images", 1_000_000_000, "how many"),
        ("--cores", 64, "of all nodes"),
        ("--node-cores", 16, "of one node"),
        ("--bytes", PIXELS, "of an image as it is read"),
        ("--written", WRITTEN, "bytes of an answer; the benchmark's own repeat and take fewer"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{what} (default: %(default)s)")
    for name, amount, what in (
        ("--read-mb-s", 100.0, "that the store gives a core"),
        ("--network-gbit", 10.0, "a second, of one node"),
        ("--price", 0.05, "of a core-hour, in dollars"),
    ):
        parser.add_argument(name, type=float, default=amount, help=f"{what} (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="what was measured")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    asked = arguments(argv)
    if not asked.results.exists():
        sys.exit(f"There is no {asked.results}: measure first, by `python -m benchmarks.score`")
    found = estimate(json.loads(asked.results.read_text(encoding="utf-8")), asked)
    table = Table(title=f"{asked.images:,} images on {asked.cores} cores", show_header=False)
    table.add_row("read, written", f"{found.read_gb:,.0f} GB, {found.written_gb:,.0f} GB")
    table.add_row("scoring", f"{found.scoring_core_hours:,.1f} core-hours")
    table.add_row(f"reading, {asked.read_mb_s:g} MB/s a core", f"{found.reading_core_hours:,.1f} core-hours")
    table.add_row(f"network alone, {asked.network_gbit:g} Gbit/s a node", f"{found.network_hours * 60:,.1f} minutes")
    table.add_row("in all, start-up included", f"{found.hours * 60:,.1f} minutes: {found.decides} decides")
    table.add_row(f"price, {asked.price:g} $ a core-hour", f"{found.price:,.2f} $")
    Console().print(table)


if __name__ == "__main__":
    main()
