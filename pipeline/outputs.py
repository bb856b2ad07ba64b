"""What a stage writes, where it may lie there as a link into DVC's cache, or be hidden from all but its owner."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

GRAPH = Path("dvc.yaml")


def of(stage: str, given: Mapping[str, Any]) -> list[Path]:
    """The outputs of a stage, of the item of its matrix that ``given`` names; none where dvc.yaml has no such stage."""
    if not GRAPH.exists():
        return []
    entries = yaml.safe_load(GRAPH.read_text(encoding="utf-8"))["stages"].get(stage, {})
    paths = [
        entry if isinstance(entry, str) else next(iter(entry))
        for kind in ("outs", "metrics", "plots")
        for entry in entries.get(kind, [])
    ]
    for name, value in given.items():
        paths = [path.replace(f"${{item.{name}}}", str(value)) for path in paths]
    return [Path(path) for path in paths]


def unlink(paths: list[Path]) -> None:
    """Put a copy in the place of each link among files and folders, so that nothing is written through it.

    With DVC's `cache.type` symlink or hardlink an output is a link into its cache. `dvc repro` clears them away; a
    stage that is run by hand finds them.
    """
    for path in files(paths):
        if path.is_symlink() or path.stat().st_nlink > 1:
            if path.exists():
                copy_anew(path)
            else:
                path.unlink()


def show(folder: Path) -> None:
    """Give what only its owner can read in a folder the permissions of a new file. (Safetensors' files are such.)"""
    for path in files([folder]):
        if not path.is_symlink() and not path.stat().st_mode & 0o077:
            copy_anew(path)


def files(paths: list[Path]) -> Iterator[Path]:
    """All files among these paths and in the folders among them, links that lead nowhere too."""
    for path in paths:
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (one for one in list(found) if one.is_symlink() or one.is_file())


def copy_anew(path: Path) -> None:
    """Put a copy of a file in its place."""
    new = path.with_name(f".{path.name}.new")  # one name, so that the next copy replaces what one that was cut off left
    shutil.copyfile(path, new)
    new.replace(path)
