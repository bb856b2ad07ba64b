import random
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipeline.tracking import claim, runs, store
from pipeline.tracking.runkey import inputs
from tests.pipeline.tracking.hosts import Hosts

NAME = "inkwell-claim-convnet-0123456789abcdef"


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


def test_of_hosts_that_start_with_the_same_inputs_one_trains_and_the_others_are_refused(
    project: Path, hosts: Hosts
) -> None:
    names = [f"host-{random.randrange(10**6)}" for _ in range(3)]
    [run_id], refused = hosts.train(names)
    client = store.open_store()
    [run] = client.search_runs([store.experiment(client, "mnist-sample")])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert len(refused) == 2
    assert all(run.data.tags["owner.host"] in sentence and "wait for it" in sentence for sentence in refused)
    assert client.search_registered_models() == []


def test_a_run_whose_host_is_silent_is_gone_on_with(project: Path, hosts: Hosts) -> None:
    def train(_: str) -> str | None:
        with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
            return run_id

    [first] = hosts.run(["dead"], train)
    client = store.open_store()
    client.update_run(str(first), status="RUNNING")
    started = time.monotonic()
    [second] = hosts.run(["living"], train)
    assert second == first
    assert time.monotonic() - started > claim.SILENCE
    run = client.get_run(str(first))
    assert (run.data.tags["owner.host"], run.info.status) == ("living", "FINISHED")


@pytest.mark.parametrize("host", ["alpha", "elsewhere"])
def test_a_name_that_a_killed_process_holds_is_taken_by_one_process_after_another(
    mlflow_store: Path, hosts: Hosts, host: str
) -> None:
    client = store.open_store()
    started = str(psutil.Process().create_time() - 1000)  # alpha sees by it that the process is dead
    dead = store.owner() | {"owner.host": host, "owner.started": started, "token": "0123"}
    client.create_registered_model(NAME, dead)
    inside, order, most = threading.Semaphore(0), [], []

    def hold(name: str) -> None:
        with claim.alone(client, NAME):
            inside.release()
            most.append(inside._value)
            time.sleep(random.uniform(0, 0.1))
            inside.acquire()
            order.append(name)

    hosts.run(["alpha", "beta", "gamma"], hold)
    assert sorted(order) == ["alpha", "beta", "gamma"]
    assert most == [1, 1, 1], "one at a time"
    assert client.search_registered_models() == []
