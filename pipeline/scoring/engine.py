"""Where shards are scored: in this process, or by Ray Data, on this machine or on a cluster.

Each shard is one task that reads, answers and writes. So nothing but names travels between tasks, a task that is lost
with its worker or its node is done again, and none waits for another with a processor in its hands.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joblib import cpu_count

from pipeline import ray_session
from pipeline.data.errors import DataError
from pipeline.scoring.answers import Job, Report, score
from pipeline.scoring.shards import Shard
from serving.model.recogniser import ModelError

STORE = 100_000_000
"""Of Ray's shared memory on this machine: only names go through it."""
SLOT = "slot"
"""A resource of Ray's, of which this machine has one for each process, and a task takes one."""
QUEUED = {"num_cpus": 0.5, "resources": {SLOT: 1}}
"""Of a task on this machine. Ray Data counts processors, and so hands out twice as many tasks as there are slots: the
next waits with Ray, which begins it as one ends, where Ray Data would look 0.2 s later."""
ROOT = Path(__file__).parents[2]


class EngineError(Exception):
    """That Ray is not there, or that it gave up."""


def here(shards: Sequence[Shard], job: Job) -> Iterator[Report]:
    """Score shards one after the other in this process. Raises DataError or ModelError."""
    for shard in shards:
        yield score(shard, job)


def on_ray(shards: Sequence[Shard], job: Job, workers: int | None) -> Iterator[Report]:
    """Score shards on the cluster at RAY_ADDRESS, or in so many processes of this machine, one a processor if None.

    Gives reports as they come. Raises EngineError, DataError or ModelError.
    """
    prepare()
    try:
        import ray
    except ImportError as error:
        raise EngineError(
            'Ray is not installed: `pip install "ray[data]"`, or score in this process, --workers 0'
        ) from error
    task = {"num_cpus": 1} if os.environ.get("RAY_ADDRESS") else QUEUED
    with connected(workers):
        tasks = [{"shard": asdict(shard), "job": asdict(job)} for shard in shards]
        dataset = ray.data.from_items(tasks, override_num_blocks=len(tasks))
        try:
            for row in dataset.map(scored, **task).iter_rows():
                yield row["report"]
        except ray.exceptions.RayError as error:
            raise cause(error) from error


def prepare() -> None:
    """Set what Ray reads as it is imported."""
    ray_session.prepare({"RAY_DATA_DISABLE_PROGRESS_BARS": "1"}, joins=bool(os.environ.get("RAY_ADDRESS")))
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


@contextmanager
def connected(workers: int | None) -> Iterator[None]:
    """Ray on this machine, or the cluster at RAY_ADDRESS, to which this code is brought. Raises EngineError."""
    import ray

    options: dict[str, Any] = {"runtime_env": {"py_modules": [str(ROOT / "pipeline"), str(ROOT / "serving")]}}
    if not os.environ.get("RAY_ADDRESS"):
        count = processes(workers)
        options = {"address": "local", "num_cpus": count, "resources": {SLOT: count}}
        options |= {"include_dashboard": False, "object_store_memory": STORE}
    with ExitStack() as stack:
        try:
            stack.enter_context(ray_session.session(**options))
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = os.environ.get("RAY_ADDRESS") or "this machine"
            raise EngineError(f"Ray does not start on {where}: {str(error).strip().splitlines()[-1]}") from error
        yield


def processes(workers: int | None) -> int:
    """So many as asked, or one for each processor that this process is given, be it by affinity or by a container."""
    return workers or int(cpu_count())


def scored(row: dict[str, Any]) -> dict[str, Any]:
    """A task: score a shard."""
    shard = row["shard"] | {"files": tuple(row["shard"]["files"]), "groups": tuple(row["shard"]["groups"])}
    return {"report": score(Shard(**shard), Job(**row["job"]))}


def cause(error: BaseException) -> Exception:
    """What a task ended by, or that its workers were lost."""
    import ray

    inner = getattr(error, "cause", None)
    if isinstance(inner, DataError | ModelError | OSError):
        return inner
    if isinstance(error, ray.exceptions.RayTaskError):
        return EngineError(f"a task failed: {str(error).strip().splitlines()[-1]}")
    return EngineError(
        f"Ray gave up: {str(error).strip().splitlines()[0]} What was scored is kept: the same command goes on"
    )
