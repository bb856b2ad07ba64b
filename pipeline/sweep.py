"""Search a network's hyperparameters as params.yaml's section `sweep` says, judged on validation alone.

    python -m pipeline.sweep

Trials train on data/processed/ as the stage `train` does, and the last line printed is the one that has the stage train
the best of them. A sweep that was killed goes on when the same command is run again; docs/sweeps.md has more.
"""

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from pipeline import params, terminal
from pipeline.data.store import load_split
from pipeline.models.networks import Network
from pipeline.params import ParamsError, Train
from pipeline.paths import PROCESSED, RESUME
from pipeline.stage import stage
from pipeline.sweeps import search, space
from pipeline.sweeps.results import Outcome, of_result, ranked
from pipeline.sweeps.space import Sweep
from pipeline.tracking import runkey

PACKAGES = ("ray", "optuna")
SHOWN = 5
"""Trials in the table."""


@stage("sweep")
def main() -> None:
    source, options, networks, candidates, sweep = params.load(
        "data.source", "train", "networks", "candidates", "sweep"
    )
    check(sweep, networks, candidates, options)
    if lacking := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        sys.exit(f"sweep: {' and '.join(lacking)} of the extra `scale` is not installed: `make setup` installs it")
    data = {name: load_split(PROCESSED, name) for name in ("train", "val")}
    network = networks[sweep.network]
    key = key_of(sweep)
    print(
        f"{sweep.network}: {sweep.trials} trials on {source}, {sweep.concurrent} at a time; Ray starts",
        file=sys.stderr,
        flush=True,
    )

    with search.cluster(sweep.concurrent):
        from pipeline.sweeps.progress import Told  # Ray, which takes its settings as it is imported; and torch
        from pipeline.sweeps.trial import Setting
        from pipeline.tracking import sweeps

        setting = Setting(network, options, sweep.metric, (RESUME / name(key)).resolve())
        with sweeps.sweep(sweep.network, source, key, sweep.model_dump(exclude_unset=True)) as run_id:
            callbacks: list[Any] = [Told(sweep.trials)]
            if run_id:
                callbacks.append(sweeps.Trials(run_id, sweep.network, source))
            results = search.search(sweep, setting, data, callbacks)
            found = ranked(map(of_result, results), sweep.mode)
            best = found[0]
            if best.state != "complete" or math.isnan(best.kept):
                raise ParamsError(
                    f"no trial came to its end with a {sweep.metric}. The same command tries those again that failed."
                )
            line = space.command(sweep, network, best.values)
            if run_id:
                sweeps.publish_best(run_id, sweep.metric, best.kept, line)
    terminal.console().print(table(sweep, found))
    print(f"The best of them, {sweep.metric} {best.kept:.6f}, is trained by the stage `train`, and kept, with\n{line}")


def key_of(sweep: Sweep) -> str:
    """A hash of everything that makes a sweep, 16 hex digits. Raises what `runkey.inputs` does."""
    read = runkey.inputs(f"train@{sweep.network}").key
    code = runkey.hash_path(Path(search.__file__).parent)
    return runkey.digest({"train": read, "sweep": sweep.model_dump(exclude_unset=True), "code": code})[:16]


def name(key: str) -> str:
    """What the folder of a sweep with this key is called."""
    return f"sweep-{key}"


def table(sweep: Sweep, found: list[Outcome]) -> Table:
    """A row for each of the best trials."""
    title = f"{sweep.network}: the best of {len(found)} trials, on validation"
    shown = Table("trial", *sweep.space, sweep.metric, "state", "epochs", title=title, box=box.SIMPLE_HEAD)
    for one in found[:SHOWN]:
        values = (str(one.values[name]) for name in sweep.space)
        shown.add_row(str(one.number), *values, f"{one.kept:.4f}", one.state, str(one.epoch))
    return shown


def check(sweep: Sweep, networks: dict[str, Network], candidates: list[str], options: Train) -> None:
    """Raise ParamsError where a trial could not be trained, or not be trained again by the stage `train`."""
    if sweep.network not in candidates:
        raise ParamsError(
            f"sweep.network: {sweep.network!r} is none of the candidates of params.yaml, {', '.join(candidates)}, "
            "which are what the stage `train` trains"
        )
    trainer = options.trainer
    if (trainer.accelerator, trainer.devices, trainer.num_nodes) != ("cpu", 1, 1):
        raise ParamsError(
            "a sweep's trials train on a core each: train.trainer must name the accelerator cpu, 1 device, 1 node"
        )
    if found := space.complaints(sweep, networks[sweep.network]):
        raise ParamsError("params.yaml:\n" + "\n".join(f"  {line}" for line in found))


if __name__ == "__main__":
    main()
