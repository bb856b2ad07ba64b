"""What MLflow is told of a sweep: a parent run, and under it a run for each trial.

Ray's own callback for MLflow makes new runs for the trials of a sweep that is resumed, and knows no pruned ones.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from pipeline import user
from pipeline.models.fit import CURVE
from pipeline.sweeps.results import number, of_trial
from pipeline.sweeps.space import drawn
from pipeline.tracking import away, claim, runs, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from ray.tune.experiment import Trial

STAGE = "sweep"
"""The tag `stage` of a sweep's parent run."""


@contextmanager
def sweep(network: str, source: str, key: str, settings: Mapping[str, Any]) -> Iterator[str | None]:
    """Hold a sweep's run open while the body runs, and yield its id; None where the store is away.

    The run of a sweep with the same key is gone on with. Raises StoreError where another living process has it.
    """
    run_id = None
    with away.forgiven():
        client = store.open_store()
        experiment = store.experiment(client, source)

        def find() -> "Run":
            found = client.search_runs([experiment], f"tags.sweep_key = '{key}' AND tags.stage = '{STAGE}'")
            return found[0] if found else create(client, experiment, network, source, key, settings)

        run_id = claim.take_run(client, f"sweep-{network}", key, find).info.run_id
    if run_id is None:
        yield None
        return
    with runs.ending(client, run_id):
        yield run_id


def create(
    client: "MlflowClient", experiment: str, network: str, source: str, key: str, settings: Mapping[str, Any]
) -> "Run":
    """Begin the run of a sweep, with its section of params.yaml as parameters."""
    from mlflow.entities import Param

    tags = {"stage": STAGE, "network": network, "source": source, "sweep_key": key, "mlflow.user": user()}
    tags |= {"mlflow.source.name": "pipeline/sweep.py", "mlflow.source.type": "LOCAL"} | store.owner()
    run = client.create_run(experiment, run_name=f"sweep-{network}-{key[:8]}", tags=tags)
    client.log_batch(run.info.run_id, params=[Param(name, str(value)) for name, value in settings.items()])
    return run


@away.or_later
def publish_best(run_id: str, metric: str, value: float, command: str) -> list[str]:
    """Tell a sweep's run of its best trial. Returns what was new."""
    client = store.open_store()
    client.log_metric(run_id, f"best/{metric}", value)
    note = f"The best of its trials, trained by the stage `train` as it was here:\n\n```\n{command}\n```"
    runs.tag(client, run_id, {"reproduce": command, "mlflow.note.content": note})
    return ["best"]


class Trials(Callback):
    """Tells MLflow of each trial, under the run ``parent``: its values, a point per epoch, how it ended.

    A trial that goes on in a sweep that is resumed does so in its run. It is pickled with the sweep, so that it opens
    the store anew in each process.
    """

    def __init__(self, parent: str, network: str, source: str) -> None:
        self.parent, self.network, self.source = parent, network, source

    @cached_property
    def client(self) -> "MlflowClient":
        return store.open_store()

    @cached_property
    def known(self) -> dict[str, str]:
        """The runs of trials, by the trial."""
        experiment = self.client.get_run(self.parent).info.experiment_id
        found = self.client.search_runs(
            [experiment], f"tags.`mlflow.parentRunId` = '{self.parent}'", max_results=50_000
        )
        return {run.data.tags["trial"]: run.info.run_id for run in found}

    def on_trial_start(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        with away.forgiven():
            run_id = self.run_of(trial)
            runs.tag(self.client, run_id, store.owner())
            self.client.update_run(run_id, status="RUNNING")

    def run_of(self, trial: "Trial") -> str:
        """The id of a trial's run, which begins late where the store was away as the trial began."""
        if trial.trial_id not in self.known:
            self.known[trial.trial_id] = self.create(trial)
        return self.known[trial.trial_id]

    def create(self, trial: "Trial") -> str:
        """Begin the run of a trial; returns its id."""
        from mlflow.entities import Param

        tags = {"stage": "trial", "network": self.network, "source": self.source, "mlflow.parentRunId": self.parent}
        tags |= {"trial": trial.trial_id, "mlflow.user": user()} | store.owner()
        experiment = self.client.get_run(self.parent).info.experiment_id
        run_id = self.client.create_run(
            experiment, run_name=f"trial-{number(trial.experiment_tag)}", tags=tags
        ).info.run_id
        self.client.log_batch(run_id, params=[Param(name, str(value)) for name, value in drawn(trial.config).items()])
        return str(run_id)

    def on_trial_result(
        self, iteration: int, trials: "list[Trial]", trial: "Trial", result: dict[str, Any], **_: Any
    ) -> None:
        from mlflow.entities import Metric

        with away.forgiven():
            run_id, epoch, now = self.run_of(trial), result["epoch"], int(time.time() * 1000)
            if epoch not in store.steps(self.client, run_id, f"curve/{CURVE[0]}"):
                points = {f"curve/{name}": result[name] for name in CURVE}
                self.client.log_batch(run_id, [Metric(name, value, now, epoch) for name, value in points.items()])

    def on_trial_complete(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.end(trial, of_trial(trial).state, "FINISHED")

    def on_trial_error(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.end(trial, "failed", "FAILED")

    def end(self, trial: "Trial", state: str, status: str) -> None:
        with away.forgiven():
            self.client.set_tag(self.run_of(trial), "state", state)
            self.client.set_terminated(self.run_of(trial), status)
