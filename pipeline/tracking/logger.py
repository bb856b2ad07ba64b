"""Lightning's logger for a run that the stage has opened."""

from collections.abc import Mapping

from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from pipeline.tracking import store


class RunLogger(MLFlowLogger):
    """Logs a point per epoch, counted from 1 as in curve.csv, as curve/... into an open run.

    An epoch that the run has already is not logged again: a training that goes on from its last checkpoint may repeat
    one. The parameters and the run's end are the stage's.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id=run_id, tracking_uri=store.tracking_uri())

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        epoch = int(metrics["epoch"]) + 1
        new = {
            f"curve/{name}": value
            for name, value in metrics.items()
            if name != "epoch" and epoch not in self.logged_epochs(f"curve/{name}")
        }
        if new:
            super().log_metrics(new, epoch)

    def logged_epochs(self, name: str) -> set[int]:
        """The epochs for which the run has this metric."""
        return {point.step for point in self.experiment.get_metric_history(self.run_id, name)}

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Nothing: the run has its parameters from the moment it was opened."""

    def finalize(self, status: str = "success") -> None:
        """Nothing: the run ends with the stage."""
