"""The champions that travel with the repository: release/, a DVC remote that git keeps, with one champion a source.

    make release

puts the champion that dvc.lock names there, in the place of the one of its source, and removes what no champion has any
more. `dvc pull dist models/best` takes it out again, and so do the functions here, which need no DVC: they are used
where nothing but the service's own packages is installed.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from pipeline.data.errors import DataError
from pipeline.data.files import replacing
from pipeline.paths import BEST

FOLDER = Path("release")
OBJECTS = FOLDER / "files/md5"
"""Where a DVC remote has the file or folder with the hash 0123...: in 01/23..."""
INDEX = FOLDER / "champions.json"
"""The champion of each source. (dvc.lock names one champion, and another after a run on another source.)"""
DIST = Path("dist")


@dataclass(frozen=True)
class Champion:
    """A released champion. The hashes are those of dvc.lock, the MD5 of DVC's list of the folder's files."""

    network: str
    dist: str
    best: str


def champions() -> dict[str, Champion]:
    """The released champion of each source; none where there is no release/."""
    if not INDEX.exists():
        return {}
    return {name: Champion(**one) for name, one in json.loads(INDEX.read_text(encoding="utf-8")).items()}


def bring(source: str) -> None:
    """Put a source's released champion, if it has one, into models/best/, unless one of that source stands there.

    Raises DataError.
    """
    champion = champions().get(source)
    if champion and not (BEST.exists() and source_of(BEST) == source):
        take_out(champion.best, BEST)


def source_of(best: Path) -> str:
    """The source of the data that the champion in a folder learnt from."""
    return str(json.loads((best / "run.json").read_text(encoding="utf-8"))["source"])


def take_out(folder: str, place: Path, objects: Path = OBJECTS) -> None:
    """Put a released folder, by its hash, in the place of the folder ``place``, if there is one.

    ``objects`` is where the hashes are: in release/, or in DVC's cache, which has the same layout. Raises DataError
    where a file there is missing or damaged; ``place`` then stays as it was.
    """
    with replacing(place) as new:
        for name, md5 in files(folder, objects):
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read(md5, objects))


def files(folder: str, objects: Path = OBJECTS) -> Iterator[tuple[str, str]]:
    """The name and the hash of each file in a released folder, by the folder's hash. Raises DataError."""
    for entry in json.loads(read(folder, objects)):
        yield entry["relpath"], entry["md5"]


def at(objects: Path, md5: str) -> Path:
    """Where a folder with DVC's layout has the file or the folder with a hash."""
    return objects / md5[:2] / md5[2:]


def read(md5: str, objects: Path = OBJECTS) -> bytes:
    """The bytes with a hash. Raises DataError."""
    path = at(objects, md5)
    remedy = f"`git restore {FOLDER}` brings it back"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {remedy}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5.removesuffix(".dir"):
        raise DataError(f"{path} is damaged: its MD5 is {found}. {remedy}")
    return content


def main() -> None:
    """Push what dvc.lock names, write down whose it is, and remove what nobody's is any more."""
    subprocess.run(["dvc", "push", str(DIST), str(BEST)])
    try:
        source, champion = described(*locked(Path("dvc.lock").read_text(encoding="utf-8")))
    except DataError:  # DVC ends well where its cache lacks what it is to push
        sys.exit("release: DVC has no champion to release. Make one first: make run DATA=mnist")
    now = champions() | {source: champion}
    INDEX.write_text(
        json.dumps({name: asdict(one) for name, one in sorted(now.items())}, indent=2) + "\n", encoding="utf-8"
    )
    removed = prune(now)
    size = sum(path.stat().st_size for path in OBJECTS.rglob("*") if path.is_file())
    print(f"Released {champion.network}, the champion of {source}: {FOLDER}/ has {size / 1e6:.1f} MB.")
    print(f"{removed} files of champions before it were removed; git's history keeps those that were committed.")
    print(f"Commit it with the run: git add {FOLDER} dvc.lock params.yaml reports")


def locked(text: str) -> tuple[str, str]:
    """The hashes of dist/ and models/best/, from dvc.lock's ``text``."""
    stages = yaml.safe_load(text)["stages"]
    outputs = {out["path"]: out["md5"] for name in ("package", "promote") for out in stages[name]["outs"]}
    return outputs[str(DIST)], outputs[str(BEST)]


def described(dist: str, best: str) -> tuple[str, Champion]:
    """The source of the champion in two released folders, and the champion. Raises DataError where they lack a file."""
    for folder in (dist, best):
        for _, md5 in files(folder):
            read(md5)
    run = json.loads(read(dict(files(best))["run.json"]))
    return run["source"], Champion(run["network"], dist, best)


def prune(kept: dict[str, Champion]) -> int:
    """Remove the files that no champion has. Returns how many."""
    folders = {folder for one in kept.values() for folder in (one.dist, one.best)}
    wanted = folders | {md5 for folder in folders for _, md5 in files(folder)}
    removed = 0
    for part in OBJECTS.iterdir():
        for path in part.iterdir():
            if part.name + path.name not in wanted:
                path.unlink()
                removed += 1
        if not any(part.iterdir()):
            shutil.rmtree(part)
    return removed


if __name__ == "__main__":
    main()
