"""Hosts that train together as threads of one process, joined by gloo as processes are: what they tell each other."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from pipeline import ending, nodes
from pipeline.nodes import CUT_OFF, DONE, FAILED, RUNNING, Hosts, NodesError, Run
from pipeline.params import Trainer
from pipeline.paths import RESUME
from pipeline.serve import free_port
from tests.pipeline.sweeps import project
from tests.pipeline.workspace import edited

ADDRESS = "127.0.0.1"
NETWORK = project.NETWORK


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """A function that has so many hosts meet, and returns what the body, which all run at once, returns or raises.

    A process has one group of torch's; here each thread has one.
    """
    own = threading.local()

    def init(_: str, store: Any, rank: int, world_size: int, timeout: timedelta) -> None:
        own.group = distributed.ProcessGroupGloo(store, rank, world_size, timeout)

    monkeypatch.setattr(distributed, "init_process_group", init)
    monkeypatch.setattr(distributed, "all_gather", lambda found, sent: own.group.allgather([found], [sent]).wait())
    monkeypatch.setattr(distributed, "broadcast", lambda sent, source: own.group.broadcast(sent, source).wait())

    def run(count: int, body: Callable[[Hosts], Any]) -> list[Any]:
        port = free_port(ADDRESS)

        def host(rank: int) -> Any:
            try:
                return body(Hosts(rank, count, ADDRESS, port))
            except NodesError as error:
                return str(error)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(host, range(count)))

    return run


@pytest.mark.parametrize("count", [2, 3])
def test_all_hear_what_each_says_by_rank(meet, count: int) -> None:
    said = {(topic, rank): str(random.random()) for topic in "ab" for rank in range(count)}

    def body(hosts: Hosts) -> Any:
        words = [hosts.words(topic, said[topic, hosts.rank]) for topic in "ab"]
        return words, [hosts.states(state + hosts.rank) for state in (0, 7)]

    words = [[said[topic, rank] for rank in range(count)] for topic in "ab"]
    states = [[state + rank for rank in range(count)] for state in (0, 7)]
    assert meet(count, body) == [(words, states)] * count


@pytest.mark.parametrize("size", [0, 1, 100_001])
def test_all_have_the_file_of_host_0(meet, tmp_path: Path, size: int) -> None:
    """Whatever they had in its place."""
    content = random.randbytes(size)
    files = [tmp_path / str(rank) / "last.ckpt" for rank in range(3)]
    for file, old in ((files[0], content), (files[1], b"another")):
        file.parent.mkdir()
        file.write_bytes(old)
    meet(3, lambda hosts: hosts.copy(files[hosts.rank]))
    assert [file.read_bytes() if file.exists() else b"" for file in files] == [content] * 3
    assert not list(tmp_path.rglob("*.new"))


def test_a_file_that_host_0_lacks_is_removed_elsewhere(meet, tmp_path: Path) -> None:
    files = [tmp_path / str(rank) / "last.ckpt" for rank in range(2)]
    files[1].parent.mkdir()
    files[1].touch()
    assert meet(2, lambda hosts: hosts.copy(files[hosts.rank])) == [None, None]
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize(
    ("count", "who", "ask"),
    [
        (2, "host {}", lambda hosts: hosts.states(RUNNING)),
        (3, "one of the hosts {}", lambda hosts: hosts.words("a", "b")),
    ],
)
def test_a_host_that_falls_silent_is_missed_by_the_others(
    meet, count: int, who: str, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "SILENCE_S", 1.5)
    silent = random.randrange(1, count)  # host 0 keeps the words
    over = threading.Barrier(count)

    def body(hosts: Hosts) -> Any:
        try:
            return None if hosts.rank == silent else ask(hosts)
        finally:
            over.wait()

    for rank, told in enumerate(meet(count, body)):
        others = ", ".join(str(other) for other in range(count) if other != rank)
        expected = f"{who.format(others)} went down, or the network to it did. {nodes.AGAIN}"
        assert told == (None if rank == silent else expected)


@pytest.mark.parametrize("rank", [0, 1])
def test_hosts_that_do_not_meet_are_told_where(meet, rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "JOIN_S", 0.2)
    port = free_port(ADDRESS)
    with pytest.raises(NodesError, match=rf"^the 2 hosts did not meet at {ADDRESS}, port {port}: .") as caught:
        Hosts(rank, 2, ADDRESS, port)
    assert "\n" not in str(caught.value)


class Told:
    """Stands for the hosts, of which this one is the first and the other stands as told, one state after the other."""

    rank, count = 0, 2

    def __init__(self, *others: int) -> None:
        self.others = iter(others)

    def states(self, own: int) -> list[int]:
        return [own, next(self.others)]


class Process:
    """Stands for a torchrun, and its status at each look."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = iter(statuses)

    def poll(self) -> int | None:
        return next(self.statuses)


def attend(folder: Path, statuses: list[int | None], others: list[int], torchrun: str = "") -> None:
    (folder / "torchrun.log").write_text(torchrun)
    hosts, process = Told(*others), Process(*statuses)
    nodes.attend(hosts, Run(process, folder))  # type: ignore[arg-type]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "BEAT_S", 0.0)


def test_a_training_is_over_when_all_are_done(hasty: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run/attempt/1").mkdir(parents=True)
    (tmp_path / "run/attempt/1/stderr.log").write_text("a warning\n")
    attend(tmp_path, [None, 0, 0, 0], [RUNNING, RUNNING, RUNNING, DONE])
    assert capsys.readouterr().err == "a warning\n"


def test_why_it_failed_is_said_by_the_host_on_which_it_did(hasty: None, tmp_path: Path) -> None:
    with pytest.raises(NodesError, match=r"^the training on this host failed:\nno such option$"):
        attend(tmp_path, [None, 2, 2], [RUNNING, RUNNING], "no such option\n")
    with pytest.raises(NodesError, match=r"^host 1 failed in its training, and says why\. Run the same command again"):
        attend(tmp_path, [None, None], [RUNNING, FAILED])


def test_the_first_process_to_fail_says_why(hasty: None, tmp_path: Path) -> None:
    """torchrun ends the others, which have nothing to tell."""
    first, other = random.sample(range(4), 2)
    for rank, text in ((first, "ValueError: no images"), (other, "terminated")):
        (tmp_path / f"run/attempt/{rank}").mkdir(parents=True)
        (tmp_path / f"run/attempt/{rank}/stderr.log").write_text(text)
    report = f"Root Cause (first observed failure):\n  rank : 9 (local_rank: {first})\n  exitcode  : 1 (pid: 3)\n"
    with pytest.raises(NodesError, match=r"^the training on this host failed:\nValueError: no images$"):
        attend(tmp_path, [1, 1, 1], [RUNNING], f"Other failures:\n (local_rank: {other})\n  exitcode  : 1\n{report}")


def test_a_training_that_lost_its_peers_waits_a_little_for_one_that_says_why(hasty: None, tmp_path: Path) -> None:
    lost = f"third_party{nodes.LOST_PEER}tcp/pair.cc:1 Read error"
    beats = nodes.ALONE_BEATS
    with pytest.raises(NodesError, match=r"^host 1 failed in its training, and says why"):
        attend(tmp_path, [1] * 9, [RUNNING] * beats + [FAILED], lost)
    with pytest.raises(NodesError, match=r"^the training's own connections between the hosts broke"):
        attend(tmp_path, [1] * 9, [RUNNING] * 9, lost)
    with pytest.raises(NodesError, match=r"^the training's own connections between the hosts broke"):
        attend(tmp_path, [None] * 9, [CUT_OFF] * 9)


def test_the_interface_is_that_by_which_the_address_is_reached() -> None:
    assert nodes.interface(ADDRESS, 1) == "lo"
    with pytest.raises(NodesError, match=r"^no way leads to 127\.0\.0\.1\.1\.1: "):
        nodes.interface("127.0.0.1.1.1", 1)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which two hosts may train the network, though none trains here, and no signal is looked for."""
    monkeypatch.chdir(tmp_path)
    project.write(tmp_path, {})
    with edited(tmp_path / "params.yaml") as params:
        params["train"]["trainer"] |= {"num_nodes": 2, "strategy": "ddp", "precision": "32-true"}
    monkeypatch.setattr(ending, "watch", lambda *_, **__: None)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    return tmp_path


def begin(rank: int, port: int) -> None:
    nodes.main([NETWORK, "--node-rank", str(rank), "--master-addr", ADDRESS, "--master-port", str(port)])


def test_data_that_are_not_there_are_told(checkout: Path) -> None:
    (checkout / "data/processed/train/images.npy").unlink()
    (checkout / "data/processed/train/labels.npy").unlink()
    (checkout / "data/processed/train").rmdir()
    with pytest.raises(SystemExit, match=r"^nodes: data/processed/train is missing: `dvc repro preprocess` makes it$"):
        begin(0, 1)


@pytest.mark.parametrize("differs", [False, True])
def test_hosts_train_when_they_have_met_agreed_and_have_the_same_checkpoint(
    meet, checkout: Path, differs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threads share a folder, so that it is seen when host 1 removes its checkpoint."""
    port, barrier, trained = free_port(ADDRESS), threading.Barrier(2), []
    key = nodes.inputs(f"train@{NETWORK}").key
    checkpoint = RESUME / key / nodes.CHECKPOINT
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(random.randbytes(99))

    @contextmanager
    def torchrun(network: str, trainer: Trainer, rank: int, address: str, at: int) -> Iterator[Run]:
        assert checkpoint.exists()
        trained.append((network, trainer.num_nodes, rank, address, at))
        barrier.wait()  # or one is gone before the other has the checkpoint
        yield Run(Process(*[None, 0, 0, 0, 0]), checkout)  # type: ignore[arg-type]

    monkeypatch.setattr(nodes, "torchrun", torchrun)
    monkeypatch.setattr(nodes, "BEAT_S", 0.01)
    agree = nodes.agree

    def agree_or_not(hosts: Hosts, read: dict[str, Any]) -> None:
        agree(hosts, read | {"train.seed": hosts.rank} if differs else read)

    monkeypatch.setattr(nodes, "agree", agree_or_not)

    def host(rank: int) -> str:
        try:
            begin(rank, port)
        except SystemExit as end:
            return str(end)
        return ""

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(host, range(2)))
    assert os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    if differs:
        assert [end.partition(":")[0] for end in ends] == ["nodes"] * 2
        assert all("hosts 0 and 1 differ in train.seed: give them one commit" in end for end in ends)
        assert trained == []
        return
    assert ends == ["", ""]
    assert sorted(trained) == [(NETWORK, 2, rank, ADDRESS, port) for rank in range(2)]
    assert not checkpoint.parent.exists(), "host 1 needs it no more"
    assert capsys.readouterr().out.count(f"{NETWORK}: trained; the weights are on host 0") == 1
