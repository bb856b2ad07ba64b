"""Are the answers the same where workers are killed and a node goes away while images are scored in bulk?

    python -m benchmarks.score_chaos [--images 300000] [--kills 20] [--seed 0] [--results benchmarks/score_chaos.json]

Scores digits of the validation set, repeated, once in one process, and once on a Ray cluster of two nodes of a
processor each, of whose workers one is killed by SIGKILL whenever a further part of the work is done; halfway the
second node goes away for good. Which worker it is and when, a seed says. Ends with status 1 where a row differs. Takes
about two minutes.
"""

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from pipeline.data.store import load_split
from pipeline.paths import PROCESSED
from pipeline.scoring import answers, champion, engine

RESULTS = Path("benchmarks/score_chaos.json")
FILES = 60
"""Into so many arrays the images are written, a shard each."""
AGENT = "Agent"
"""What a node's own processes are called, without which it ends."""
PATIENCE_S = 240.0
POLL_S = 0.05


class Cluster:
    """A Ray cluster on this machine: a head and a second node, of one processor each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        self.nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self.second = self.nodes.add_node(num_cpus=1)
        self.address = str(self.nodes.address)

    def workers(self) -> list[psutil.Process]:
        """All processes that work for the nodes, in the order in which they began."""
        found = [one for one in psutil.Process().children(recursive=True) if is_worker(one)]
        return sorted(found, key=lambda one: (one.create_time(), one.pid))

    def lose_second(self) -> None:
        """End the second node at once."""
        self.nodes.remove_node(self.second, allow_graceful=False)


def is_worker(process: psutil.Process) -> bool:
    """Whether a process does a task or is an actor of Ray's, or waits for one to do."""
    try:
        name = "".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and name.startswith("ray::") and not name.endswith(AGENT)
    except psutil.Error:
        return False


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster that only this process and its children know the secret of, stopped when the context ends."""
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    engine.prepare()
    made = Cluster()
    try:
        yield made
    finally:
        made.nodes.shutdown()


def write(images: np.ndarray, count: int, folder: Path) -> None:
    """Write so many of the images, again and again from the first on, into FILES arrays."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(count), FILES)):
        np.save(folder / f"{number:02}.npy", images[part % len(images)])


def scored(given: Path, output: Path, model: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """Begin the command."""
    command = [sys.executable, "-m", "pipeline.score", str(given), str(output), "--model", str(model), *options]
    return subprocess.Popen(
        command, env=os.environ | environment, encoding="utf-8", stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )


def struck(nodes: Cluster, run: subprocess.Popen[str], output: Path, kills: int, seed: int) -> list[dict[str, Any]]:
    """Kill one worker after another as the work goes on, and halfway a node. Returns what was done when."""
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(FILES - 4), min(kills, FILES - 4)))
    dealt: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_S
    while moments and run.poll() is None and time.monotonic() < deadline:
        done = sum(1 for _ in (output / answers.FOLDER).glob("*.parquet"))
        if done < moments[0] or not (workers := nodes.workers()):
            time.sleep(POLL_S)
            continue
        moments.pop(0)
        victim = chance.choice(workers)
        name = "".join(victim.cmdline())
        victim.kill()
        dealt.append({"shards done": done, "killed": name})
        if len(dealt) == kills // 2:
            nodes.lose_second()
            dealt.append({"shards done": done, "killed": "the second node"})
    return dealt


def trial(images: np.ndarray, count: int, model: Path, kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Score the images in one process and under blows, and compare."""
    given, calm, output = folder / "in", folder / "calm", folder / "struck"
    write(images, count, given)
    with scored(given, calm, model, "--workers", "0") as run:
        _, said = run.communicate(timeout=PATIENCE_S)
    if run.returncode:
        sys.exit(said)
    with cluster() as nodes, scored(given, output, model, RAY_ADDRESS=nodes.address) as run:
        try:
            dealt = struck(nodes, run, output, kills, seed)
            _, said = run.communicate(timeout=PATIENCE_S)
        finally:
            run.kill()
    found = [answers.hash_of_files(one) for one in (calm, output)] if run.returncode == 0 else ["", said]
    return {"images": count, "seed": seed, "blows": dealt, "rows_sha256": found[0], "same": found[0] == found[1]}


def report(found: dict[str, Any], kills: int) -> bool:
    """Print what came of it, and say whether all blows were dealt and nothing was lost."""
    dealt = len(found["blows"])
    same = "the same rows as in one process" if found["same"] else "NOT the rows of one process"
    Console().print(f"{found['images']:,} images, {dealt} blows, one of them to a node: {same}.")
    return bool(found["same"]) and dealt == kills + 1


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.score_chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=300_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="which workers are killed, and when")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="score-") as place:
        folder = Path(place)
        model = folder / answers.MODEL
        model.write_bytes(champion.find("mnist"))
        images = load_split(PROCESSED, "val")[0]
        found = trial(images, options.images, model, options.kills, options.seed, folder)
    options.results.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.exit(not report(found, options.kills))


if __name__ == "__main__":
    main()
