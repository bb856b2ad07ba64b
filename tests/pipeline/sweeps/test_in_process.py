"""`make sweep` whole, in this process: trials are cut off, pruned, fail, diverge, and the stage trains them again."""

import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import ray
import torch
from dvc.utils.hydra import apply_overrides
from mlflow import MlflowClient
from mlflow.entities import Run
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from pipeline import params, sweep, train
from pipeline.sweeps import space
from tests.pipeline.sweeps import project
from tests.pipeline.sweeps.in_process import Tuner
from tests.pipeline.workspace import edited

NETWORK, EPOCHS = project.NETWORK, 2
LEARNS = {"learning_rate": {"loguniform": [0.001, 0.05]}, "hidden": {"choice": [[4], [24]]}}
RATE = {"learning_rate": {"loguniform": [1e-9, 1e30]}, "batch_size": {"choice": [240]}}
GOOD, POOR, DIVERGES = ({"learning_rate": rate, "batch_size": "240"} for rate in (0.02, 1e-9, 1e30))
FAILS = {"learning_rate": 0.02, "batch_size": "100000"}
"""With more images in a batch than there are."""

Begin = Callable[..., None]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        project.write(folder, {"concurrent": 1, "metric": "val_loss"})
    return folder


@pytest.fixture
def begin(files: Path, tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """A function that writes a sweep's section into a project, in which the test runs, without Ray."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tune, "Tuner", Tuner)
    monkeypatch.setattr(Tuner, "made", {}, raising=False)
    monkeypatch.setattr(Tuner, "reports_left", 0, raising=False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    rng = np.random.default_rng()

    def write(searched: dict[str, Any], *proposed: dict[str, Any], trials: int = 0, grace_period: int = EPOCHS) -> None:
        """Trials take the values that are proposed, else those that Optuna draws."""
        with edited(tmp_path / "params.yaml") as content:
            content["networks"][NETWORK] |= {"epochs": EPOCHS, "batch_size": 120, "dropout": 0.1}
            content["train"]["seed"] = int(rng.integers(1000))
            content["sweep"] |= {"space": searched, "trials": trials or len(proposed), "seed": int(rng.integers(1000))}
            content["sweep"]["early_stopping"] |= {"grace_period": grace_period}
        drawn, given = OptunaSearch.suggest, iter(proposed)
        monkeypatch.setattr(OptunaSearch, "suggest", lambda *args: {**(drawn(*args) or {}), **next(given, {})})

    threads = torch.get_num_threads()
    with patch.dict(os.environ):
        yield write
    torch.set_num_threads(threads)


def runs(stage: str) -> list[Run]:
    """MLflow's runs of a stage, in the order in which they began."""
    client = MlflowClient()
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.stage = '{stage}'")
    return sorted(found, key=lambda run: int(run.info.run_name.rpartition("-")[2], 16))


def points(run: Run, name: str) -> list[float]:
    found = MlflowClient().get_metric_history(run.info.run_id, f"curve/{name}")
    assert [point.step for point in found] == list(range(1, len(found) + 1))
    return [point.value for point in found]


@pytest.mark.slow
def test_trials_of_a_sweep_that_was_cut_off_are_trainings_of_the_stage_to_the_bit(begin: Begin, capsys) -> None:
    trials = 2
    begin(LEARNS, trials=trials)
    Tuner.reports_left = reports = int(np.random.default_rng().integers(1, trials * EPOCHS))
    with pytest.raises(KeyboardInterrupt):
        sweep.main([])
    [killed], begun = runs("sweep"), {run.info.run_id for run in runs("trial")}
    assert (killed.info.status, len(begun)) == ("KILLED", -(-reports // EPOCHS))
    assert sum(len(points(run, "val_loss")) for run in runs("trial")) == reports

    sweep.main([])
    printed = capsys.readouterr().out.splitlines()
    [parent], found = runs("sweep"), runs("trial")
    assert (parent.info.run_id, parent.info.status) == (killed.info.run_id, "FINISHED")
    assert begun <= {run.info.run_id for run in found}
    assert [(run.info.status, run.data.tags["state"]) for run in found] == [("FINISHED", "complete")] * trials
    assert not list(Path(".resume").rglob("*.ckpt"))

    best = min(found, key=lambda run: points(run, "val_loss")[-1])
    assert parent.data.metrics["best/val_loss"] == points(best, "val_loss")[-1]
    assert f"val_loss {points(best, 'val_loss')[-1]:.6f}" in printed[-2]
    assert parent.data.tags["reproduce"] == printed[-1]
    text, config = Path("params.yaml").read_text(), params.load(f"networks.{NETWORK}")
    for run in found:
        values = {name: json.loads(value) for name, value in run.data.params.items()}
        line = space.command(params.load("sweep"), config, values)
        assert (line == printed[-1]) is (run is best)
        apply_overrides(Path("params.yaml"), [word for word in shlex.split(line)[1:] if "=" in word])
        torch.set_num_threads(1)  # as the line has it
        train.main([NETWORK])
        curve = pd.read_csv(f"models/trained/{NETWORK}/curve.csv")
        for name in ("train_loss", "val_loss", "val_accuracy"):
            assert points(run, name) == curve[name].tolist()
        Path("params.yaml").write_text(text)


def test_what_became_of_each_trial_is_told_in_a_line_in_the_table_and_in_mlflow(begin: Begin, capsys) -> None:
    """One that diverged is not the best, one that failed is told with why, and all have their numbers."""
    rng = np.random.default_rng()
    order = [GOOD, POOR]
    for other in (FAILS, DIVERGES):
        order.insert(int(rng.integers(len(order) + 1)), other)
    begin(RATE, *order, grace_period=1)
    sweep.main([])
    printed = capsys.readouterr().out.splitlines()
    number = {name: order.index(one) + 1 for name, one in zip("GPFD", (GOOD, POOR, FAILS, DIVERGES), strict=True)}
    states = {"G": "complete", "P": "pruned", "F": "failed", "D": "complete"}
    expected = {
        "G": "complete, ",
        "P": "pruned after epoch 1, ",
        "F": "failed after epoch 0 with ",
        "D": "complete, nan with ",
    }
    told = [line for line in printed if line.startswith("trial ")]
    for name, text in expected.items():
        assert told[number[name] - 1].startswith(f"trial {number[name]}/4: {text}")
    assert told[number["F"] - 1].endswith(
        "ValueError: 960 training images do not fill a batch of 100000; lower batch_size"
    )

    rows = [line.split() for line in printed if line.strip()[:1].isdigit()]
    assert [(int(row[0]), row[-2]) for row in rows] == [(number[name], states[name]) for name in "GDPF"]
    assert "networks.mlp.learning_rate=0.02 " in printed[-1]
    found = runs("trial")
    assert [run.data.tags["state"] for run in found] == [
        states[name] for name in sorted(number, key=lambda n: number[n])
    ]
    assert found[number["F"] - 1].info.status == "FAILED"
    assert len(points(found[number["P"] - 1], "val_loss")) == 1


def test_where_no_trial_has_a_loss_those_that_failed_are_tried_again(begin: Begin, capsys) -> None:
    begin(RATE, FAILS, DIVERGES)
    for lines in (2, 1):
        with pytest.raises(
            SystemExit, match=r"^sweep: no trial came to its end with a val_loss\. The same command tries"
        ):
            sweep.main([])
        told = capsys.readouterr().out.splitlines()
        assert [line.startswith("trial 1/2: failed") for line in told if line.startswith("trial ")] == [True, False][
            :lines
        ]
    [parent] = runs("sweep")
    assert parent.info.status == "FAILED"
    assert "reproduce" not in parent.data.tags
    assert [run.info.status for run in runs("trial")] == ["FAILED", "FINISHED"]


def test_what_is_searched_and_how_makes_another_sweep(begin: Begin) -> None:
    begin(LEARNS, trials=2)
    section = params.load("sweep")
    key = sweep.key_of(section)
    assert sweep.key_of(params.load("sweep")) == key
    for change in ({"seed": section.seed + 1}, {"trials": 3}, {"metric": "val_accuracy"}):
        assert sweep.key_of(section.model_copy(update=change)) != key
    with edited(Path("params.yaml")) as content:
        content["networks"][NETWORK]["dropout"] = 0.2
    assert sweep.key_of(section) != key


def test_a_package_that_is_not_installed_is_named(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(LEARNS, trials=2)
    monkeypatch.setattr(sweep, "PACKAGES", ("numpy", "inkwell_has_no_such"))
    with pytest.raises(SystemExit, match=r"^sweep: inkwell_has_no_such of the extra `scale` is not installed"):
        sweep.main([])
