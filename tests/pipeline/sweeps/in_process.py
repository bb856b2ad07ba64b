"""Ray Tune without Ray: its own trials, sampler, scheduler and callbacks, in this process, a trial after the other."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from ray.train._internal.storage import StorageContext
from ray.tune import Result
from ray.tune.experiment import Trial
from ray.tune.experiment.trial import _TrialInfo
from ray.tune.schedulers import TrialScheduler
from ray.tune.trainable import FunctionTrainable, wrap_function

from pipeline.sweeps.results import folder
from pipeline.sweeps.search import ENVIRONMENT


class Storage(StorageContext):
    """Keeps beside a sweep's state what Ray keeps in the folder of its session."""

    def _get_session_path(self) -> str:
        return f"{self.storage_fs_path}/session"


def trial(
    place: Path, number: int, config: dict[str, Any], trial_id: str | None = None, creator: Any = folder
) -> Trial:
    """One of Ray's own trials that has not begun, whose files lie in ``place``."""
    made = Trial(
        "train",
        config=config,
        trial_id=trial_id,
        storage=Storage(str(place), "sweep"),
        experiment_tag=f"{number}_{','.join(config)}",
        trial_dirname_creator=creator,
        stub=True,
    )
    made.init_local_path()
    return made


def fail(one: Trial, error: Exception) -> None:
    """End a trial with an error, as Ray does, which writes down how it came to it."""
    told = "".join(traceback.format_exception(error.__cause__ or error))
    one.handle_error(RuntimeError(told))  # type: ignore[arg-type]
    one.set_status(Trial.ERROR)


@contextmanager
def begun(one: Trial, function: Any) -> Iterator[FunctionTrainable]:
    """A trial's training, which each call of ``train`` takes to its next report."""
    with patch.dict(os.environ, ENVIRONMENT):  # or it goes to the trial's folder
        trainable = wrap_function(function)({**one.config, "__trial_info__": _TrialInfo(one)}, one.storage)
    try:
        yield trainable
    finally:
        trainable.stop()


def result(one: Trial) -> Result:
    """What Ray tells of a trial that has ended."""
    error = RuntimeError() if one.status == Trial.ERROR else None
    return Result({"config": one.config} | one.last_result, None, error, str(one.path))


class Tuner:
    """Stands for Ray's Tuner. A sweep can be cut off, after which it is found by its folder."""

    made: ClassVar[dict[str, "Tuner"]]
    """by folder"""
    reports_left: ClassVar[float]
    """after which the sweep is cut off"""

    def __init__(self, function: Any, param_space: Any, tune_config: Any, run_config: Any) -> None:
        self.function, self.config, self.callbacks = function, tune_config, run_config.callbacks
        self.place = Path(run_config.storage_path)
        self.trials: list[Trial] = []
        goal = {"metric": self.config.metric, "mode": self.config.mode}
        assert self.config.search_alg.set_search_properties(config=param_space, **goal)
        assert self.config.scheduler.set_search_properties(**goal)
        self.made[str(self.place / run_config.name)] = self

    @classmethod
    def can_restore(cls, place: str) -> bool:
        return place in cls.made

    @classmethod
    def restore(cls, place: str, function: Any, resume_errored: bool) -> "Tuner":
        tuner = cls.made[place]
        tuner.function = function
        for one in tuner.trials:
            if not one.is_finished() or (resume_errored and one.status == Trial.ERROR):
                one.set_status(Trial.PENDING)
        return tuner

    def fit(self) -> list[Result]:
        for callback in self.callbacks:
            callback.setup()
        for number in range(1, self.config.num_samples + 1):
            if number > len(self.trials):
                trial_id = Trial.generate_id()
                drawn = self.config.search_alg.suggest(trial_id)
                self.trials.append(trial(self.place, number, drawn, trial_id, self.config.trial_dirname_creator))
                self.config.scheduler.on_trial_add(None, self.trials[-1])
            if not self.trials[number - 1].is_finished():
                self.run(self.trials[number - 1])
        for callback in self.callbacks:
            callback.on_experiment_end(self.trials)
        return [result(one) for one in self.trials]

    def run(self, one: Trial) -> None:
        """Train to the end, or until the scheduler stops it."""
        one.set_status(Trial.RUNNING)
        self.tell("trial_start", one)
        try:
            with begun(one, self.function) as training:
                while self.goes_on(one, training.train()):
                    pass
        except Exception as error:
            fail(one, error)
            self.config.search_alg.on_trial_complete(one.trial_id, error=True)
            self.tell("trial_error", one)
        else:
            one.set_status(Trial.TERMINATED)
            self.config.search_alg.on_trial_complete(one.trial_id, one.last_result)
            self.tell("trial_complete", one)

    def goes_on(self, one: Trial, report: dict[str, Any]) -> bool:
        if "__duplicate__" in report:
            return False
        one.update_last_result(report)
        self.config.search_alg.on_trial_result(one.trial_id, report)
        self.tell("trial_result", one, result=report)
        Tuner.reports_left -= 1
        if not Tuner.reports_left:
            raise KeyboardInterrupt
        return self.config.scheduler.on_trial_result(None, one, report) == TrialScheduler.CONTINUE

    def tell(self, event: str, one: Trial, **more: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, f"on_{event}")(iteration=0, trials=self.trials, trial=one, **more)
            callback.on_step_end(0, self.trials)
