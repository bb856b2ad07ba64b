"""Lightning's logger for a run that the stage has opened."""

import time
from collections.abc import Mapping

from mlflow.entities import Metric
from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from pipeline.models.fit import CURVE
from pipeline.tracking import store


class RunLogger(MLFlowLogger):
    """Logs a point per epoch, counted from 1, into an open run: as curve/... what curve.csv has too, and beside it the
    seconds that training took until then and the images of that epoch per second, validation included.

    An epoch that the run has already is not logged again: a training that goes on from its last checkpoint may repeat
    one. Use of processor and memory is logged where MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is true. The parameters and
    the run's end are the stage's.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id=run_id, tracking_uri=store.tracking_uri())
        self.began = time.monotonic()
        self.monitor = None
        if MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            self.monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=store.tracking_uri())
            self.monitor.start()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        epoch = int(metrics["epoch"]) + 1
        new = {
            f"curve/{name}": metrics[name]
            for name in CURVE
            if name in metrics and epoch not in self.logged_epochs(f"curve/{name}")
        }
        if "train_loss" in metrics:
            new |= self.speed(epoch, 1 + (step or 0))
        if new:
            super().log_metrics(new, epoch)

    def speed(self, epoch: int, batches: int) -> dict[str, float]:
        """What the run does not have yet of an epoch's seconds and images, after `batches` of all epochs until it."""
        seconds, self.began = time.monotonic() - self.began, time.monotonic()
        before = {point.step: point.value for point in self.history("training/seconds")}
        if epoch in before:
            return {}
        images = batches / epoch * int(self.experiment.get_run(self.run_id).data.params["batch_size"])
        total = seconds + max(before.values(), default=0)
        return {"training/seconds": total, "training/images_per_second": images / seconds}

    def logged_epochs(self, name: str) -> set[int]:
        """The epochs for which the run has this metric."""
        return {point.step for point in self.history(name)}

    def history(self, name: str) -> list[Metric]:
        """The points that the run has of a metric."""
        return list(self.experiment.get_metric_history(self.run_id, name))

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Nothing: the run has its parameters from the moment it was opened."""

    def finalize(self, status: str = "success") -> None:
        """The run ends with the stage; what is measured of the machine ends here."""
        if self.monitor:
            self.monitor.finish()
