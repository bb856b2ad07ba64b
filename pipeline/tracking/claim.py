"""Whose a run is: one process's at a time, whatever the store is and whatever hosts the processes are on.

MLflow has no locks. But it gives the name of a registered model once, in every store that it has, so that a name held
for a moment serves as one. A training, which takes longer, shows that it lives by a tag that goes on changing.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline.tracking import dvc_experiment, store
from pipeline.tracking.away import PATIENCE, StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BEAT = 10.0
"""Seconds between two signs of life."""
SILENCE = 4 * BEAT
"""Seconds without one after which a process on another host is taken for dead."""
A_NAME = "Held for a moment by the process that the tags name: no model."


def take_run(client: "MlflowClient", network: str, run_key: str, find: Callable[[], "Run"]) -> "Run":
    """Make the run that ``find`` finds or creates this process's own, and one that is RUNNING.

    Of several processes one gets it. Raises StoreError where another that lives has it; where that one is on another
    host, this is known only after a while.
    """
    from mlflow.entities import RunTag

    silent: dict[str, str] | None = None
    while True:
        with alone(client, f"inkwell-claim-{network}-{run_key}"):
            run = find()
            tags, run_id = run.data.tags, run.info.run_id
            lives = run.info.status == "RUNNING" and not is_ours(tags) and store.is_alive(tags)
            if lives is False or marks(tags) == silent:
                ours = {**store.owner(), "owner.beat": "0", **dvc_experiment.tags()}
                client.log_batch(run_id, tags=[RunTag(key, value) for key, value in ours.items()])
                client.update_run(run_id, status="RUNNING")
                return client.get_run(run_id)
        whose = f"{network} is being trained with these inputs by process {tags['owner.pid']} on {tags['owner.host']}"
        if lives is None:
            print(f"{whose}, or was: waiting up to {SILENCE:g} seconds for a sign of life", flush=True)
        if lives or beats(client, run):
            raise StoreError(f"{whose}: wait for it, or stop it")
        silent = marks(tags)


def is_ours(tags: Mapping[str, str]) -> bool:
    """Whether tags name this process, or one that is gone and had its number."""
    return (tags.get("owner.host"), tags.get("owner.pid")) == (socket.gethostname(), str(os.getpid()))


def marks(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a run's tags that tell whose it is, and how often that process has shown that it lives."""
    return {key: value for key, value in tags.items() if key.startswith("owner.")}


def beats(client: "MlflowClient", run: "Run") -> bool:
    """Whether the process that holds a run shows that it lives before too long a silence."""
    deadline = time.monotonic() + SILENCE
    while time.monotonic() < deadline:
        time.sleep(BEAT / 2)
        now = client.get_run(run.info.run_id)
        if now.info.status != "RUNNING":
            return False
        if marks(now.data.tags) != marks(run.data.tags):
            return True
    return False


@contextmanager
def beating(client: "MlflowClient", run_id: str) -> Iterator[None]:
    """Show in a run, while the body runs, that this process lives."""
    over = Event()

    def beat() -> None:
        count = 0
        while not over.wait(BEAT):
            count += 1
            with suppress(Exception):  # a store that is away misses some
                client.set_tag(run_id, "owner.beat", str(count))

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE)


@contextmanager
def alone(client: "MlflowClient", name: str) -> Iterator[None]:
    """Hold a name for a moment, which no other process, on any host, holds meanwhile.

    One that was killed with the name in its hands is seen to be dead, and its name taken from it by one process alone:
    by that which holds the name and the dead one's token, and finds the token there still. Raises StoreError where a
    living process does not let go.
    """
    from mlflow import MlflowException

    token, seen, since = uuid4().hex, "", time.monotonic()
    while True:
        try:
            client.create_registered_model(name, {**store.owner(), "token": token}, A_NAME)
            break
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
                raise
        tags = holder(client, name)
        if tags.get("token", "") != seen:
            seen, since = tags.get("token", ""), time.monotonic()
        lives, long = store.is_alive(tags), time.monotonic() - since > SILENCE
        if lives and long:
            raise StoreError(f"process {tags['owner.pid']} holds {name} in MLflow's store, and does not let go of it")
        if seen and (lives is False or long):
            with alone(client, f"{name}-{seen}"):
                if holder(client, name).get("token") == seen:
                    client.delete_registered_model(name)
        else:
            time.sleep(0.1)
    try:
        yield
    finally:
        if holder(client, name).get("token") == token:
            client.delete_registered_model(name)


def holder(client: "MlflowClient", name: str) -> Mapping[str, str]:
    """The tags of who holds a name; none where nobody does."""
    from mlflow import MlflowException

    try:
        return client.get_registered_model(name).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
