import time
from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from pipeline.tracking import logger, store
from pipeline.tracking.logger import RunLogger
from pipeline.tracking.runkey import inputs
from pipeline.tracking.runs import training


class Line(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters({"width": 1})
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("val_merit", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(logger: RunLogger, epochs: int, data: DataLoader) -> Trainer:
    trainer = Trainer(
        max_epochs=epochs,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(Line(), data)
    return trainer


def test_lightning_trains_without_a_run_where_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://nobody@127.0.0.1:1/none")
    assert fit(RunLogger(None), 2, DataLoader(TensorDataset(torch.ones(4, 1)))).current_epoch == 2


def steps(run_id: str, name: str) -> list[int]:
    return [point.step for point in store.open_store().get_metric_history(run_id, name)]


def test_lightning_logs_each_epoch_once_into_the_run_that_is_open(project: Path) -> None:
    client, data = store.open_store(), DataLoader(TensorDataset(torch.ones(4, 1)))
    seconds: list[float] = []
    for epochs in (2, 3):
        with training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
            assert run_id
            fit(RunLogger(run_id), epochs, data)
            assert client.get_run(run_id).info.status == "RUNNING"
        assert steps(run_id, "curve/train_loss") == steps(run_id, "training/seconds") == list(range(1, epochs + 1))
        metrics = client.get_run(run_id).data.metrics
        seconds.append(metrics["training/seconds"])
    assert run_id
    assert seconds[0] < seconds[1], "what the first part took is in the whole"
    assert client.get_run(run_id).info.status == "FINISHED"
    assert set(metrics) == {"curve/train_loss", "training/seconds", "training/images_per_second"}, "as in curve.csv"
    assert len(client.search_runs([store.experiment(client, "mnist-sample")])) == 1


def test_images_per_second_are_those_of_the_batches(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, batches = store.open_store(), int(torch.randint(3, 9, ()))
    ticks = iter(range(100))
    monkeypatch.setattr(logger.time, "monotonic", lambda: next(ticks))
    with training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        assert run_id
        fit(RunLogger(run_id), 2, DataLoader(TensorDataset(torch.ones(batches, 1))))
    [first, second] = client.get_metric_history(run_id, "training/seconds")
    images = batches * int(client.get_run(run_id).data.params["batch_size"])
    speeds = [point.value for point in client.get_metric_history(run_id, "training/images_per_second")]
    assert speeds == [images / first.value, images / (second.value - first.value)]


def test_the_machine_is_watched_where_mlflows_variable_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", "1")
    with training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
        assert run_id
        one = RunLogger(run_id)
        deadline = time.monotonic() + 60
        while "system/cpu_utilization_percentage" not in store.open_store().get_run(run_id).data.metrics:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        one.finalize()
        assert one.monitor is not None
        assert one.monitor._process is None
