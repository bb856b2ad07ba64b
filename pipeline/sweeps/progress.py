"""How far a sweep is: a bar of its trials, and a line for each trial that has ended."""

import atexit
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.sweeps.results import Outcome, number, of_trial

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


class Told(Callback):
    """Tells of trials as they go; it is pickled with the sweep, so that it begins its bar anew in each process."""

    def __init__(self, trials: int) -> None:
        self.trials = trials

    def setup(self, *_: Any, **__: Any) -> None:
        console = Console(stderr=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.bar.add_task("starting", total=self.trials)
        self.bar.start()
        atexit.register(self.bar.stop)  # however it ends: the bar hides the cursor

    def on_step_end(self, iteration: int, trials: "list[Trial]", **_: Any) -> None:
        running = [str(number(one.experiment_tag)) for one in trials if one.status == one.RUNNING]
        ended = sum(one.is_finished() for one in trials)
        self.bar.update(self.task, completed=ended, description=f"training {', '.join(running)}")

    def on_trial_complete(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.say(of_trial(trial))

    def on_trial_error(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.say(of_trial(trial, failed=True), why=f": {fault(trial)}")

    def on_experiment_end(self, trials: "list[Trial]", **_: Any) -> None:
        self.bar.stop()

    def say(self, found: Outcome, why: str = "") -> None:
        print(f"trial {found.number}/{self.trials}: {found}{why}", flush=True)


def fault(trial: "Trial") -> str:
    """What made a trial fail, in a line: Ray writes the whole way to it before that."""
    return Path(trial.error_file).read_text(encoding="utf-8").strip().rpartition("\n")[-1]
