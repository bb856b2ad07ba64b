"""Fetching a file from the first mirror that has it: verified, resumed where it was cut off, never half written.

A mirror is a base that a file's name is appended to: an http(s) or file URL, or a folder. A mirror that fails,
stalls, is cut off or gives other bytes is passed over. pooch holds what came against its sha256, puts it in its place,
and asks a mirror again. How the bytes come is our own, because pooch's downloader never resumes, waits for ever where
a byte comes now and then, and unpacks a file only after it was verified as packed, which differs from mirror to mirror.
Hence a partial file for each URL: the next attempt, in this run or a later one, asks for the rest alone.
"""

import gzip
import hashlib
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pooch

from pipeline.data.errors import DataError
from pipeline.data.sources import RemoteFile

CHUNK = 1 << 16
SLOWEST = 1024
"""Bytes a second below which a mirror counts as stalled."""
RETRIES = 2
"""Further attempts at a mirror that was busy or was cut off, 1 s and 2 s later."""

pooch.get_logger().setLevel(logging.WARNING)


class MirrorError(Exception):
    """This mirror does not give the file; the message says why."""


class UnreachableError(MirrorError):
    """There is no connection, or it has stalled."""


class TryAgainError(MirrorError, ValueError):
    """The mirror may give the file, or the rest of it, if it is asked again; pooch does so after a ValueError."""


@dataclass
class Fetcher:
    """Fetches files into ``folder``, and keeps there, under partial/, what is still incomplete."""

    folder: Path
    passed_over: Callable[[str], None]
    """hears which mirror was passed over, and why"""
    arrived: Callable[[str, int, int | None], None]
    """hears a file's name, the bytes that are there, and the bytes in all where the mirror tells"""
    stall: float = 20.0
    """seconds without an answer, or with next to nothing arriving, before a mirror is passed over"""
    unreachable: set[str] = field(default_factory=set)

    def fetch(self, file: RemoteFile, mirrors: Sequence[str]) -> None:
        """Write ``folder``/NAME, decompressed and verified, from the first of ``mirrors`` that gives it.

        A file that is there and right is not asked for. A mirror that could not be reached for one file is asked last
        for the next ones.

        Raises:
            DataError: no mirror gave the file; the message lists each and why not.
        """
        there = self.folder / file.name
        if there.is_file() and pooch.file_hash(there) == file.sha256:  # pooch looks too, but wants a mirror for that
            return
        failures = []
        for mirror in sorted(mirrors, key=lambda mirror: mirror in self.unreachable):
            known, url = {file.name: f"sha256:{file.sha256}"}, {file.name: f"{mirror.rstrip('/')}/{file.name}.gz"}
            shelf = pooch.create(self.folder, base_url="", registry=known, urls=url, retry_if_failed=RETRIES)
            try:
                shelf.fetch(file.name, downloader=partial(self._bring, file))
                return
            except (MirrorError, ValueError) as error:
                reason = str(error) if isinstance(error, MirrorError) else f"wrong bytes: {error}"
                failures.append(f"\n  {mirror}: {reason}")
                self.passed_over(f"{file.name}: passed over {mirror}: {reason}")
                if isinstance(error, UnreachableError):
                    self.unreachable.add(mirror)
        tried = "".join(failures) or " none, because none is named"
        raise DataError(f"{file.name}.gz could be had from no mirror. Tried:{tried}")

    def _bring(self, file: RemoteFile, url: str, target: str, _: Any) -> None:
        """Write what ``url`` has, decompressed, to ``target``, whose sha256 pooch then looks at."""
        if not url.startswith(("http://", "https://")):
            archive = Path(unquote(urlsplit(url).path) if url.startswith("file://") else url)
            unpack(archive, Path(target), file.size)
            self.arrived(file.name, archive.stat().st_size, archive.stat().st_size)
            return
        key = hashlib.sha256(url.encode()).hexdigest()[:12]
        archive = self.folder / "partial" / f"{file.name}.{key}.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)
        resumed = archive.exists()
        for received, total in receive(url, archive, self.stall):
            self.arrived(file.name, received, total)
        try:
            unpack(archive, Path(target), file.size)
        except MirrorError as error:
            archive.unlink()
            if resumed:
                raise TryAgainError(str(error)) from error
            raise
        archive.unlink()


def receive(url: str, archive: Path, stall: float) -> Iterator[tuple[int, int | None]]:
    """Append to ``archive`` what it lacks of ``url``, or write all of it where the server gives nothing less.

    Yields the bytes that are there, and the bytes in all where the server tells.
    """
    have = archive.stat().st_size if archive.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream("GET", url, headers=headers, timeout=stall, follow_redirects=True) as answer:
            said = f"answered {answer.status_code} {answer.reason_phrase}"
            if answer.status_code in (408, 429) or answer.is_server_error:
                raise TryAgainError(said)
            if have and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise MirrorError(said)
            if answer.status_code == httpx.codes.OK:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with archive.open("ab" if have else "wb", buffering=0) as output:
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
        raise TryAgainError(f"cut off after {have} bytes ({error})") from error
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


def unpack(archive: Path, target: Path, size: int) -> None:
    """Decompress ``archive`` to ``target`` if it holds ``size`` bytes; no more is unpacked than that."""
    try:
        with gzip.open(archive) as source:
            content = source.read(size + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MirrorError(f"not a gzip file, or a damaged one ({error})") from error
    except OSError as error:
        raise MirrorError(f"{archive.name}: {error.strerror}") from error
    if len(content) != size:
        found = f"more than {size}" if len(content) > size else f"{len(content)}"
        raise MirrorError(f"wrong bytes: {found} when decompressed, not {size}")
    target.write_bytes(content)
