"""Put the champion before this one back; or, with --forward, the one that was rolled back last.

    python -m pipeline.rollback
    python -m pipeline.rollback --forward

Who was champion is read from MLflow's history; the files of models/best come from DVC's cache, from release/ or from
MLflow's artifacts, whichever holds them whole. models/best, the Bento in dist/, the reports and dvc.lock change, all or
none, and then MLflow's alias. The version that goes is written under promote.withdrawn in params.yaml: no later run
crowns it again by itself.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from pipeline import checkout, params, promote, release
from pipeline.data.errors import DataError
from pipeline.data.files import recover, replacing
from pipeline.paths import BEST
from pipeline.promote import CARD, REPORT, Model
from pipeline.tracking import registry, store
from pipeline.tracking.away import StoreError
from pipeline.tracking.runkey import hash_path

PARAMS = Path("params.yaml")
FILES = {"model.onnx", "export.json", "run.json", "val.parquet", "verdicts.json"}
"""What models/best holds."""
CROWN = "crown"
"""The stage that tells MLflow, which this command does itself once all else is done."""
LIST = re.compile(r"(?m)^  withdrawn:(?: \[.*\]|(?:\n  - .*)+)$")


class RollbackError(Exception):
    """There is no champion to put back, or it cannot be put back."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forward", action="store_true", help="put back what was rolled back last")
    forward = parser.parse_args(argv).forward
    try:
        source, rule = params.load("data.source", "promote")
        with checkout.held():
            change(source, rule.withdrawn, forward, Console())
    except (RollbackError, params.ParamsError, StoreError) as error:
        sys.exit(f"rollback: {error}")
    except checkout.BusyError as error:
        sys.exit(f"rollback: {error}: wait for it, or stop it.")


def change(source: str, withdrawn: list[str], forward: bool, console: Console) -> None:
    """Find the other champion and put it in the place of this one. Raises RollbackError, with all as it was."""
    recover(BEST)
    now = promote.read_champion()
    if now is None or now.source != source or not REPORT.exists():
        raise RollbackError(f"no champion of {source} stands in {BEST}: `make run DATA={source}` makes it")
    version = newer(source, withdrawn) if forward else older(source, withdrawn, now)
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / BEST.name
        where = bring(version, source, found)
        with console.status(f"Putting {version} back"), unless_it_fails(Path(folder) / "before"):
            then = install(found, now, withdrawn, forward)
    checkout.forget_champion()
    told = registry.publish_promotion()
    registry.remember(None)
    dvc("commit", "--force", CROWN)

    console.print(
        f"{then.network} {then.version} is champion of {source} again, in the place of {now.network} {now.version}.",
        style="bold",
    )
    console.print(f"Its files come from {where}. {BEST}, dist, {REPORT}, {CARD} and dvc.lock are its own now.")
    console.print(f"MLflow: {', '.join(told) or 'it knew that already'}.")
    if forward:
        console.print(f"{then.version} may be crowned again: it stands no longer under promote.withdrawn in {PARAMS}.")
    else:
        console.print(f"{now.version} stands under promote.withdrawn in {PARAMS}: no run crowns it again by itself.")
        console.print("`make rollback FORWARD=yes` puts it back.")
    console.print("A service that runs answers as before until it is started anew: make serve", highlight=False)


def older(source: str, withdrawn: Sequence[str], now: Model) -> str:
    """The version of the champion before this one, of those that were not rolled back. Raises RollbackError."""
    aside = {now.version, *withdrawn}
    for version in reversed(history(source)):
        if version not in aside:
            return version
    raise RollbackError(f"{now.network} {now.version} is the first champion of {source} that MLflow knows of")


def newer(source: str, withdrawn: Sequence[str]) -> str:
    """The version of the champion that was rolled back last. Raises RollbackError."""
    known = history(source)
    for version in reversed(withdrawn):
        if version in known:
            return version
    raise RollbackError(f"no champion of {source} was rolled back: there is nothing to go forward to")


def history(source: str) -> list[str]:
    """The versions of a source's champions, the present one last."""
    return [one.tags["model_sha256"][:12] for one in registry.reigns(store.open_store(), source)]


def bring(version: str, source: str, place: Path) -> str:
    """Put a champion's files into a folder, from the first source that holds them. Returns which that was.

    Raises RollbackError where none does.
    """
    from dvc.repo import Repo

    places: dict[str, Callable[[], None]] = {
        "DVC's cache": lambda: from_objects(version, Path(Repo().cache.local.path), place),
        "release/": lambda: from_objects(version, release.OBJECTS, place),
        "MLflow's artifacts": lambda: from_mlflow(version, source, place),
    }
    for name, take in places.items():
        try:
            take()
        except (DataError, OSError):  # lost or damaged there
            continue
        if place.exists() and is_whole(place, version):
            return name
        shutil.rmtree(place, ignore_errors=True)
    raise RollbackError(f"the files of the champion {version} are neither in {', nor in '.join(places)}")


def is_whole(folder: Path, version: str) -> bool:
    """Whether a folder holds all that models/best does, and the model with this version."""
    return {path.name for path in folder.iterdir()} >= FILES and hash_path(folder / "model.onnx").startswith(version)


def from_objects(version: str, objects: Path, place: Path) -> None:
    """Take a champion's files out of a folder with DVC's layout, if they are there. Raises DataError."""
    if folder := find(version, objects):
        release.take_out(folder, place, objects)


def find(version: str, objects: Path) -> str | None:
    """The hash of the folder of a champion's files in a folder with DVC's layout, if it is there."""
    for listed in sorted(objects.glob("??/*.dir")):
        folder = listed.parent.name + listed.name
        files = {one["relpath"]: one["md5"] for one in json.loads(listed.read_bytes())}
        if files.keys() >= FILES:
            model = release.at(objects, files["model.onnx"])
            if model.exists() and hash_path(model).startswith(version):
                return folder
    return None


def from_mlflow(version: str, source: str, place: Path) -> None:
    """Take a champion's files out of the artifacts of its run in MLflow, if they are there."""
    client = store.open_store()
    for one in registry.reigns(client, source):
        part = registry.kept_at(one.tags["model_sha256"])
        if one.tags["model_sha256"].startswith(version) and client.list_artifacts(str(one.run_id), part):
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(client.download_artifacts(str(one.run_id), part, folder), place)
            return


def install(found: Path, now: Model, withdrawn: Sequence[str], forward: bool) -> Model:
    """Make the champion in the folder ``found`` that of the workspace, and package it. Raises RollbackError."""
    settled = dvc("status", "--quiet", "promote").returncode == 0
    with replacing(BEST) as new:
        shutil.copytree(found, new, dirs_exist_ok=True)
    then = promote.read_champion()
    assert then is not None
    versions = [one for one in withdrawn if one != then.version] if forward else [*withdrawn, now.version]
    PARAMS.write_text(with_withdrawn(PARAMS.read_text(encoding="utf-8"), versions), encoding="utf-8")
    told = report(json.loads(REPORT.read_text(encoding="utf-8")), then, now, forward)
    REPORT.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    CARD.write_text(promote.card(told), encoding="utf-8")
    if settled:  # else the next run chooses anew, with this champion as the one to beat
        dvc("commit", "--force", "promote")
    for stage in after():
        done = dvc("repro", "--single-item", stage)
        if done.returncode:
            raise RollbackError(f"the stage {stage} failed, and all is as it was:\n{done.stdout}{done.stderr}")
    return then


def report(found: dict[str, Any], then: Model, now: Model, forward: bool) -> dict[str, Any]:
    """reports/promotion.json's content once ``then`` stands in the place of ``now``."""
    how = "the rollback was taken back by hand" if forward else f"{now.network} {now.version} was rolled back by hand"
    why = f"{then.network} {then.version} is champion again: {how}."
    changed = {"champion": then.record(), "promoted": True, "why": why, "challenger": now.record(), "comparison": None}
    return found | changed


def after() -> list[str]:
    """The stages that read models/best, but for CROWN."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return [name for name, one in stages.items() if str(BEST) in one.get("deps", []) and name != CROWN]


def with_withdrawn(text: str, versions: Sequence[str]) -> str:
    """params.yaml's ``text`` with another promote.withdrawn, comments and all else untouched.

    In quotes: some versions would be read as numbers.
    """
    items = "".join(f"\n  - '{one}'" for one in versions)
    return LIST.sub(f"  withdrawn:{items or ' []'}", text, count=1)


@contextmanager
def unless_it_fails(kept: Path) -> Iterator[None]:
    """Put models/best, the reports, params.yaml and dvc.lock back where the block fails."""
    kept.mkdir()
    files = [path for path in (PARAMS, checkout.LOCK, REPORT, CARD) if path.exists()]
    for path in files:
        shutil.copy2(path, kept / path.name)
    folders = [path for path in (BEST, release.DIST) if path.exists()]
    for path in folders:
        shutil.copytree(path, kept / path.name)
    try:
        yield
    except BaseException:
        for path in folders:
            with replacing(path) as new:
                shutil.copytree(kept / path.name, new, dirs_exist_ok=True)
        for path in files:
            shutil.copy2(kept / path.name, path)
        raise


def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of DVC's, which says nothing unless it fails."""
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, encoding="utf-8", errors="replace"
    )


if __name__ == "__main__":
    main()
