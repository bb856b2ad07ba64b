"""Show what nothing needs any more, with sizes; or, with --free, remove it.

    python -m pipeline.gc
    python -m pipeline.gc --free

Needed is what belongs to a champion of MLflow's history, to the workspace, to dvc.lock at HEAD, a branch or a tag, or
to an experiment that DVC keeps. Of all else this takes DVC's cache, trainings that were broken off and whose inputs
have changed since, outputs of stages that dvc.yaml has no longer, and the artifacts of MLflow's runs that were deleted
or superseded; nothing else. A cache or a store that others may use too is left as it is.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.table import Table

from pipeline import checkout, params, release, rollback, sweep
from pipeline.data.errors import DataError
from pipeline.params import ParamsError
from pipeline.paths import RESUME
from pipeline.promote import REPORT
from pipeline.tracking import runkey, superseded
from pipeline.tracking.away import StoreError
from pipeline.tracking.git import git

if TYPE_CHECKING:
    from dvc.repo import Repo

RESTING = 3600.0  # seconds without a change after which a training is taken to be broken off


@dataclass(frozen=True)
class Waste:
    """Files and folders that nothing needs, why, and how they are removed."""

    name: str
    why: str
    paths: list[Path]
    remove: Callable[[], None]

    @property
    def size(self) -> int:
        """In bytes, of what is there now."""
        files = (file for path in self.paths for file in (path, *path.rglob("*")))
        return sum(file.stat().st_size for file in files if file.is_file())


@dataclass(frozen=True)
class Kept:
    """What is needed: DVC's hashes, the run keys of the trainings that they come from, and experiments by name."""

    hashes: set[str]
    run_keys: set[str]
    experiments: set[str]


def main(argv: Sequence[str] | None = None) -> None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--free", action="store_true", help="remove what is shown")
    free = parser.parse_args(argv).free
    try:
        with checkout.held():
            show(Repo(), free, Console())
    except checkout.BusyError as error:
        sys.exit(f"gc: {error}: wait for it, or stop it.")
    except (DataError, DvcException, StoreError) as error:
        sys.exit(f"gc: nothing was removed, since it cannot be told what is needed: {error}")


def show(repo: "Repo", free: bool, console: Console) -> None:
    """Print what nothing needs, and remove it where it is to be freed. Raises what `plan` does."""
    with console.status("Looking for what nothing needs"):
        found, left = plan(repo)
        before = sum(waste.size for waste in found)
    console.print(table(found) if found else "Nothing is here that nothing needs.")
    for sentence in left:
        console.print(sentence, style="yellow", soft_wrap=True)
    if found and free:
        for waste in found:
            waste.remove()
        console.print(f"{amount(before - sum(waste.size for waste in found))} were freed.")
    elif found:
        console.print("Nothing was removed: `make gc FREE=yes` removes it.")


def plan(repo: "Repo") -> tuple[list[Waste], list[str]]:
    """All that nothing needs, and sentences about what is left as it is for others' sake."""
    cache = Path(repo.cache.local.path)
    kept = needed(repo, cache)
    found, left = [*broken_off(), *orphans(repo, kept, cache)], []
    if cache.resolve().is_relative_to(Path.cwd()):
        found += unused(cache, kept.hashes)
    else:
        left.append(f"DVC's cache is left as it is: {cache} lies outside of this project, and others may need it.")
    if not superseded.is_own():
        left.append("MLflow's store is left as it is: it is no file of this project, and others may need it.")
    else:
        found += [
            Waste(f"MLflow: {run.name}", run.why, run.folders, run.free)
            for run in superseded.find(kept.run_keys, kept.experiments)
        ]
    return found, left


def needed(repo: "Repo", cache: Path) -> Kept:
    """What the workspace, HEAD, branches, tags, experiments and the champions of MLflow's history need.

    Outputs of a lock that are not at hand, as of full MNIST in a clone that ran the sample, need nothing that is here
    but MLflow's runs, known by reports/promotion.json and the experiment's name. Raises DataError where a folder's list
    is damaged.
    """
    hashes: set[str] = set()
    run_keys: set[str] = set()
    for _ in revisions(repo):
        hashes |= {out.hash_info.value for out in repo.index.outs if out.hash_info and out.hash_info.value}
        report = str(Path(repo.root_dir) / REPORT)
        if repo.fs.exists(report):
            with repo.fs.open(report, encoding="utf-8") as file:
                found = json.load(file)
            run_keys |= {one["run_key"] for one in [*found["candidates"], found["champion"]] if one}
    for version, run_key in superseded.champions():
        run_keys.add(run_key)
        if folder := rollback.find(version, cache):
            hashes.add(folder)
    for folder in [one for one in hashes if one.endswith(".dir")]:
        for objects in (cache, release.OBJECTS):
            if release.at(objects, folder).exists():
                files = dict(release.files(folder, objects))
                hashes |= set(files.values())
                if "run.json" in files and release.at(objects, files["run.json"]).exists():
                    run_keys.add(json.loads(release.read(files["run.json"], objects))["run_key"])
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    return Kept(hashes, run_keys, {ref.rpartition("/")[-1] for ref in refs})


def revisions(repo: "Repo") -> Iterator[str]:
    """Let ``repo`` be the workspace, then HEAD, each branch, each tag and each experiment that is kept."""
    from dvc.scm import Git

    yield "workspace"
    if isinstance(repo.scm, Git):
        yield from repo.brancher(revs=["HEAD"], all_branches=True, all_tags=True, all_experiments=True)


def unused(cache: Path, hashes: set[str]) -> Iterator[Waste]:
    """What DVC's cache has and nothing needs, as `dvc gc` finds it, which knows of no champions."""
    paths = [path for path in sorted(cache.glob("??/*")) if path.parent.name + path.name not in hashes]
    if paths:
        yield Waste("DVC's cache", "no lock, experiment or champion has it", paths, partial(remove, paths))


def broken_off() -> Iterator[Waste]:
    """Checkpoints of trainings that were broken off and that no stage, nor a sweep, would go on with."""
    trainings = [path for path in sorted(RESUME.glob("*")) if path.is_dir() and path != checkout.STOOD]
    folders = [path for path in trainings if age(path) > RESTING]
    if not folders:
        return
    graph = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    networks = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["candidates"]
    stages = [f"{stage}@{name}" for stage in ("train", "cross_validate") if stage in graph for name in networks]
    try:
        keys = {runkey.inputs(stage).key for stage in stages}
    except FileNotFoundError:  # without its inputs nobody can tell what a training would go on with
        return
    with suppress(ParamsError, KeyError):  # a sweep over a network that is no candidate goes on with nothing
        keys.add(sweep.name(sweep.key_of(params.load("sweep"))))
    for folder in folders:
        if folder.name not in keys:
            why = "a training that was broken off; its inputs have changed since"
            yield Waste(str(folder), why, [folder], partial(remove, [folder]))


def age(folder: Path) -> float:
    """Seconds since anything in a folder was changed."""
    return time.time() - max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def orphans(repo: "Repo", kept: Kept, cache: Path) -> Iterator[Waste]:
    """Outputs of stages that dvc.lock knows and dvc.yaml has no longer; not what git has, nor what is here alone."""
    if not checkout.LOCK.exists():
        return
    stages = repo.index.stages
    present = {stage.name for stage in stages}
    made = {output.def_path for stage in stages for output in stage.outs}
    for name, stage in yaml.safe_load(checkout.LOCK.read_text(encoding="utf-8"))["stages"].items():
        for out in stage.get("outs", []) if name not in present else []:
            path = Path(out["path"])
            only_here = out["md5"] in kept.hashes and not release.at(cache, out["md5"]).exists()
            if path.exists() and out["path"] not in made and not only_here and not in_git(path):
                yield Waste(str(path), f"dvc.yaml has no stage {name}", [path], partial(remove, [path]))


def in_git(path: Path) -> bool:
    """Whether git keeps a file, or a file of a folder."""
    return bool(git("ls-files", "--", str(path)))


def remove(paths: Sequence[Path]) -> None:
    """Remove files and folders."""
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def table(found: Sequence[Waste]) -> Table:
    """What nothing needs, the largest first, and the sum."""
    shown = Table("what", "files", "size", "why", title="Nothing needs", show_footer=True)
    for waste in sorted(found, key=lambda one: -one.size):
        count = sum(1 for path in waste.paths for file in (path, *path.rglob("*")) if file.is_file())
        shown.add_row(waste.name, f"{count:,}", amount(waste.size), waste.why)
    shown.columns[0].footer, shown.columns[2].footer = "in all", amount(sum(waste.size for waste in found))
    shown.columns[1].justify = shown.columns[2].justify = "right"
    return shown


def amount(size: int) -> str:
    """A number of bytes."""
    return f"{size / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
