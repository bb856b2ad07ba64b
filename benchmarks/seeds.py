"""The ConvNet's recipe with five seeds, each through the whole audit: benchmarks/seeds.json.

    python -m benchmarks.seeds [SOURCE]      without a name: mnist; what another source gives stays in .resume/seeds

Each seed has a workplace of its own, a clone of the last commit with the seed in its params.yaml and its own MLflow
store, and shares this project's DVC cache: what is in there is not made again, and a training that was killed goes on.
The first two seeds are trained in float32 as well, as on a processor without bfloat16 arithmetic. The folds, which try
the recipe whatever the seed, are left out.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.clone import last_commit
from benchmarks.machine import processor
from pipeline.paths import EVALUATIONS, RESUME, VERDICTS

NETWORK = "convnet"
FLOAT32 = "32-true"
RESULTS = Path("benchmarks/seeds.json")
WORKPLACES = RESUME / "seeds"
WIDE = 200
"""Characters that the table may take, wider than the terminal or not: a value cut short says nothing."""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One training and its audit: the seed, and the arithmetic where it is another than the recipe's."""

    seed: int
    isa: str | None = None

    @property
    def name(self) -> str:
        return f"{self.seed} {self.isa}" if self.isa else str(self.seed)


JOBS = [*(Job(seed) for seed in range(5)), *(Job(seed, FLOAT32) for seed in range(2))]


class Trials:
    """Jobs on one source, side by side; `stop` ends those that run, and they go on another time."""

    def __init__(self, source: str, jobs: Sequence[Job]) -> None:
        self._source, self._jobs = source, jobs
        cores = len(os.sched_getaffinity(0))
        self._at_once = min(len(jobs), cores)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "GIT_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
        self._environ = own | {"PATH": path, "OMP_NUM_THREADS": str(cores // self._at_once)}
        self._begun: list[subprocess.Popen[str]] = []
        self._stopped = False
        self._starting = threading.Lock()

    def run(self, results: Path) -> list[Job]:
        """Write what each job gave to ``results`` as it ends; the jobs that gave nothing."""
        entries: list[Entry] = []
        failed = []
        with ThreadPoolExecutor(self._at_once) as pool:
            try:
                waiting = {pool.submit(self._tried, job): job for job in self._jobs}
                for future in as_completed(waiting):
                    if future.result():
                        entries.append(entry(waiting[future], workplace(waiting[future])))
                        write(results, entries)
                    else:
                        failed.append(waiting[future])
            except BaseException:
                self.stop()
                pool.shutdown(cancel_futures=True)
                raise
        return failed

    def stop(self) -> None:
        with self._starting:
            self._stopped = True
        for process in self._begun:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)

    def _tried(self, job: Job) -> bool:
        folder = prepare(job, self._source)
        with self._starting:
            if self._stopped:
                return False
            process = subprocess.Popen(
                [sys.executable, "-m", "dvc", "repro", f"evaluate@{NETWORK}", f"judge@{NETWORK}"],
                cwd=folder,
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
            self._begun.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                print(f"seed {job.name}: {line.rstrip()}", flush=True)
        return process.wait() == 0


def workplace(job: Job) -> Path:
    return WORKPLACES / job.name.replace(" ", "-")


def prepare(job: Job, source: str) -> Path:
    """The job's workplace as its folder: this project as last committed, with the job in params.yaml."""
    folder = workplace(job)
    project = Path.cwd()
    last_commit(project, folder)
    cache = command(project, sys.executable, "-m", "dvc", "cache", "dir").strip()
    command(folder, sys.executable, "-m", "dvc", "config", "--quiet", "--local", "cache.dir", cache)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["source"] = source
    params["train"]["seed"] = job.seed
    if job.isa:
        params["train"]["trainer"]["precision"] = job.isa
    params["folds"] = {NETWORK: 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return folder


def command(folder: Path, *words: str) -> str:
    return subprocess.run(
        words, cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ).stdout


def entry(job: Job, folder: Path) -> Entry:
    """What the job's workplace says of it: which gates failed, and each gate's value, None where not measurable."""
    gates = json.loads((folder / VERDICTS / f"{NETWORK}.json").read_text(encoding="utf-8"))["gates"]
    return {
        "seed": job.seed,
        "processor": processor(),
        "isa": job.isa,
        "errors": json.loads((folder / EVALUATIONS / NETWORK / "test.json").read_text(encoding="utf-8"))["errors"],
        "failed": [gate["name"] for gate in gates if gate["status"] == "failed"],
        "values": {gate["name"]: gate["value"] for gate in gates},
    }


def write(results: Path, entries: list[Entry]) -> None:
    entries.sort(key=lambda one: (one["isa"] or "", one["seed"]))
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"seeds": entries}, indent=2) + "\n", encoding="utf-8")


def table(entries: list[Entry]) -> Table:
    """A row for each gate, a column for each seed; mean and range are those of the recipe's own arithmetic."""
    own = [one for one in entries if not one["isa"]]
    passed = sum(not one["failed"] for one in entries)
    title = f"{passed} of {len(entries)} pass every gate (* failed; mean, deviation and range without other arithmetic)"
    made = Table(title=title)
    made.add_column("")
    for one in entries:
        made.add_column(Job(one["seed"], one["isa"]).name, justify="right")
    for column in ("mean", "deviation", "range"):
        made.add_column(column, justify="right")
    made.add_row("errors", *(str(one["errors"]) for one in entries), *spread([one["errors"] for one in own]))
    for gate in entries[0]["values"]:
        shown = [
            f"{number(one['values'][gate])}*" if gate in one["failed"] else number(one["values"][gate])
            for one in entries
        ]
        made.add_row(gate, *shown, *spread([one["values"][gate] for one in own]))
    made.add_row("failed", *(str(len(one["failed"])) for one in entries))
    return made


def spread(values: Sequence[float | None]) -> list[str]:
    """Mean, standard deviation and range of what could be measured."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ["", "", ""]
    ends = f"{number(min(known))} to {number(max(known))}"
    return [number(statistics.mean(known)), number(statistics.stdev(known)), ends]


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def main(source: str = "mnist") -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if changed := command(Path.cwd(), "git", "status", "--porcelain", "--untracked-files=no"):
        print(f"What is not committed is left out:\n{changed}", flush=True)
    results = RESULTS if source == "mnist" else WORKPLACES / f"{source}.json"
    failed = Trials(source, JOBS).run(results)
    if results.exists():
        Console(width=WIDE).print(table(json.loads(results.read_text(encoding="utf-8"))["seeds"]))
        print(f"In {results}; each report under {WORKPLACES}/SEED/reports/audit/{NETWORK}/")
    if failed:
        sys.exit(f"Not finished, for the reason above: seed {', '.join(job.name for job in failed)}. Run it again.")


if __name__ == "__main__":
    main(*sys.argv[1:])
