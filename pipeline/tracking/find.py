"""Find a training's run in MLflow by whatever somebody calls it, with what it answered."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ANSWERS = {"validation": "validation/{network}.parquet", "test": "evaluation/test.parquet"}
"""Where a run's artifacts have what the exported network answered, by split."""
CURVE = "training/curve.csv"
MODEL = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>.+)|/(?P<version>\d+))")
LISTED = 20


class NotFoundError(Exception):
    """No run is called so, or what is asked of it is not there."""


@dataclass(frozen=True)
class Found:
    """A run, as somebody called it.

    answers: by split a table with a row per image: row, label, digit, confidence, p0 to p9; of the splits that the run
    has answers to. curve: a row per epoch. notes: what to know before it is compared.
    """

    asked: str
    run: "Run"
    answers: dict[str, pd.DataFrame]
    curve: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run's name, convnet-0123abcd."""
        return str(self.run.info.run_name)

    @property
    def network(self) -> str:
        return str(self.run.data.tags["network"])

    @property
    def source(self) -> str:
        return str(self.run.data.tags["source"])


def find(client: "MlflowClient", asked: str, source: str) -> Found:
    """Find a run by its id or its name, by its network, of which the last is taken, or by a model, models:/NAME@ALIAS
    or models:/NAME/VERSION. A network's run on the data source is preferred to those on others.

    Raises NotFoundError, with what there is instead.
    """
    version = None
    if asked.startswith("models:/"):
        version = model_version(client, asked)
        run = client.get_run(version.run_id)
    else:
        run = called(client, asked, source)
    notes = []
    if version is not None:
        later = client.search_model_versions(f"name = '{version.name}' AND run_id = '{version.run_id}'")
        last = max(later, key=lambda one: int(one.version))
        if last.version != version.version:
            notes.append(
                f"{asked} is version {version.version}, but the answers kept in its run are those of version "
                f"{last.version}, a later export of the same training"
            )
    tables = dict(answers(client, run))
    curve = table(client, run, CURVE)
    return Found(asked, run, tables, curve if curve is not None else pd.DataFrame(), notes)


def model_version(client: "MlflowClient", uri: str):  # type: ignore[no-untyped-def]
    """The version that a model's URI names. Raises NotFoundError where there is none, or it has no run."""
    from mlflow import MlflowException

    parts = MODEL.fullmatch(uri)
    if parts is None:
        raise NotFoundError(f"{uri} names no model; expected models:/NAME@ALIAS or models:/NAME/VERSION")
    try:
        if parts["alias"]:
            return client.get_model_version_by_alias(parts["name"], parts["alias"])
        return client.get_model_version(parts["name"], parts["version"])
    except MlflowException as error:
        names = sorted(one.name for one in client.search_registered_models())
        raise NotFoundError(f"there is no {uri}; the registry has {', '.join(names) or 'no model'}") from error


def called(client: "MlflowClient", asked: str, source: str) -> "Run":
    """The last run with this id, the beginning of its id, this name or this network."""
    runs = trainings(client)
    named = [run for run in runs if asked in (run.info.run_id, run.info.run_name)]
    if not named and re.fullmatch("[0-9a-f]{6,31}", asked):
        named = [run for run in runs if run.info.run_id.startswith(asked)]
    of_network = [run for run in runs if run.data.tags["network"] == asked]
    named = named or [run for run in of_network if run.data.tags["source"] == source] or of_network
    if not named:
        known = (
            ", ".join(str(run.info.run_name) for run in runs[:LISTED]) or "none; `make refill` or `make run` makes some"
        )
        raise NotFoundError(f"no run has the id or the name {asked!r}, nor the network; there are: {known}")
    return named[0]


def trainings(client: "MlflowClient") -> "list[Run]":
    """All runs of trainings, the last first."""
    ours = [one.experiment_id for one in client.search_experiments(filter_string="name LIKE 'inkwell/%'")]
    if not ours:
        return []
    found = client.search_runs(ours, "tags.stage = 'train'", order_by=["attributes.start_time DESC"], max_results=1000)
    return list(found)


def answers(client: "MlflowClient", run: "Run") -> Iterator[tuple[str, pd.DataFrame]]:
    """The splits that a run has answers to, each with its table."""
    for split, place in ANSWERS.items():
        found = table(client, run, place.format(network=run.data.tags["network"]))
        if found is not None:
            yield split, found


def table(client: "MlflowClient", run: "Run", place: str) -> pd.DataFrame | None:
    """A table among a run's artifacts; None where it is not there."""
    folder = place.rpartition("/")[0]
    if place not in {one.path for one in client.list_artifacts(run.info.run_id, folder)}:
        return None
    with tempfile.TemporaryDirectory() as local:
        path = Path(client.download_artifacts(run.info.run_id, place, local))
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
