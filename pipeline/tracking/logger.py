"""Lightning's logger for a run that the stage has opened."""

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from pipeline.tracking import away, store


class RunLogger(Logger):
    """Logs a point per epoch, counted from 1 as in curve.csv, as curve/... into an open run; nothing where it is None.

    An epoch that the run has already is not logged again: a training that goes on from its last checkpoint may repeat
    one. The parameters and the run's end are the stage's. A store that does not answer is told no more: what the run
    lacks of the curve is published when the training has ended.
    """

    def __init__(self, run_id: str | None) -> None:
        super().__init__()
        self.run_id = run_id
        self.is_away = False

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str | None:
        return self.run_id

    @cached_property
    def experiment(self) -> Any:
        """MLflow's client, which Lightning asks for too; None where there is no run."""
        import mlflow

        return mlflow.MlflowClient(store.tracking_uri()) if self.run_id else None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self.run_id is None or self.is_away:
            return
        run_id, self.is_away = self.run_id, True
        with away.forgiven():
            away.within(away.PATIENCE, lambda: self.log_epoch(run_id, metrics))
            self.is_away = False

    def log_epoch(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log what a run has not of an epoch."""
        from mlflow.entities import Metric

        epoch, now = int(metrics["epoch"]) + 1, int(time.time() * 1000)
        new = [
            Metric(f"curve/{name}", float(value), now, epoch)
            for name, value in metrics.items()
            if name != "epoch" and epoch not in store.steps(self.experiment, run_id, f"curve/{name}")
        ]
        self.experiment.log_batch(run_id, metrics=new)

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Nothing: the run has its parameters from the moment it was opened."""
