"""Score images in bulk: an answer of the champion for each, as the service would give it.

    python -m pipeline.score photos/ answers/
    python -m pipeline.score train-images-idx3-ubyte answers/ --model models:/inkwell-mnist@champion
    RAY_ADDRESS=10.0.0.1:6379 python -m pipeline.score images.parquet answers/

INPUT is a folder, or a file: image files, .npy, IDX or parquet. OUTPUT/answers/ gets a parquet file for each shard of
it, with a row for each image; OUTPUT/summary.json and summary.txt what came of it all. Run again it scores what is new,
has changed, or was not done. More than one shard is scored by Ray Data: by all processors of this machine, or on the
cluster at RAY_ADDRESS, whose nodes see INPUT and OUTPUT at the same place.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import ending
from pipeline.data.errors import DataError
from pipeline.scoring import answers, champion, engine, shards, summary
from pipeline.scoring.answers import Job, Report
from pipeline.scoring.engine import EngineError
from pipeline.scoring.shards import Found, Shard
from pipeline.scoring.tally import Tally
from pipeline.serve import SOURCE
from serving.model.recogniser import ModelError, Recogniser

ABOUT = "input.json"
"""In the output: whose answers lie there."""


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    console = Console(stderr=True)
    try:
        with console.status("Looking what there is to score"):
            found = shards.find(given.input, given.scale, given.output)
            model = champion.find(given.model)
        with held(given.output):
            came = score(console, found, claimed(given, found, model), given.workers)
            tidy(found, given.output)
            (given.output / "summary.json").write_text(json.dumps(came, indent=2) + "\n", encoding="utf-8")
            (given.output / "summary.txt").write_text(summary.told(came) + "\n", encoding="utf-8")
    except (DataError, ModelError, EngineError, OSError) as error:
        print(f"score: {error}", file=sys.stderr)
        sys.exit(2)
    print(summary.told(came))
    print(f"Written to {given.output}/: {answers.FOLDER}/, summary.json, summary.txt.")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, help="a folder or a file of images")
    parser.add_argument("output", type=Path, help="a folder for the answers, of this input alone")
    model = "a source of data, whose champion it is; models:/NAME@ALIAS or models:/NAME/VERSION of MLflow; or an .onnx"
    parser.add_argument("--model", default=SOURCE, help=f"{model} (default: %(default)s)")
    scale = "what values that are no bytes reach to"
    parser.add_argument("--scale", choices=("0-1", "0-255"), help=f"{scale} (default: 0-255, asked for where unclear)")
    workers = "processes on this machine, 0 for this one, without Ray (default: one a processor)"
    parser.add_argument("--workers", type=int, help=workers)
    given = parser.parse_args(argv)
    if given.workers is not None and given.workers < 0:
        parser.error(f"--workers {given.workers}: expected 0 or more")
    return given


def held(output: Path) -> AcquireReturnProxy:
    """The output's folder, for this process alone. Raises DataError where another one scores into it."""
    output.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(output / ".lock").acquire(timeout=0)
    except Timeout as error:
        raise DataError(f"another run scores into {output} at this moment") from error


def claimed(given: argparse.Namespace, found: Found, model: bytes) -> Job:
    """Prepare the output's folder for this input and this model: who answers lies there, and nothing that is stale.

    Raises DataError where it has the answers to another input.
    """
    about, folder = given.output / ABOUT, given.output / answers.FOLDER
    if not about.exists() and folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is there, and not from a run of this: name another folder")
    mine = {"input": str(given.input.resolve())}
    if about.exists() and json.loads(about.read_text(encoding="utf-8")) != mine:
        other = json.loads(about.read_text(encoding="utf-8"))["input"]
        raise DataError(f"{given.output} has the answers for {other}: name another folder, or remove it")
    about.write_text(json.dumps(mine) + "\n", encoding="utf-8")
    new = given.output / f"{answers.MODEL}.new"
    new.write_bytes(model)
    recogniser = Recogniser(new)
    new.replace(given.output / answers.MODEL)
    tidy(found, given.output)
    return Job(str(found.root.resolve()), str(given.output.resolve()), recogniser.sha256, given.scale)


def tidy(found: Found, output: Path) -> None:
    """Remove answers to what is no longer in the input, and what workers left that were lost."""
    folder = output / answers.FOLDER
    wanted = {folder / f"{shard.name}.parquet" for shard in found.shards}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def score(console: Console, found: Found, job: Job, workers: int | None) -> dict[str, Any]:
    """Score what is not there yet. Returns the summary."""
    total, run = Tally(), Run()
    recogniser = Recogniser(Path(job.output) / answers.MODEL)
    expected = champion.expected(recogniser)
    digests: dict[str, str] = {}
    passed_over(console, found)
    with progress(console) as bar:
        task = bar.add_task("images", total=len(found))
        left: list[Shard] = []
        for shard in found.shards:
            report = answers.done(shard, job)
            if report is None:
                left.append(shard)
                continue
            keep(report, total, digests)
            bar.advance(task, len(shard))
        if digests:
            bar.console.print(f"{total.images:,} of {len(found):,} images were scored before.", highlight=False)
        for report in scored(left, job, workers):
            keep(report, total, digests)
            run.add(report)
            bar.advance(task, report.tally.images)
    came = summary.summed(total, expected, recogniser, answers.hash_of(digests))
    return came | {"run": run.as_json()}


class Run:
    """What a run of the command takes."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.images, self.cpu_s, self.start_up_s = 0, 0.0, 0.0

    def add(self, report: Report) -> None:
        if not self.images:
            self.start_up_s = max(time.perf_counter() - self.began - report.wall_s, 0.0)
        self.images += report.tally.images
        self.cpu_s += report.cpu_s

    def as_json(self) -> dict[str, float]:
        """images: scored now; start_up_s: of seconds, until the first shard was begun; cpu_s: of all processors, from
        each shard's reading to its writing."""
        seconds = time.perf_counter() - self.began
        times = {"seconds": seconds, "start_up_s": self.start_up_s, "cpu_s": self.cpu_s}
        return {"images": self.images, **{name: round(value, 3) for name, value in times.items()}}


def passed_over(console: Console, found: Found) -> None:
    """Tell of files that hold no images."""
    for file, why in list(found.passed_over.items())[: shards.LISTED]:
        console.print(f"Passed over {file}: {why}", highlight=False, soft_wrap=True)
    if len(found.passed_over) > shards.LISTED:
        console.print(f"... and {len(found.passed_over) - shards.LISTED} files more.")


def scored(left: Sequence[Shard], job: Job, workers: int | None) -> Iterator[Report]:
    """Score shards where it is best done: one alone in this process, unless a cluster waits."""
    alone = workers == 0 or (len(left) < 2 and not os.environ.get("RAY_ADDRESS"))
    return engine.here(left, job) if alone else engine.on_ray(left, job, workers)


def keep(report: Report, total: Tally, digests: dict[str, str]) -> None:
    total.add(report.tally)
    digests[report.name] = report.digest


def progress(console: Console) -> Progress:
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    return Progress(TextColumn("Scoring"), *columns, console=console, refresh_per_second=2)


if __name__ == "__main__":
    ending.watch("score")
    main()
