"""Train one network on several hosts at once, by torchrun: run this on each of them.

    python -m pipeline.nodes convnet --node-rank 0 --master-addr 192.0.2.10     on the host that has this address
    python -m pipeline.nodes convnet --node-rank 1 --master-addr 192.0.2.10     on the other

What is run is the stage's own command, with params.yaml as it stands: train.trainer says how many hosts there are
(num_nodes), how many processes each has (devices), and that they share the work (strategy: ddp). Host 0 tracks the
training in MLflow, keeps its checkpoints and writes models/trained/NAME. Where a host is lost the others end within a
minute; the same commands go on from the last epoch. docs/nodes.md tells what a host needs.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, distributed

from pipeline import ending, params
from pipeline.params import ParamsError
from pipeline.paths import RESUME
from pipeline.tracking.runkey import inputs

PORT = 29500
"""torchrun's own choice; the hosts watch each other by the next one."""
JOIN_S = 600.0
"""For which a host waits for the others to begin."""
BEAT_S = 1.0
SILENCE_S = 15.0
"""Without a sign of life from a host, after which it is taken for lost."""
ALONE_BEATS = 5
"""After which a training that lost its peers is believed: a peer that failed itself says so before."""
STOP_S = 10.0
CHECKPOINT = "last.ckpt"
QUIET = {"TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONUNBUFFERED": "1"}
AGAIN = "Run the same command again on every host: it goes on from the last epoch"
LOST_PEER = "/gloo/transport/"
"""In the error of a process to which another of the training does not answer."""
FIRST_FAILURE = re.compile(r"Root Cause.*?\(local_rank: (\d+)\)\s+exitcode\s*: (-?\d+)", re.DOTALL)
"""In torchrun's report: the process that failed first, of those on this host, and its status."""
RUNNING, DONE, FAILED, CUT_OFF = range(4)
"""How a host's part of the training stands; CUT_OFF where it failed for want of the others."""


class NodesError(Exception):
    """The hosts cannot train together, or no longer; the message says why and what to do."""


class Hosts:
    """The hosts that train together, each a process of torch's own group, with its store for words.

    Each method is one that all hosts call, and raises NodesError where one of them gives no sign of life.

    Args:
        rank: of this one, among ``count``.
        address, port: of host 0.
    """

    def __init__(self, rank: int, count: int, address: str, port: int) -> None:
        self.rank, self.count = rank, count
        try:
            self.store = distributed.TCPStore(address, port, count, rank == 0, timedelta(seconds=JOIN_S))
            distributed.init_process_group(
                "gloo", store=self.store, rank=rank, world_size=count, timeout=timedelta(seconds=SILENCE_S)
            )
        except (RuntimeError, ValueError) as error:
            why = str(error).partition("\n")[0]
            raise NodesError(f"the {count} hosts did not meet at {address}, port {port}: {why}") from error
        self.store.set_timeout(timedelta(seconds=SILENCE_S))

    def words(self, topic: str, own: str) -> list[str]:
        """What every host says on a topic, by rank; each says something, once."""
        with self.heard():
            self.store.set(f"{topic}/{self.rank}", own)
            return [self.store.get(f"{topic}/{rank}").decode() for rank in range(self.count)]

    def states(self, own: int) -> list[int]:
        """How it stands on every host, by rank."""
        found = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with self.heard():
            distributed.all_gather(found, torch.tensor([own]))
        return [int(state) for state in found]

    def copy(self, file: Path) -> None:
        """Give every host the file that host 0 has, or none where it has none."""
        content = file.read_bytes() if self.rank == 0 and file.exists() else b""
        size = int(self.words("size", str(len(content)))[0])
        if not size:
            file.unlink(missing_ok=True)
            return
        sent: Tensor = torch.frombuffer(bytearray(content or size), dtype=torch.uint8)
        with self.heard():
            distributed.broadcast(sent, 0)
        if self.rank:
            file.parent.mkdir(parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            new.write_bytes(sent.numpy().tobytes())
            new.replace(file)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Raise NodesError where another host gives no sign of life to the body."""
        try:
            yield
        except RuntimeError as error:
            others = [str(rank) for rank in range(self.count) if rank != self.rank]
            who = f"host {others[0]}" if len(others) == 1 else f"one of the hosts {', '.join(others)}"
            raise NodesError(f"{who} went down, or the network to it did. {AGAIN}") from error


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.nodes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", help="a candidate of params.yaml")
    parser.add_argument("--node-rank", type=int, required=True, help="of this host: 0, 1, ...")
    parser.add_argument("--master-addr", required=True, help="address of host 0, as the others reach it")
    parser.add_argument("--master-port", type=int, default=PORT, help=f"free there, as the next one is ({PORT})")
    given = parser.parse_args(argv)
    ending.watch("nodes", ending.RUN_S, polite=True)
    try:
        trainer, candidates = params.load("train.trainer", "candidates")
        if trainer.num_nodes < 2 or not trainer.strategy.startswith("ddp") or not isinstance(trainer.devices, int):
            parser.error("train.trainer in params.yaml must say num_nodes: 2 or more, strategy: ddp, devices: a number")
        if given.node_rank not in range(trainer.num_nodes):
            parser.error(f"--node-rank {given.node_rank}: expected 0 to {trainer.num_nodes - 1}, as num_nodes says")
        if given.network not in candidates:
            parser.error(f"{given.network} is no candidate of params.yaml; there are: {', '.join(candidates)}")
        train(given.network, trainer, given.node_rank, given.master_addr, given.master_port)
    except (NodesError, ParamsError) as error:
        sys.exit(f"nodes: {error}")


def train(network: str, trainer: params.Trainer, rank: int, address: str, port: int) -> None:
    """Do this host's part of a training. Raises NodesError where it does not come to its end."""
    try:
        read = inputs(f"train@{network}")
    except FileNotFoundError as error:
        raise NodesError(f"{error.filename} is missing: `dvc repro preprocess` makes it") from error
    os.environ.setdefault("GLOO_SOCKET_IFNAME", interface(address, port))  # or gloo takes what the host's name leads to
    print(f"{network}: waiting until all {trainer.num_nodes} hosts are at {address}", flush=True)
    hosts = Hosts(rank, trainer.num_nodes, address, port + 1)
    agree(hosts, {"network": network, "torch": torch.__version__, **flat(asdict(read))})
    hosts.copy(RESUME / read.key / CHECKPOINT)
    with torchrun(network, trainer, rank, address, port) as run:
        attend(hosts, run)
    if rank:
        shutil.rmtree(RESUME / read.key, ignore_errors=True)
        print(f"{network}: trained; the weights are on host 0", flush=True)


def interface(address: str, port: int) -> str:
    """The network interface by which this host reaches an address, which may be its own."""
    try:
        family, kind, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)  # of a datagram's socket this sends nothing
            own = probe.getsockname()[0]
    except OSError as error:
        raise NodesError(f"no way leads to {address}: {error.strerror}") from error
    return next(name for name, found in psutil.net_if_addrs().items() if own in {one.address for one in found})


def agree(hosts: Hosts, read: dict[str, Any]) -> None:
    """Raise NodesError, naming what differs, unless all hosts would train the same network on the same data."""
    ours, *others = (json.loads(said) for said in hosts.words("inputs", json.dumps(read)))
    for rank, theirs in enumerate(others, 1):
        names = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise NodesError(
                f"hosts 0 and {rank} differ in {', '.join(names[:3])}{more}: give them one commit, one params.yaml and"
                " one data/processed"
            )


def flat(read: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in read.values() for name, value in part.items()}


class Run:
    """A torchrun that is under way, and the folder of what it and its processes write to stderr."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.folder = process, folder

    @property
    def state(self) -> int:
        status = self.process.poll()
        if status is None:
            return RUNNING
        if status == 0:
            return DONE
        return CUT_OFF if LOST_PEER in self.cause else FAILED

    @property
    def cause(self) -> str:
        """Why it failed: the last words of the process that failed first, or torchrun's own."""
        told = self.said("torchrun.log")
        if not (first := FIRST_FAILURE.search(told)):
            return told
        rank, status = map(int, first.groups())
        if status < 0:
            return f"it was ended by {signal.Signals(-status).name}"
        return self.said(f"*/*/{rank}/stderr.log")

    def said(self, pattern: str) -> str:
        """What the files of a pattern hold."""
        files = sorted(self.folder.glob(pattern))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


@contextmanager
def torchrun(network: str, trainer: params.Trainer, rank: int, address: str, port: int) -> Iterator[Run]:
    """Run the stage's command on this host as torch does it; ended with the block, if it was not before."""
    with tempfile.TemporaryDirectory(prefix="nodes-") as name:
        folder = Path(name)
        options = {
            "--nnodes": trainer.num_nodes,
            "--node-rank": rank,
            "--nproc-per-node": trainer.devices,
            "--master-addr": address,
            "--master-port": port,
            "--redirects": 2,
            "--log-dir": folder,
        }
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, "-m", "pipeline.ending", "torch.distributed.run", *words]
        with (folder / "torchrun.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "-m", "pipeline.train", network], stderr=log, env={**QUIET, **os.environ}
            )
        try:
            yield Run(process, folder)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a torchrun and what it started, which is in sessions of its own."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs([*started, psutil.Process(process.pid)], STOP_S)
        for one in left:
            one.kill()
    process.wait()


def attend(hosts: Hosts, run: Run) -> None:
    """Wait until all hosts are done. Raises NodesError as soon as one has failed or is lost."""
    alone = 0
    while True:
        states = hosts.states(run.state)
        if failed := [rank for rank, state in enumerate(states) if state == FAILED]:
            if hosts.rank in failed:
                raise NodesError(f"the training on this host failed:\n{run.cause.strip()}")
            raise NodesError(f"host {failed[0]} failed in its training, and says why. {AGAIN}")
        if set(states) == {DONE}:
            sys.stderr.write(run.said("*/*/*/stderr.log"))
            return
        alone += CUT_OFF in states
        if alone > ALONE_BEATS:
            raise NodesError(f"the training's own connections between the hosts broke. {AGAIN}")
        time.sleep(BEAT_S)


if __name__ == "__main__":
    main()
