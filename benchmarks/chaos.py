"""End runs of the pipeline at 50 moments, go on each time, and compare with a run that nothing disturbed.

    python -m benchmarks.chaos [BLOWS]

The moments are drawn from a seed, as many in every stage and several to a run: SIGKILL of the stage, of DVC or of all,
SIGTERM of make, and the SIGHUP of a terminal that closes. A run is clones of the last commit with small networks on
the UCI digits. A blow is survived if nothing of the run was alive five seconds later, and if the run that it fell in
came to the same bytes in every output, with all its MLflow runs ended. What is done is kept in .resume/chaos/, and goes
on when the same command is run again; the result is written to benchmarks/chaos.json.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.clone import last_commit
from pipeline import ending
from pipeline.audits.gates import GATES
from pipeline.paths import RESUME

BLOWS = 50
A_RUN = 17
SEED = 16
SOURCE = "uci-digits"
RESULTS = Path("benchmarks/chaos.json")
WORKPLACES = RESUME / "chaos"
COMMAND = ("make", "-o", ".venv/.installed", "run", f"DATA={SOURCE}")
"""With the environment of this project, which must not be made anew for a clone."""
GONE_S = 5.0
LOOK_S = 0.05
SMALL: dict[str, dict[str, Any]] = {
    "perceptron": {"epochs": 2},
    "mlp": {"epochs": 2, "hidden": [32]},
    "convnet": {"epochs": 8, "width": 4},
}
"""What makes the networks small enough to be trained in seconds."""
TEST = 0.06
RESAMPLES = 200
"""The share of the images that are tested on, and how often they are resampled, for an audit of seconds."""

Params = dict[str, Any]


@dataclass(frozen=True)
class Blow:
    """One end of a run: in which stage, after which share of the time that it takes, and how."""

    stage: str
    after: float
    how: str


@dataclass
class Dealt:
    """A blow as it fell: where, and seconds until nothing was left of the run; None where something stayed."""

    blow: Blow
    fell_in: str
    gone_s: float | None


def cut(params: Params) -> Params:
    """params.yaml's content, with a small source, small networks and gates that these pass."""
    params["data"]["source"] = SOURCE
    for network, config in SMALL.items():
        params["networks"][network].update(config, batch_size=32)
    names = params["gates"]["default"]["all"]
    wide = {name: 0.001 if GATES[name].limit == "at least" else 0.99 for name in names} | {"error": 0.5}
    params["gates"] = {"default": {"all": wide}} | {name: {} for name in params["candidates"]}
    return params


def plan(stages: Sequence[str], count: int, seed: int) -> list[Blow]:
    """So many blows, in the order of the stages, each of which has its share of them, and so has each kind."""
    rng = random.Random(seed)
    kinds = [list(KINDS)[place % len(KINDS)] for place in range(count)]
    rng.shuffle(kinds)
    places = sorted(place % len(stages) for place in range(count))
    return [Blow(stages[place], rng.random(), kind) for place, kind in zip(places, kinds, strict=True)]


def processes(folder: Path) -> list[psutil.Process]:
    """All processes that work in a folder, but for those that have ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def told(process: psutil.Process) -> str:
    """A process's command line; nothing where it has ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def stage_among(found: Sequence[psutil.Process], stages: Sequence[str]) -> tuple[psutil.Process, str] | None:
    """The process of a stage, the first of those with its command line, and the stage's name."""
    for process in sorted(found, key=lambda one: one.pid):
        _, _, command = told(process).partition("-m pipeline.")
        if (name := command.replace(" ", "@")) in stages:
            return process, name
    return None


def send(number: signal.Signals, *found: psutil.Process) -> None:
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def named(found: Sequence[psutil.Process], part: str) -> list[psutil.Process]:
    return [process for process in found if part in told(process)]


@contextmanager
def signals_as_in_a_terminal() -> Iterator[None]:
    """Begin processes that a hang-up and Ctrl-C reach, even where this one was begun by nohup or in the background."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in (signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


KINDS: dict[str, Callable[[list[psutil.Process], psutil.Process | None], None]] = {
    "SIGKILL of the stage": lambda found, stage: send(signal.SIGKILL, *([stage] if stage else found[:1])),
    "SIGKILL of DVC": lambda found, _: send(signal.SIGKILL, *named(found, "dvc")),
    "SIGKILL of all": lambda found, _: send(signal.SIGKILL, *found),
    "SIGTERM of make": lambda found, _: send(signal.SIGTERM, *named(found, "make")),
    "SIGKILL of make": lambda found, _: send(signal.SIGKILL, *named(found, "make")),
    "SIGHUP of all": lambda found, _: send(signal.SIGHUP, *found),
}


class Trial:
    """The pipeline in a folder, with blows or without; ``log`` takes what it prints."""

    def __init__(self, folder: Path, stages: Sequence[str], command: Sequence[str], log: Path) -> None:
        self._folder, self._stages, self._command, self._log = folder.resolve(), stages, command, log

    def calm(self) -> dict[str, float]:
        """Run it to its end; the seconds that each stage took."""
        began: dict[str, float] = {}
        ended: dict[str, float] = {}
        run = self._start()
        while run.poll() is None:
            if found := stage_among(processes(self._folder), self._stages):
                began.setdefault(found[1], time.monotonic())
                ended[found[1]] = time.monotonic()
            time.sleep(LOOK_S)
        self._check(run)
        return {name: ended[name] - began[name] for name in began}

    def struck(self, blows: Sequence[Blow], durations: Mapping[str, float]) -> list[Dealt]:
        """Deal the blows, in the order of their stages, begin again after each, and run it to its end.

        A blow that comes too late for its stage falls in a later one; those that come too late for all are left out.
        """
        dealt: list[Dealt] = []
        for blow in blows:
            run = self._start()
            if self._await(run, blow, durations):
                dealt.append(self._deal(blow))
                run.wait()
                continue
            self._check(run)
            return dealt
        run = self._start()
        self._check(run)
        return dealt

    def _start(self) -> subprocess.Popen[bytes]:
        foreign = ("MLFLOW", "GIT_", "DVC_", "MAKE", "MFLAGS")
        own = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        environ = own | {"PATH": f"{Path(sys.executable).parent}:{own['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with self._log.open("ab") as log, signals_as_in_a_terminal():
            return subprocess.Popen(
                self._command, cwd=self._folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )

    def _check(self, run: subprocess.Popen[bytes]) -> None:
        if run.wait():
            raise RuntimeError(
                f"the run in {self._folder} failed:\n{self._log.read_text(errors='replace', encoding='utf-8')[-3000:]}"
            )

    def _await(self, run: subprocess.Popen[bytes], blow: Blow, durations: Mapping[str, float]) -> bool:
        """Wait until it is time for a blow; whether the run is still there."""
        first = self._stages.index(blow.stage)
        while run.poll() is None:
            found = stage_among(processes(self._folder), self._stages)
            if found and self._stages.index(found[1]) >= first:
                time.sleep(blow.after * durations[found[1]])
                return run.poll() is None
            time.sleep(LOOK_S)
        return False

    def _deal(self, blow: Blow) -> Dealt:
        found = processes(self._folder)
        stage = stage_among(found, self._stages)
        KINDS[blow.how](found, stage[0] if stage else None)
        struck = time.monotonic()
        while left := processes(self._folder):
            if time.monotonic() - struck > GONE_S:
                print(f"still there: {'; '.join(map(told, left))}", flush=True)
                send(signal.SIGKILL, *left)
                return Dealt(blow, stage[1] if stage else "between stages", None)
            time.sleep(LOOK_S)
        return Dealt(blow, stage[1] if stage else "between stages", round(time.monotonic() - struck, 2))


def stages_of(folder: Path) -> list[str]:
    """The stages of a project, in the order in which DVC runs them, by the name that dvc.lock gives them."""
    words = [sys.executable, "-m", "dvc", "repro", "--dry", "--force"]
    printed = subprocess.run(words, cwd=folder, check=True, capture_output=True, encoding="utf-8").stdout
    return [line.partition("'")[2].rstrip("':") for line in printed.splitlines() if line.startswith("Running stage")]


def outputs(folder: Path) -> dict[str, str]:
    """The sha256 of every file that a run wrote, by its path."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    found = {}
    for entry in (entry for stage in stages.values() for entry in stage.get("outs", [])):
        path = folder / entry["path"]
        for file in [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file()):
            if file.name != ".gitignore":  # DVC's own
                found[str(file.relative_to(folder))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def mlflow_runs(folder: Path) -> Counter[str]:
    """How many runs of each status the project's MLflow store has."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return Counter(status for (status,) in database.execute("SELECT status FROM runs"))


def differences(calm: Path, struck: Path) -> list[str]:
    """What a run that was struck has otherwise than the one that was not, in words."""
    here, there = outputs(calm), outputs(struck)
    found = [f"{path} differs" for path in sorted(here.keys() | there.keys()) if here.get(path) != there.get(path)]
    if (runs := mlflow_runs(struck)) != mlflow_runs(calm):
        found.append(f"MLflow has runs {dict(runs)}")
    return found


def prepare(folder: Path, project: Path) -> None:
    """Make a clone of a project's last commit in a folder, with small networks."""
    shutil.rmtree(folder, ignore_errors=True)
    last_commit(project, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    params = cut(yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8")) | {"candidates": ["convnet"]})
    params["data"]["split"]["test"] = TEST
    params["audit"]["bootstrap"] = RESAMPLES
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def entry(dealt: Dealt, wrong: Sequence[str]) -> dict[str, Any]:
    survived = dealt.gone_s is not None and not wrong
    return asdict(dealt.blow) | {"fell_in": dealt.fell_in, "gone_s": dealt.gone_s, "survived": survived}


def main(count: int = BLOWS) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()
    place, calm = WORKPLACES / "done.json", WORKPLACES / "calm"
    done = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    if (done.get("commit"), done.get("of")) != (commit, count):
        shutil.rmtree(WORKPLACES, ignore_errors=True)
        prepare(calm, Path())
        print("A run that nothing disturbs, for comparison", flush=True)
        stages = stages_of(calm)
        durations = Trial(calm, stages, COMMAND, WORKPLACES / "calm.log").calm()
        done = {"commit": commit, "of": count, "durations": durations, "stages": stages, "blows": [], "runs": 0}
        write(place, done)
    left = plan(done["stages"], count, SEED)
    for one in done["blows"]:
        left.remove(Blow(one["stage"], one["after"], one["how"]))
    while left:
        done["runs"] += 1
        blows = left[:: -(-len(left) // A_RUN)]
        folder = WORKPLACES / f"run-{done['runs']}"
        prepare(folder, calm)
        print(f"Run {done['runs']}: {len(blows)} blows; {count - len(left)} of {count} were dealt before", flush=True)
        trial = Trial(folder, done["stages"], COMMAND, folder.with_suffix(".log"))
        dealt = trial.struck(blows, done["durations"])
        wrong = differences(calm, folder)
        print("\n".join(wrong or ["The same bytes in every output, and no MLflow run left open"]), flush=True)
        done["blows"] += [entry(one, wrong) for one in dealt]
        for one in dealt:
            left.remove(one.blow)
        write(place, done)
        if not wrong:
            shutil.rmtree(folder)
    survived = sum(one["survived"] for one in done["blows"])
    write(RESULTS, {"commit": commit, "survived": survived, "of": count, "runs": done["runs"], "blows": done["blows"]})
    print(f"{survived} of {count} survived, in {done['runs']} runs; see {RESULTS}")
    sys.exit(survived < count)


def write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    ending.watch("chaos", ending.RUN_S, polite=True, parents="MAKELEVEL" in os.environ)
    main(*map(int, sys.argv[1:]))
