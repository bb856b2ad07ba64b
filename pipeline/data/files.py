"""Folders that appear whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder, and put it in the place of ``folder`` when the block ends; discard it if the block raises.

    Until then ``folder`` stays as it was. A process that is killed anywhere leaves the old folder or the new one whole,
    in its place or beside it: `recover`, with which this begins, puts it back.
    """
    recover(folder)
    new, old = _beside(folder)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        recover(folder)


def recover(folder: Path) -> None:
    """Put ``folder`` back where a process died while it was being replaced, and clear what that process left."""
    new, old = _beside(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (new, old):
        if leftover.is_dir():
            shutil.rmtree(leftover)


def _beside(folder: Path) -> tuple[Path, Path]:
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    return new, old
