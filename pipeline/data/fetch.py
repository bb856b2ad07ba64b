"""Fetching a file from the first mirror that has it: verified, resumed where it was cut off, never half written.

A mirror is a base that a file's name is appended to: an http(s) or file URL, or a folder. A mirror that fails,
stalls, is cut off or gives other bytes is passed over. What arrived from it stays in a partial file, one for each URL
because the compressed bytes differ from mirror to mirror; the next attempt, in this run or a later one, asks for the
rest alone.
"""

import gzip
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import httpx

from pipeline.data.errors import DataError
from pipeline.data.sources import RemoteFile

CHUNK = 1 << 16
SLOWEST = 1024
"""Bytes a second below which a mirror counts as stalled."""


class MirrorError(Exception):
    """This mirror does not give the file; the message says why."""


class UnreachableError(MirrorError):
    """There is no connection, or it has stalled."""


class BusyError(MirrorError):
    """The mirror was busy or cut off; it may give the file, or the rest of it, if it is asked again."""


class WrongBytesError(MirrorError):
    """What came is not the file."""


@dataclass(frozen=True)
class Patience:
    stall: float = 20.0
    """seconds without an answer, or with next to nothing arriving, before a mirror is passed over"""
    pauses: Sequence[float] = (0.5, 2.0)
    """seconds before each further attempt at a mirror that was busy or was cut off"""


@dataclass
class Fetcher:
    """Fetches files into ``folder``, and keeps there, under partial/, what is still incomplete."""

    folder: Path
    passed_over: Callable[[str], None]
    """hears which mirror was passed over, and why"""
    arrived: Callable[[str, int, int | None], None]
    """hears a file's name, the bytes that are there, and the bytes in all where the mirror tells"""
    patience: Patience = Patience()
    unreachable: set[str] = field(default_factory=set)

    def fetch(self, file: RemoteFile, mirrors: Sequence[str]) -> None:
        """Write ``folder``/NAME, decompressed and verified, from the first of ``mirrors`` that gives it.

        A mirror that could not be reached for one file is asked last for the next ones.

        Raises:
            DataError: no mirror gave the file; the message lists each and why not.
        """
        failures = []
        for mirror in sorted(mirrors, key=lambda mirror: mirror in self.unreachable):
            try:
                self._from(mirror, file)
                return
            except MirrorError as reason:
                failures.append(f"\n  {mirror}: {reason}")
                self.passed_over(f"{file.name}: passed over {mirror}: {reason}")
                if isinstance(reason, UnreachableError):
                    self.unreachable.add(mirror)
        tried = "".join(failures) or " none, because none is named"
        raise DataError(f"{file.name}.gz could be had from no mirror. Tried:{tried}")

    def _from(self, mirror: str, file: RemoteFile) -> None:
        if mirror.startswith(("http://", "https://")):
            self._from_url(f"{mirror.rstrip('/')}/{file.name}.gz", file)
        elif mirror.startswith("file://"):
            self._from_folder(Path(unquote(urlsplit(mirror).path)), file)
        else:
            self._from_folder(Path(mirror), file)

    def _from_folder(self, folder: Path, file: RemoteFile) -> None:
        name = f"{file.name}.gz"
        try:
            archive = (folder / name).open("rb")
        except OSError as error:
            raise MirrorError(f"{name}: {error.strerror}") from error
        with archive:
            unpack(archive, self.folder / file.name, file)
            self.arrived(file.name, archive.tell(), archive.tell())

    def _from_url(self, url: str, file: RemoteFile) -> None:
        key = hashlib.sha256(url.encode()).hexdigest()[:12]
        partial = self.folder / "partial" / f"{file.name}.{key}.gz"
        partial.parent.mkdir(parents=True, exist_ok=True)
        pauses = iter(self.patience.pauses)
        while True:
            resumed = partial.exists()
            try:
                for received, total in receive(url, partial, self.patience.stall):
                    self.arrived(file.name, received, total)
                with partial.open("rb") as archive:
                    unpack(archive, self.folder / file.name, file)
            except BusyError:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause)
            except WrongBytesError:
                partial.unlink()
                if not resumed:
                    raise
            else:
                partial.unlink()
                return


def receive(url: str, partial: Path, stall: float) -> Iterator[tuple[int, int | None]]:
    """Append to ``partial`` what it lacks of ``url``, or write all of it where the server gives nothing less.

    Yields the bytes that are there, and the bytes in all where the server tells.
    """
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream("GET", url, headers=headers, timeout=stall, follow_redirects=True) as answer:
            said = f"answered {answer.status_code} {answer.reason_phrase}"
            if answer.status_code in (408, 429) or answer.is_server_error:
                raise BusyError(said)
            if have and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise MirrorError(said)
            if answer.status_code == httpx.codes.OK:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with partial.open("ab" if have else "wb", buffering=0) as output:
                for chunk in steadily(answer.iter_raw(), stall):
                    output.write(chunk)
                    have += len(chunk)
                    yield have, total
    except httpx.ConnectTimeout as error:
        raise UnreachableError(f"no connection within {stall:g} s") from error
    except httpx.ConnectError as error:
        raise UnreachableError(f"no connection ({error})") from error
    except httpx.TimeoutException as error:
        raise UnreachableError(f"stalled: nothing came for {stall:g} s") from error
    except httpx.TransportError as error:
        raise BusyError(f"cut off after {have} bytes ({error})") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MirrorError(str(error)) from error


def steadily(chunks: Iterator[bytes], stall: float) -> Iterator[bytes]:
    """Pass ``chunks`` on as long as every ``stall`` seconds bring at least SLOWEST bytes a second."""
    since, received = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        received += len(chunk)
        waited = time.monotonic() - since
        if waited >= stall:
            if received < SLOWEST * waited:
                raise UnreachableError(f"stalled: {received} bytes in {waited:.1f} s")
            since, received = time.monotonic(), 0


def unpack(archive: BinaryIO, target: Path, file: RemoteFile) -> None:
    """Decompress ``archive`` to ``target``, which appears only once it is known to be ``file``."""
    unverified = target.with_name(target.name + ".unverified")
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=archive) as source, unverified.open("wb") as output:
            while size <= file.size and (block := source.read(CHUNK)):
                digest.update(block)
                size += len(block)
                output.write(block)
        if size != file.size:
            found = f"more than {file.size}" if size > file.size else f"{size}"
            raise WrongBytesError(f"wrong bytes: {found} when decompressed, not {file.size}")
        if digest.hexdigest() != file.sha256:
            raise WrongBytesError(f"wrong bytes: sha256 {digest.hexdigest()} when decompressed, not {file.sha256}")
        unverified.replace(target)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise WrongBytesError(f"not a gzip file, or a damaged one ({error})") from error
    finally:
        unverified.unlink(missing_ok=True)
