"""A shard is scored: its images are read and answered; the answers are a file of their own, whole or not at all.

The file's metadata say which model answered, what it read and what came of it: so a shard that is there need not be
scored again, nor its file be read to sum up.
"""

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.data.errors import DataError
from pipeline.scoring.pixels import batches
from pipeline.scoring.shards import Shard
from pipeline.scoring.tally import Tally
from serving.contract import CLASSES
from serving.errors import ApiError
from serving.images import memory
from serving.model.recogniser import ModelError, Predictions, Recogniser

FOLDER = "answers"
"""In the output: a parquet file for each shard."""
MODEL = "model.onnx"
"""In the output: who answered."""
TEMPORARY = ".new"
TRIES = 25
"""So often a shard is begun by workers that are lost, for Ray would begin it for ever."""
PREFIX = "inkwell."
"""Of what a file says of itself, among its metadata."""
RULES = "1"
"""Raised when a shard's file would differ though model and input are the same."""
NAMED = ["file", "reason", "error", "message"]
"""Columns in which the same text comes again and again."""
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("digit", pa.int8()),
        ("confidence", pa.float32()),
        *((f"p{digit}", pa.float32()) for digit in range(CLASSES)),
        ("novelty", pa.float32()),
        ("prediction_set", pa.list_(pa.int8())),
        ("abstained", pa.bool_()),
        ("reason", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
    ]
)


@dataclass(frozen=True)
class Job:
    """What is asked of all shards. root: the folder of the input; scale: of values that are no bytes."""

    root: str
    output: str
    sha256: str
    scale: str | None


@dataclass(frozen=True)
class Report:
    """What came of a shard. digest: of its rows; cpu_s, wall_s: what it took without loading the model, 0 where its
    answers were there already."""

    name: str
    digest: str
    tally: Tally
    cpu_s: float = 0.0
    wall_s: float = 0.0


def score(shard: Shard, job: Job) -> Report:
    """Score a shard, unless its answers are there already. Raises DataError or ModelError."""
    if (there := done(shard, job)) is not None:
        return there
    recogniser = loaded(str(Path(job.output) / MODEL), job.sha256)
    new = begun(place(shard.name, job))
    cpu, wall = time.process_time(), time.perf_counter()
    parts: list[Predictions] = []
    refused: dict[int, ApiError] = {}
    count = 0
    for pixels, wrong in batches(shard, Path(job.root), job.scale):
        parts.append(recogniser.predict(pixels))
        refused |= {count + index: error for index, error in wrong.items()}
        count += len(pixels)
    if count != len(shard):
        raise DataError(f"{shard.files[0]} has {count} of {len(shard)} rows: it changed. Run the same command again")
    answers = joined(parts)
    table = tabled(shard, answers, refused)
    read = np.ones(count, bool)
    read[list(refused)] = False
    tally = Tally.of(where(answers, read), Counter(error.code for error in refused.values()))
    digest = hashlib.sha256(rows_of(table)).hexdigest()
    write(table, new, facts(shard, job) | {"rows": digest, "tally": json.dumps(tally.as_json())})
    new.replace(place(shard.name, job))
    return Report(shard.name, digest, tally, time.process_time() - cpu, time.perf_counter() - wall)


@lru_cache(maxsize=1)
def loaded(path: str, sha256: str) -> Recogniser:
    """The recogniser in a file, once in a process. Raises ModelError where it is another one than that of this hash."""
    memory.give_back()
    recogniser = Recogniser(Path(path))
    if recogniser.sha256 != sha256:
        raise ModelError(f"{path} is not the model that this began with: another run writes to the same folder")
    return recogniser


def joined(parts: Sequence[Predictions]) -> Predictions:
    """What was said of some images, and of those after them."""
    columns: dict[str, Any] = {}
    for name in (one.name for one in fields(Predictions)):
        values = [getattr(part, name) for part in parts]
        columns[name] = None if values[0] is None else np.concatenate(values)
    return Predictions(**columns)


def where(answers: Predictions, chosen: NDArray[np.bool_]) -> Predictions:
    """Those that are chosen, bool [N]."""
    columns: dict[str, Any] = {}
    for name in (one.name for one in fields(answers)):
        values = getattr(answers, name)
        columns[name] = None if values is None else values[chosen]
    return Predictions(**columns)


def tabled(shard: Shard, answers: Predictions, refused: dict[int, ApiError]) -> pa.Table:
    """A row for each image, as SCHEMA has it; of one that could not be read the error's code and message alone."""
    count = len(answers)
    none = np.zeros(count, bool)
    none[list(refused)] = True
    probabilities = answers.probabilities.T
    columns = [
        pa.array(shard.files if shard.kind == "files" else [shard.files[0]] * count, pa.string()),
        pa.array(np.arange(shard.start, shard.stop), mask=np.full(count, shard.kind == "files")),
        pa.array(answers.digit.astype(np.int8), mask=none | answers.abstained),
        pa.array(answers.confidence, mask=none),
        *(pa.array(np.ascontiguousarray(row), mask=none) for row in probabilities),
        pa.array(answers.novelty, mask=none),
        sets(answers.prediction_set, none),
        pa.array(answers.abstained, mask=none),
        pa.array(answers.reason, pa.string(), mask=none),
        texts(count, {index: error.code for index, error in refused.items()}),
        texts(count, {index: error.message for index, error in refused.items()}),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def sets(members: NDArray[np.bool_] | None, none: NDArray[np.bool_]) -> pa.Array:
    """Prediction sets, bool [N, 10], as lists of digits; null where there is none."""
    if members is None:
        return pa.nulls(len(none), SCHEMA.field("prediction_set").type)
    kept = members & ~none[:, None]
    offsets = np.concatenate([[0], kept.sum(axis=1).cumsum()]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(np.nonzero(kept)[1].astype(np.int8)), mask=pa.array(none)
    )


def texts(count: int, known: dict[int, str]) -> pa.Array:
    """A text for some of so many rows."""
    column: list[str | None] = [None] * count
    for index, text in known.items():
        column[index] = text
    return pa.array(column, pa.string())


def rows_of(table: pa.Table) -> pa.Buffer:
    """The rows as bytes, which are the same for the same rows."""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, SCHEMA) as writer:
        writer.write_table(table.replace_schema_metadata(None).combine_chunks())
    return stream.getvalue()


def begun(path: Path) -> Path:
    """A new file, to be written and put in the place ``path``. A worker that is lost leaves it.

    Raises DataError where too many have left theirs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    left = sum(one.name.startswith(f".{path.name}.") for one in path.parent.iterdir())
    if left >= TRIES:
        raise DataError(f"{left} workers were lost as they scored {path.stem}: see whether there is memory enough")
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
    new.touch()
    return new


def write(table: pa.Table, path: Path, said: dict[str, str]) -> None:
    """Write a table, and what it says of itself."""
    metadata = {f"{PREFIX}{name}": value for name, value in said.items()}
    table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="zstd", use_dictionary=NAMED, row_group_size=len(table))


def place(name: str, job: Job) -> Path:
    """Where a shard's answers lie."""
    return Path(job.output) / FOLDER / f"{name}.parquet"


def facts(shard: Shard, job: Job) -> dict[str, str]:
    """What a shard's answers come from: if all of it is the same, so are they."""
    return {"rules": RULES, "model": job.sha256, "scale": job.scale or "", "input": shard.stamp}


def done(shard: Shard, job: Job) -> Report | None:
    """What came of a shard whose answers are there, whole, by the same model and to the same input; else None."""
    try:
        said = said_of(place(shard.name, job))
    except (OSError, pa.ArrowException):
        return None
    if {name: said.get(name) for name in facts(shard, job)} != facts(shard, job):
        return None
    return Report(shard.name, said["rows"], Tally.from_json(json.loads(said["tally"])))


def said_of(path: Path) -> dict[str, str]:
    """What a shard's file says of itself. Raises OSError or ArrowException where it is not there or not whole."""
    metadata = pq.read_metadata(path).metadata or {}
    return {
        name.decode().removeprefix(PREFIX): value.decode()
        for name, value in metadata.items()
        if name.decode().startswith(PREFIX)
    }


def hash_of(digests: Mapping[str, str]) -> str:
    """One hash for all rows, from those of the shards by their names."""
    return hashlib.sha256("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()).hexdigest()


def hash_of_files(output: Path) -> str:
    """The same, from the rows that lie there in fact."""
    folder = output / FOLDER
    paths = {str(path.relative_to(folder).with_suffix("")): path for path in folder.rglob("*.parquet")}
    return hash_of(
        {
            name: hashlib.sha256(rows_of(pq.read_table(path, partitioning=None))).hexdigest()
            for name, path in paths.items()
        }
    )
