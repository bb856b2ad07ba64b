"""Lightning's logger for a run that the stage has opened."""

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from pipeline.models.fit import CURVE
from pipeline.tracking import away, store


class RunLogger(Logger):
    """Logs a point per epoch, counted from 1, into an open run: as curve/... what curve.csv has too, and beside it the
    seconds that training took until then and the images of that epoch per second, validation included. Nothing where
    the run is None.

    An epoch that the run has already is not logged again: a training that goes on from its last checkpoint may repeat
    one. Use of processor and memory is logged where MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is true. The parameters and
    the run's end are the stage's. A store that does not answer is told no more: what the run lacks of the curve is
    published when the training has ended.
    """

    def __init__(self, run_id: str | None) -> None:
        from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        super().__init__()
        self.run_id = run_id
        self.is_away = False
        self.began = time.monotonic()
        self.monitor: SystemMetricsMonitor | None = None
        if run_id and MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            with away.forgiven():
                self.monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=store.tracking_uri())
                self.monitor.start()

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
            away.within(away.PATIENCE, lambda: self.log_epoch(run_id, metrics, 1 + (step or 0)))
            self.is_away = False

    def log_epoch(self, run_id: str, metrics: Mapping[str, float], batches: int) -> None:
        """Log what a run has not of an epoch, after `batches` of all epochs until it."""
        from mlflow.entities import Metric

        epoch, now = int(metrics["epoch"]) + 1, int(time.time() * 1000)
        new = {
            f"curve/{name}": metrics[name]
            for name in CURVE
            if name in metrics and epoch not in store.steps(self.experiment, run_id, f"curve/{name}")
        }
        if "train_loss" in metrics:
            new |= self.speed(run_id, epoch, batches)
        self.experiment.log_batch(run_id, [Metric(name, float(value), now, epoch) for name, value in new.items()])

    def speed(self, run_id: str, epoch: int, batches: int) -> dict[str, float]:
        """What a run does not have yet of an epoch's seconds and images."""
        seconds, self.began = time.monotonic() - self.began, time.monotonic()
        history = self.experiment.get_metric_history(run_id, "training/seconds")
        before = {point.step: point.value for point in history}
        if epoch in before:
            return {}
        images = batches / epoch * int(self.experiment.get_run(run_id).data.params["batch_size"])
        total = seconds + max(before.values(), default=0)
        return {"training/seconds": total, "training/images_per_second": images / seconds}

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Nothing: the run has its parameters from the moment it was opened."""

    def finalize(self, status: str = "success") -> None:
        """The run ends with the stage; what is measured of the machine ends here."""
        if self.monitor:
            self.monitor.finish()
