"""A trial: what it tells of each epoch, over a resumption too, and on how many cores it trains."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer

from pipeline import params
from pipeline.models.fit import CURVE
from pipeline.sweeps import trial as trials
from pipeline.sweeps.trial import Report, Setting
from tests.pipeline.sweeps.in_process import begun, trial

EPOCHS = 3


def frozen(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images as Ray gives them, which nobody may write to."""
    rng = np.random.default_rng()
    pair = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
    for array in pair:
        array.flags.writeable = False
    return pair


@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
def test_a_trial_that_was_cut_off_tells_what_an_unbroken_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each epoch, with the metric of the weights that are kept, which are those of the best epoch; on one core."""
    cores = []

    def fit(*args: Any, **options: Any) -> None:
        cores.append(torch.get_num_threads())
        real(*args, **options)

    real = trials.fit
    monkeypatch.setattr(trials, "fit", fit)
    network = params.load("networks.mlp").model_copy(update={"batch_size": 20, "epochs": 99, "augment": None})
    data = {"train": frozen(60), "val": frozen(30)}
    config = {"hidden": "[6]", "epochs": str(EPOCHS), "learning_rate": 0.0123456}

    def told(name: str, cut: int | None = None) -> list[dict[str, Any]]:
        one = trial(tmp_path / name, 1, config)
        setting = Setting(network, params.load("train"), "val_accuracy", tmp_path / name)
        function = partial(trials.train, setting=setting, data=data)
        found: list[dict[str, Any]] = []
        for most in [cut, EPOCHS] if cut else [EPOCHS]:
            with begun(one, function) as training:
                while not found or found[-1]["epoch"] < most:
                    found.append(training.train())
        assert (tmp_path / name / one.trial_id / "last.ckpt").exists()
        return [{key: row[key] for key in (*CURVE, "epoch", "epochs", "kept")} for row in found]

    unbroken = told("unbroken")
    assert [(row["epoch"], row["epochs"]) for row in unbroken] == [(epoch, EPOCHS) for epoch in (1, 2, 3)]
    best = np.maximum.accumulate([row["val_accuracy"] for row in unbroken])
    assert [row["kept"] for row in unbroken] == best.tolist()
    cut = told("cut", int(np.random.default_rng().integers(1, EPOCHS)))
    assert {row["epoch"] for row in cut} == {1, 2, 3}
    assert all(row == unbroken[row["epoch"] - 1] for row in cut), "that in which it was cut off is told twice"
    assert cores == [1, 1, 1]


def test_what_would_be_kept_is_judged_by_merit_and_told_in_the_sweeps_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """A better epoch after a resumption replaces it, a worse one does not, nor one that has no number."""
    told: list[float] = []
    monkeypatch.setattr(trials.tune, "report", lambda row: told.append(row["kept"]))

    def epochs(report: Report, *rows: tuple[float, float]) -> Report:
        for merit, loss in rows:
            row = dict.fromkeys(CURVE, 0.0) | {"val_loss": loss, "val_merit": merit}
            trainer = Trainer(logger=False, enable_checkpointing=False, barebones=True)
            trainer.callback_metrics.update({name: torch.tensor(value) for name, value in row.items()})
            report.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
        return report

    first = epochs(Report("val_loss"), (float("nan"), float("nan")), (0.5, 0.25), (0.25, 0.125))
    again = Report("val_loss")
    again.load_state_dict(first.state_dict())
    epochs(again, (0.375, 0.0625), (0.75, 0.5), (float("nan"), float("nan")))
    assert np.isnan(told[0])
    assert told[1:] == [0.25, 0.25, 0.25, 0.5, 0.5]
