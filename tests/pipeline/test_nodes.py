"""Two hosts, each a network namespace, train one network; one dies, the link goes down, and they go on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline import ending, nodes
from pipeline.nodes import NodesError
from pipeline.params import Trainer
from pipeline.serve import free_port
from tests.pipeline.processed import process
from tests.pipeline.workspace import ROOT, contents, dvc_repo, edited, project

NETWORK = "perceptron"
EPOCHS = 20
START_S, END_S = 500, 60
ADDRESS = "10.1.2.{}"
ALONE = Trainer(accelerator="cpu", devices=1, num_nodes=1, strategy="ddp", precision="32-true")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass
class Host:
    """A network namespace with one interface, and the folder of its checkout."""

    rank: int
    namespace: str
    folder: Path
    process: Any = None

    def start(self) -> None:
        """Begin the training on this host."""
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-m", "pipeline.nodes", NETWORK]
        where = ["--node-rank", str(self.rank), "--master-addr", ADDRESS.format(1)]
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [*command, *where], cwd=self.folder, env=environment(), stdout=out, stderr=err, start_new_session=True
            )

    def said(self) -> str:
        return (self.folder / "out").read_text()

    def await_epoch(self, epoch: int) -> None:
        deadline = time.monotonic() + START_S
        while f"epoch {epoch}/" not in self.said():
            assert self.process.poll() is None, (self.folder / "err").read_text()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.01)

    def ended(self) -> str:
        """The last line that it wrote to stderr, when it has ended with status 1, within a minute."""
        assert self.process.wait(END_S) == 1
        return (self.folder / "err").read_text().splitlines()[-1]

    def link(self, state: str) -> None:
        ip("-n", self.namespace, "link", "set", "ink", state)

    def kill(self) -> None:
        """End all its processes."""
        for pid in map(int, ip("netns", "pids", self.namespace).split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()


def environment() -> dict[str, str]:
    """Each process has one thread, or how sums are rounded would depend on how many there are."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(("DVC_", "MLFLOW", "RANK", "MASTER"))}
    return own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}


@pytest.fixture
def checkout(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with made-up digits, on which a small network is trained by two hosts in seconds."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    project(folder, "uci-digits", empty_database)
    with edited(folder / "params.yaml") as params:
        params["networks"][NETWORK] |= {"epochs": EPOCHS, "batch_size": 64}
        params["train"]["trainer"] |= {"num_nodes": 2, "strategy": "ddp", "precision": "32-true"}
        params["train"]["seed"] = random.randrange(1000)
    monkeypatch.chdir(folder)
    process(known=True)
    return folder


@pytest.fixture
def hosts(checkout: Path) -> Iterator[list[Host]]:
    if not shutil.which("ip") or os.geteuid():
        pytest.skip("two hosts need root and iproute2's ip")
    found = []
    for rank in range(2):
        folder = checkout.with_name(f"host-{rank}")
        shutil.copytree(checkout, folder, symlinks=True)
        found.append(Host(rank, f"inkwell-{os.getpid()}-{rank}", folder))
    try:
        for host in found:
            ip("netns", "add", host.namespace)
        first, second = (host.namespace for host in found)
        ip("link", "add", "ink", "netns", first, "type", "veth", "peer", "name", "ink", "netns", second)
        for host in found:
            ip("-n", host.namespace, "addr", "add", f"{ADDRESS.format(host.rank + 1)}/24", "dev", "ink")
            ip("-n", host.namespace, "link", "set", "lo", "up")
            host.link("up")
        yield found
    finally:
        for host in found:
            with suppress(subprocess.CalledProcessError):
                host.kill()
                ip("netns", "delete", host.namespace)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hosts_train_what_one_does_though_one_dies_and_then_the_link(hosts, checkout, monkeypatch):
    first, second = hosts
    dead, left = random.sample(hosts, 2)
    start(hosts)
    first.await_epoch(2)
    dead.kill()
    assert left.ended() == f"nodes: host {dead.rank} went down, or the network to it did. {nodes.AGAIN}"

    start(hosts)
    first.await_epoch(4)
    assert "epoch 1/" not in first.said()
    random.choice(hosts).link("down")
    with alone(checkout) as training:
        for host in hosts:
            assert host.ended() == f"nodes: host {1 - host.rank} went down, or the network to it did. {nodes.AGAIN}"
        assert training.wait(START_S) == 0
    assert not (first.folder / "models").exists()

    for host in hosts:
        host.link("up")
    start(hosts)
    assert [host.process.wait(START_S) for host in hosts] == [0, 0]
    assert "epoch 1/" not in first.said()
    trained = contents(first.folder / "models/trained" / NETWORK)
    expected = contents(checkout / "models/trained" / NETWORK)
    del trained["run.json"], expected["run.json"]
    assert trained == expected
    assert not (second.folder / "models").exists()
    assert [list((host.folder / ".resume").iterdir()) for host in hosts] == [[], []]

    monkeypatch.chdir(first.folder)
    repo = dvc_repo(first.folder, scm=False)
    repo.commit(f"train@{NETWORK}", force=True)
    assert repo.status([f"train@{NETWORK}"]) == {}


def start(hosts: list[Host]) -> None:
    for host in random.sample(hosts, 2):
        host.start()


def alone(checkout: Path) -> subprocess.Popen[bytes]:
    """Begin the training on one host, by two processes."""
    with edited(checkout / "params.yaml") as params:
        params["train"]["trainer"] |= {"num_nodes": 1, "devices": 2}
    command = [sys.executable, "-m", "pipeline.train", NETWORK]
    return subprocess.Popen(command, cwd=checkout, env=environment())


class Others:
    """Stands for the hosts, of which the first says what this one does."""

    def __init__(self, *others: dict[str, Any]) -> None:
        self.others = others

    def words(self, topic: str, own: str) -> list[str]:
        return [own, *map(json.dumps, self.others)]


def test_hosts_that_would_not_train_the_same_are_refused_in_a_sentence():
    read = {"network": "mlp", "data/processed/train": "ab12", "train.seed": random.random()}
    hosts: Any = Others(read, read)
    nodes.agree(hosts, read)
    other = random.choice(list(read))
    lacking = {name: value for name, value in read.items() if name != other}
    for theirs in (read | {other: "other"}, lacking):
        hosts = Others(read, theirs)
        with pytest.raises(NodesError, match=f"^hosts 0 and 2 differ in {other}: give") as caught:
            nodes.agree(hosts, read)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("trainer", "arguments", "told"),
    [
        ({"num_nodes": 1}, ["0"], "must say num_nodes: 2 or more"),
        ({"strategy": "auto"}, ["0"], "strategy: ddp"),
        ({"num_nodes": 3}, ["3"], "--node-rank 3: expected 0 to 2"),
        ({}, ["1"], "nothing is no candidate of params.yaml; there are: perceptron, mlp, convnet"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(trainer, arguments, told, checkout, monkeypatch, capsys):
    monkeypatch.setattr(ending, "watch", lambda *_, **__: None)
    with edited(checkout / "params.yaml") as params:
        params["train"]["trainer"] |= trainer
    with pytest.raises(SystemExit) as caught:
        nodes.main(["nothing", "--node-rank", *arguments, "--master-addr", "127.0.0.1"])
    assert caught.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("end", "state", "told"),
    [
        ("os.kill(os.getpid(), 9)", nodes.FAILED, "it was ended by SIGKILL"),
        ("raise RuntimeError('[third_party/gloo/transport/tcp/pair.cc:1] Read error')", nodes.CUT_OFF, "Read error"),
    ],
)
def test_why_a_training_failed_is_known(end, state, told, tmp_path, monkeypatch):
    """Of torchrun's own report, around a training that is made up."""
    package = tmp_path / "pipeline"
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__.append({str(ROOT / 'pipeline')!r})\n")
    (package / "train.py").write_text(f"import os\n{end}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with nodes.torchrun(NETWORK, ALONE, 0, "127.0.0.1", free_port("127.0.0.1")) as run:
        run.process.wait(START_S)
        assert run.state == state
        assert told in run.cause
