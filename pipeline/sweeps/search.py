"""The search: Ray Tune runs trials side by side, Optuna proposes them, ASHA prunes those that fall behind."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from pipeline import ray_session
from pipeline.sweeps.results import folder
from pipeline.sweeps.space import Sweep, applied, domains

if TYPE_CHECKING:
    from ray.tune import Callback, Result, TuneConfig

    from pipeline.sweeps.trial import Setting

ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # or Tune prints tables of its own
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # MLflow has what they would write
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # or Ctrl-C waits for the trials
    "TUNE_GLOBAL_CHECKPOINT_S": "1",  # or a sweep that is killed forgets its last ten seconds
}
"""What Ray Tune reads as it is imported."""
STORE = 2**28
"""Bytes of Ray's object store, in which the images lie once for all trials."""


@contextmanager
def cluster(cores: int) -> Iterator[None]:
    """Ray on this machine alone, for the body."""
    ray_session.prepare(ENVIRONMENT)
    with ray_session.session("local", num_cpus=cores, include_dashboard=False, object_store_memory=STORE):
        yield


def search(
    sweep: Sweep,
    setting: "Setting",
    data: Mapping[str, tuple[np.ndarray, np.ndarray]],
    callbacks: "list[Callback]",
) -> "list[Result]":
    """Run a sweep's trials, those that ``setting.folder`` has not; to be called within `cluster`.

    A sweep that was cut off goes on with its trials where they were, and with the callbacks with which it began.
    """
    import optuna
    from ray import tune

    from pipeline.sweeps.trial import train

    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a trial's fault is told in a line
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trainable = tune.with_resources(tune.with_parameters(train, setting=setting, data=data), {"cpu": 1})
    if tune.Tuner.can_restore(str(setting.folder)):
        tuner = tune.Tuner.restore(str(setting.folder), trainable, resume_errored=True)
    else:
        place = tune.RunConfig(setting.folder.name, str(setting.folder.parent), callbacks=callbacks, verbose=0)
        tuner = tune.Tuner(
            trainable, param_space=domains(sweep.space), tune_config=strategy(sweep, setting), run_config=place
        )
    results = tuner.fit()
    found = [results[index] for index in range(len(results))]
    for one in found:
        shutil.rmtree(setting.folder / (one.metrics or {}).get("trial_id", "none"), ignore_errors=True)
    return found


def strategy(sweep: Sweep, setting: "Setting") -> "TuneConfig":
    """How values are proposed, and trials pruned, by what they tell of themselves as `Report` does."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    return tune.TuneConfig(
        metric="kept",
        mode=sweep.mode,
        num_samples=sweep.trials,
        max_concurrent_trials=sweep.concurrent,
        reuse_actors=True,
        trial_dirname_creator=folder,
        search_alg=OptunaSearch(seed=sweep.seed),
        scheduler=ASHAScheduler("epoch", max_t=longest(sweep, setting), **sweep.early_stopping.model_dump()),
    )


def longest(sweep: Sweep, setting: "Setting") -> int:
    """The most epochs that a trial may have."""
    searched = sweep.space.get("epochs")
    values = searched.extremes if searched else [setting.network.epochs]
    return max(applied(setting.network, {"epochs": value}).epochs for value in values)
