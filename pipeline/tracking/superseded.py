"""MLflow's runs that were deleted or superseded, and what their artifacts take; and the champions, which never are.

`mlflow gc` removes deleted runs with all that is known of them, and deleted experiments of anybody's with them. Here
the artifacts go, of superseded runs too, and parameters and metrics stay.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.tracking import address, registry, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run


def is_own() -> bool:
    """Whether MLflow's store is a file in this project."""
    file = address.sqlite_file(store.tracking_uri())
    return file is not None and file.exists() and file.is_relative_to(Path.cwd())


def champions() -> list[tuple[str, str]]:
    """Version and run key of all who ever were champion of a source, or have an alias; none where there is no store."""
    file = address.sqlite_file(store.tracking_uri())
    if file is not None and not file.exists():
        return []
    client = store.open_store()
    found = set()
    models = client.search_registered_models("name LIKE 'inkwell-%'")
    for model in (one for one in models if "source" in one.tags):  # the others are names that a process holds
        aliased = [client.get_model_version(model.name, number) for number in model.aliases.values()]
        for one in [*registry.reigns(client, model.tags["source"]), *aliased]:
            found.add((one.tags["model_sha256"][:12], one.tags["run_key"]))
    return sorted(found)


@dataclass(frozen=True)
class Superseded:
    """A run whose artifacts nothing needs, with its logged models, and the folders that these are."""

    client: "MlflowClient"
    run: "Run"
    models: "list[LoggedModel]"

    @property
    def name(self) -> str:
        """The run's own."""
        return str(self.run.info.run_name)

    @property
    def why(self) -> str:
        """Why nothing needs its artifacts."""
        if self.run.info.lifecycle_stage == "deleted":
            return "the run was deleted; its metrics stay"
        return "no lock, experiment or champion comes from this run; its metrics stay"

    @property
    def folders(self) -> list[Path]:
        """Where the artifacts lie in this project."""
        from mlflow.utils.file_utils import local_file_uri_to_path

        places = [self.run.info.artifact_uri, *(model.artifact_location for model in self.models)]
        paths = [Path(local_file_uri_to_path(place)).resolve() for place in places if place]
        return [path for path in paths if path.exists() and path.is_relative_to(Path.cwd())]

    def free(self) -> None:
        """Remove the artifacts, and the versions that are made of them."""
        run_id = self.run.info.run_id
        for version in self.client.search_model_versions(f"run_id = '{run_id}'"):
            self.client.delete_model_version(version.name, version.version)
        for folder in self.folders:
            shutil.rmtree(folder)
        for model in self.models:
            self.client.delete_logged_model(model.model_id)
        if self.run.info.lifecycle_stage != "deleted":
            for key in self.run.data.tags:
                if key.startswith("published."):
                    self.client.delete_tag(run_id, key)
            self.client.set_tag(run_id, "artifacts", f"removed by make gc, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")


def find(needed: Collection[str], experiments: Collection[str]) -> list[Superseded]:
    """The runs that have artifacts here and are not needed, the oldest first.

    Those with a run key in ``needed``, and those of DVC's ``experiments`` by name, are. Runs without a run key are not
    the pipeline's own, and those that still run may come to be needed.
    """
    from mlflow.entities import ViewType

    client = store.open_store()
    found = []
    for experiment in client.search_experiments(ViewType.ALL, filter_string="name LIKE 'inkwell/%'"):
        one = [experiment.experiment_id]
        for run in client.search_runs(one, run_view_type=ViewType.ALL, max_results=50_000, order_by=["start_time"]):
            key, name = (run.data.tags.get(tag) for tag in ("run_key", "dvc_exp_name"))
            is_needed = key in needed or name in experiments
            if key is not None and not is_needed and run.info.status != "RUNNING":
                models = client.search_logged_models(one, filter_string=f"source_run_id = '{run.info.run_id}'")
                superseded = Superseded(client, run, list(models))
                if superseded.folders:
                    found.append(superseded)
    return found
