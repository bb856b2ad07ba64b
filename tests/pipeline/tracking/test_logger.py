from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from pipeline.tracking import store
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
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(logger: RunLogger, epochs: int) -> Trainer:
    trainer = Trainer(
        max_epochs=epochs,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(Line(), DataLoader(TensorDataset(torch.ones(4, 1))))
    return trainer


def test_lightning_trains_without_a_run_where_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://nobody@127.0.0.1:1/none")
    assert fit(RunLogger(None), 2).current_epoch == 2


def test_lightning_logs_each_epoch_once_into_the_run_that_is_open(project: Path) -> None:
    client = store.open_store()
    for epochs in (2, 3):
        with training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
            assert run_id
            fit(RunLogger(run_id), epochs)
            assert client.get_run(run_id).info.status == "RUNNING"
        assert [point.step for point in client.get_metric_history(run_id, "curve/train_loss")] == list(
            range(1, epochs + 1)
        )
    assert client.get_run(run_id).info.status == "FINISHED"
    assert list(client.get_run(run_id).data.metrics) == ["curve/train_loss"]
    assert len(client.search_runs([store.experiment(client, "mnist-sample")])) == 1
