"""How far a sweep is: a bar of all trials' epochs, and a line for each trial that has ended."""

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
        self.task = self.bar.add_task("trials", total=self.trials)
        self.bar.start()

    def on_trial_start(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.show(trials)

    def on_trial_complete(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.say(trials, of_trial(trial))

    def on_trial_error(self, iteration: int, trials: "list[Trial]", trial: "Trial", **_: Any) -> None:
        self.say(trials, of_trial(trial, failed=True))

    def on_experiment_end(self, trials: "list[Trial]", **_: Any) -> None:
        self.bar.stop()

    def say(self, trials: "list[Trial]", found: Outcome) -> None:
        print(f"trial {found.number}/{self.trials}: {found}", flush=True)
        self.show(trials)

    def show(self, trials: "list[Trial]") -> None:
        running = [str(number(one.experiment_tag)) for one in trials if one.status == one.RUNNING]
        ended = sum(one.is_finished() for one in trials)
        self.bar.update(self.task, completed=ended, description=f"trials {', '.join(running)} train")
