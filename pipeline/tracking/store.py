"""The MLflow store: where it is, how it comes into being, and the runs that a dead process left open in it.

The default is `mlflow.db` in the project's folder, with `mlartifacts/` beside it: what a plain `mlflow ui` opens there.
An experiment in a workspace of its own uses the main project's.
The environment variable MLFLOW_TRACKING_URI names another, any that MLflow takes: a tracking server, which keeps the
artifacts too; a database such as postgresql://, whose artifacts go where MLFLOW_DEFAULT_ARTIFACT_ROOT says, or into the
project's folder, which several hosts do not share.
"""

import logging
import os
import socket
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock
from rich.console import Console

from pipeline.tracking import address, away, database, dvc_experiment, moved

if TYPE_CHECKING:
    from mlflow import MlflowClient

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

SQLITE = "sqlite:///"
ABANDONED = 10.0  # seconds without a write after which an unfinished database is taken for abandoned
SAME_START = 5.0  # seconds by which two readings of one process's start may differ when the clock is set


def tracking_uri() -> str:
    """The store's URI: MLFLOW_TRACKING_URI, else the project's own database, always as an absolute path."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    return address.absolute(uri, dvc_experiment.project())


def open_store() -> "MlflowClient":
    """Open the store, creating it where there is none; runs whose process is gone are closed as KILLED.

    Raises StoreError where MLflow cannot use the store that MLFLOW_TRACKING_URI names, AwayError where it does not
    answer within seconds.
    """
    import mlflow

    uri = tracking_uri()
    if file := address.sqlite_file(uri):
        ensure_database(file)
        moved.settle(file)
    mlflow.set_tracking_uri(uri)
    with database.ready(uri) if address.is_database(uri) else nullcontext():
        return connect(uri)


def connect(uri: str) -> "MlflowClient":
    """A client of the store at ``uri``, which has answered it."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        client = mlflow.MlflowClient()
        close_lost_runs(client)
    except MlflowException as error:
        if uri.startswith("http") or away.is_away(error):
            raise away.AwayError(uri, error) from error
        raise away.StoreError(f"MLFLOW_TRACKING_URI={address.shown(uri)}: {error}") from error
    return client


def experiment(client: "MlflowClient", source: str) -> str:
    """The id of the experiment that holds all runs on a data source, so that they are compared with each other."""
    from mlflow import MlflowException

    name = f"inkwell/{source}"
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(
                name, address.artifacts(client.tracking_uri, dvc_experiment.project(), source)
            )
        except MlflowException:  # another process was first
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def ensure_database(path: Path) -> None:
    """Create an MLflow database, whole or not at all, however many processes ask for it at once.

    MLflow migrates a new database in place, without a lock: of several processes that meet there most crash, and one
    that is killed leaves it broken. So it is made in a file beside its place, under a lock, and moved when complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        while path.exists() and not is_complete(path):
            if time.time() - path.stat().st_mtime > ABANDONED:
                Console(stderr=True).print(f"[yellow]{path.name} was left unfinished and holds no run: made anew.")
                remove_database(path)
            time.sleep(0.2)  # another program, `mlflow ui` perhaps, is creating it at this moment
        if not path.exists():
            create_database(path)


def is_complete(path: Path) -> bool:
    """Whether MLflow finished making a database: its last act is the experiment `Default`.

    Opened for writing, since SQLite rolls back what a killed process left half written only then.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=20)) as database:
        try:
            return database.execute("SELECT count(*) FROM experiments").fetchone()[0] > 0
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return False
            raise


def create_database(path: Path) -> None:
    """Let MLflow make a database in a new file, and put it in place."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    new = path.with_name(f"{path.name}.new")
    remove_database(new)
    with Console(stderr=True).status(f"Creating the MLflow store {path.name}"):
        store = SqlAlchemyStore(f"{SQLITE}{new}", (path.parent / "mlartifacts").as_uri())
        store.engine.dispose()
    remove_database(path)  # a journal that lies beside the place would be played into the new database
    new.replace(path)


def remove_database(path: Path) -> None:
    """Remove a database and the journals beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def owner() -> dict[str, str]:
    """Tags that say which process a run belongs to."""
    process = psutil.Process()
    return {
        "owner.host": socket.gethostname(),
        "owner.pid": str(process.pid),
        "owner.started": str(process.create_time()),
    }


def is_alive(tags: Mapping[str, str]) -> bool | None:
    """Whether the process that these tags name still runs; None where it ran on another host."""
    if tags.get("owner.host") != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(tags["owner.pid"]))
        started = abs(process.create_time() - float(tags["owner.started"])) < SAME_START
        return started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def close_lost_runs(client: "MlflowClient") -> None:
    """End the runs that stand as RUNNING though their process is gone, as KILLED."""
    ours = [found.experiment_id for found in client.search_experiments(filter_string="name LIKE 'inkwell/%'")]
    for run in client.search_runs(ours, "attributes.status = 'RUNNING'") if ours else []:
        if is_alive(run.data.tags) is False:
            client.set_terminated(run.info.run_id, "KILLED")


def steps(client: "MlflowClient", run_id: str, metric: str) -> set[int]:
    """The steps for which a run has a metric."""
    return {point.step for point in client.get_metric_history(run_id, metric)}
