"""What a folder or a file holds to be scored, cut into shards of which each is scored as a whole.

A shard is up to ROWS images of an array (.npy, or IDX, also gzipped), as many of a parquet file's row groups as make up
ROWS rows, or FILES image files. Its stamp changes when what it reads does.
"""

import hashlib
import mimetypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.errors import DataError
from pipeline.scoring import arrays, tables
from pipeline.scoring.arrays import NoImagesError

ROWS = 25_000
"""Of an array or a table: a few seconds' work, so that no process waits long for another's last; 20 MB to be read."""
FILES = 500
LISTED = 5
"""So many files are named."""


@dataclass(frozen=True)
class Shard:
    """A part of the input, from row ``start`` to ``stop``. name: of its output, without a suffix.

    files: relative to the input's folder; one, unless they are image files. groups: of a parquet file, by number.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    start: int
    stop: int
    stamp: str
    groups: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass
class Found:
    """What there is to score. root: the folder that all files are relative to; passed_over: files, and why."""

    root: Path
    shards: list[Shard] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many images, a file that cannot be read counting as one."""
        return sum(map(len, self.shards))


def find(given: Path, scale: str | None, without: Path | None = None) -> Found:
    """The shards of a file or of all files in a folder, but for those in the folder ``without`` and hidden ones.

    Raises DataError where there is nothing to score, or an array does not say what its values mean.
    """
    if without and without.resolve() == given.resolve():
        raise DataError(f"{given} cannot be input and output both: name another folder for the answers")
    if given.is_dir():
        found = Found(given)
        files = list(walk(given, without))
    elif given.exists():
        found = Found(given.parent)
        files = [given.name]
    else:
        raise DataError(f"there is no {given}: name a folder or a file of images")
    pictures: list[str] = []
    for file in files:
        try:
            cut = array_shards(found.root, file, scale)
        except NoImagesError as error:
            found.passed_over[file] = str(error)
            continue
        if cut is not None:
            found.shards += cut
        elif (kind := mimetypes.guess_type(file)[0]) and not kind.startswith("image/"):
            found.passed_over[file] = f"is {kind}"
        else:
            pictures.append(file)
    found.shards += picture_shards(found.root, pictures)
    if not found.shards:
        few = list(found.passed_over.items())[:LISTED]
        why = "; ".join(f"{file}: {reason}" for file, reason in few)
        raise DataError(f"{given} holds no images{f' ({why})' if why else ''}")
    return found


def walk(folder: Path, without: Path | None) -> Iterator[str]:
    """The files in a folder, relative to it and in order."""
    skipped = without.resolve() if without else None
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(one for one in folders if not one.startswith(".") and (here / one).resolve() != skipped)
        for name in sorted(names):
            if not name.startswith("."):
                yield str((here / name).relative_to(folder))


def array_shards(root: Path, file: str, scale: str | None) -> list[Shard] | None:
    """The shards of a file that holds an array or a table, None of any other. Raises DataError, or NoImagesError."""
    path = root / file
    kind = "parquet" if path.suffix == ".parquet" else arrays.kind_of(path)
    if kind == "parquet":
        cut = tables.cut(path, ROWS, scale)
    elif kind:
        count = arrays.check(path, scale)
        cut = [((), start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
    else:
        return None
    stamp = stamped(root, [file])
    return [Shard(f"{file}-{at:010}", kind, (file,), at, end, stamp, groups) for groups, at, end in cut]


def picture_shards(root: Path, files: Sequence[str]) -> list[Shard]:
    """Shards of image files, in their order."""
    cut = [(start, files[start : start + FILES]) for start in range(0, len(files), FILES)]
    return [
        Shard(f"files-{start:010}", "files", tuple(part), start, start + len(part), stamped(root, part))
        for start, part in cut
    ]


def stamped(root: Path, files: Sequence[str]) -> str:
    """A hash of the names, sizes and times of files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            facts = (root / file).stat()
            digest.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:  # a link that leads nowhere, or a file that is gone: its row will say so
            digest.update(f"{file}\0\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]
