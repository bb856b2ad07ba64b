"""Fetching a file from the first mirror that has it: verified, resumed where it was cut off, never half written.

A mirror is a base that a file's name is appended to: an http(s) or file URL, or a folder. A mirror that fails, stalls, is
cut off or gives other bytes is passed over. What arrived from it stays in a partial file, one for each URL, because the
compressed bytes differ between mirrors; the next attempt, also one of a later run, asks for the rest alone.
"""

import hashlib
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from pipeline.data.errors import DataError
from pipeline.data.sources import RemoteFile

CHUNK = 1 << 16
SLOWEST = 1024
"""Bytes a second below which a server counts as stalled."""


class Unusable(Exception):
    """This mirror does not give the file; the message says why."""


class Interrupted(Unusable):
    """This mirror may give the file, or the rest of it, if it is asked again."""


class WrongBytes(Unusable):
    """What came is not the file."""


@dataclass(frozen=True)
class Patience:
    stall: float = 20.0
    """seconds without an answer, or with next to nothing arriving, before a mirror is passed over"""
    pauses: Sequence[float] = (0.5, 2.0)
    """seconds before each further attempt at a mirror that was busy or was cut off"""


@dataclass(frozen=True)
class Listener:
    """What hears how a fetch goes."""

    passed_over: Callable[[str], None] = lambda line: None
    arrived: Callable[[int, int | None], None] = lambda received, total: None
    """bytes there, bytes in all where the server tells"""


@dataclass
class Fetcher:
    """Fetches files into ``folder``, with what is still incomplete in ``folder``/partial."""

    folder: Path
    patience: Patience = field(default_factory=Patience)

    def fetch(self, file: RemoteFile, mirrors: Sequence[str], listener: Listener | None = None) -> str:
        """Write ``folder``/NAME, decompressed and verified, and return the mirror that it came from.

        Raises:
            DataError: no mirror gave the file; the message lists each and why not.
        """
        listener = listener or Listener()
        failures = []
        for mirror in mirrors:
            try:
                self._from_mirror(file, mirror, listener)
            except Unusable as reason:
                failures.append(f"{mirror}: {reason}")
                listener.passed_over(f"{file.name}: passed over {mirror}: {reason}")
            else:
                return mirror
        tried = "".join(f"\n  {failure}" for failure in failures) or "\n  (no mirror is named)"
        raise DataError(f"{file.name}.gz could be had from no mirror. Tried:{tried}")

    def _from_mirror(self, file: RemoteFile, mirror: str, listener: Listener) -> None:
        base = urlsplit(mirror)
        if base.scheme in ("http", "https"):
            self._from_url(file, f"{mirror.rstrip('/')}/{file.name}.gz", listener)
        else:
            folder = unquote(base.path) if base.scheme == "file" else mirror
            archive = Path(folder) / f"{file.name}.gz"
            try:
                size = archive.stat().st_size
            except OSError as error:
                raise Unusable(f"{archive.name}: {error.strerror}") from error
            unpack(archive, self.folder / file.name, file)
            listener.arrived(size, size)

    def _from_url(self, file: RemoteFile, url: str, listener: Listener) -> None:
        key = hashlib.sha256(url.encode()).hexdigest()[:12]
        partial = self.folder / "partial" / f"{file.name}.{key}.gz"
        partial.parent.mkdir(parents=True, exist_ok=True)
        pauses = iter(self.patience.pauses)
        while True:
            resumed = partial.exists() and partial.stat().st_size > 0
            try:
                receive(url, partial, self.patience.stall, listener)
                unpack(partial, self.folder / file.name, file)
            except Interrupted:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause)
            except WrongBytes:
                partial.unlink()
                if not resumed:
                    raise
            else:
                partial.unlink()
                return


def receive(url: str, partial: Path, stall: float, listener: Listener) -> None:
    """Append to ``partial`` what it still lacks of ``url``, or all of it where the server only gives the whole."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream("GET", url, headers=headers, timeout=stall, follow_redirects=True) as answer:
            status = answer.status_code
            if have and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if status in (408, 429) or status >= 500:
                raise Interrupted(f"answered {status} {answer.reason_phrase}")
            if status not in (200, 206):
                raise Unusable(f"answered {status} {answer.reason_phrase}")
            if status == httpx.codes.OK:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length and length.isdecimal() else None
            with partial.open("ab" if have else "wb", buffering=0) as output:
                for chunk in steadily(answer.iter_raw(), stall):
                    output.write(chunk)
                    have += len(chunk)
                    listener.arrived(have, total)
    except httpx.ConnectTimeout as error:
        raise Unusable(f"no connection within {stall:g} s") from error
    except httpx.TimeoutException as error:
        raise Unusable(f"stalled: nothing came for {stall:g} s") from error
    except httpx.ConnectError as error:
        raise Unusable(f"no connection ({error})") from error
    except httpx.TransportError as error:
        raise Interrupted(f"cut off after {have} bytes ({error})") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unusable(str(error)) from error


def steadily(chunks: Iterator[bytes], stall: float) -> Iterator[bytes]:
    """Pass ``chunks`` on while they bring at least SLOWEST bytes a second, looked at every ``stall`` seconds."""
    started, received = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        received += len(chunk)
        waited = time.monotonic() - started
        if waited >= stall:
            if received < SLOWEST * waited:
                raise Unusable(f"stalled: {received} bytes in {waited:.0f} s")
            started, received = time.monotonic(), 0


def unpack(archive: Path, target: Path, file: RemoteFile) -> None:
    """Decompress ``archive`` to ``target``, which appears only when its size and sha256 are those of ``file``."""
    part = target.with_name(target.name + ".unverified")
    digest, size = hashlib.sha256(), 0
    try:
        with closing(archive.open("rb")) as source, part.open("wb") as output:
            for block in inflate(iter(lambda: source.read(CHUNK), b"")):
                digest.update(block)
                size += len(block)
                if size > file.size:
                    raise WrongBytes(f"more than the {file.size} bytes expected")
                output.write(block)
        if digest.hexdigest() != file.sha256:
            raise WrongBytes(f"sha256 of the decompressed bytes is {digest.hexdigest()}, not {file.sha256}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def inflate(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress one gzip member, a piece of bounded size at a time."""
    gzip = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            rest = chunk
            while rest and not gzip.eof:
                yield gzip.decompress(rest, 16 * CHUNK)
                rest = gzip.unconsumed_tail
    except zlib.error as error:
        raise WrongBytes(f"not a gzip file, or a damaged one ({error})") from error
    if not gzip.eof:
        raise Interrupted("the gzip file is cut short")
