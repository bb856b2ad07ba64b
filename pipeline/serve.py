"""Serve the champion of a source of data, mnist unless another is named, on 127.0.0.1:3000.

    python -m pipeline.serve
    HOST=0.0.0.0 PORT=8080 WORKERS=2 python -m pipeline.serve mnist-sample

That is the Bento in dist/, if the last run was on that source, else the one that was released with the repository.
Nothing is imported here but what the Bento brings, which is all that .venv-serve has.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import httpx

from pipeline import guard, release
from pipeline.data.errors import DataError
from serving.web.cors import Origins, OriginsError
from serving.web.keys import Keys, KeysError

BENTO = Path("dist/bento")
STATE = Path(".bentoml")  # BentoML's own state stays inside the project
SOURCE = "mnist"
"""Whose champion is served unless another is asked for."""
SERVICE = "inkwell"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What listens on all addresses of a machine, and one of these."""
MOST_WORKERS = 256
START_S = 60.0
STOP_S = 15.0


class ServeError(Exception):
    """The Bento cannot be served."""


def find(source: str) -> Path:
    """The Bento of a source's champion: the one that was packaged here, else the one that was released.

    Raises ServeError where there is neither, or the released one is damaged.
    """
    if learnt_from(BENTO) == source:
        return BENTO
    champions = release.champions()
    if source in champions:
        return released(champions[source])
    others = {*champions, learnt_from(BENTO)} - {None}
    instead = f"There are those of {', '.join(sorted(map(str, others)))}. " if others else ""
    raise ServeError(
        f"there is no champion of {source}, neither in {BENTO} nor in {release.FOLDER}/. {instead}"
        f"`make run DATA={source}` makes it"
    )


def learnt_from(bento: Path) -> str | None:
    """The source of the data that a Bento's model learnt from; None where there is no Bento, or it does not say."""
    card = bento / "src/card.json"
    return json.loads(card.read_text(encoding="utf-8")).get("params", {}).get("data.source") if card.is_file() else None


def released(champion: release.Champion) -> Path:
    """The Bento of a released champion, taken out of release/ once. Raises ServeError where it is damaged there."""
    folder = state() / "released" / champion.dist.removesuffix(".dir")
    try:
        if not folder.is_dir():
            release.take_out(champion.dist, folder)
    except DataError as error:
        raise ServeError(str(error)) from error
    return folder / BENTO.name


def state() -> Path:
    """The folder of BentoML's state: in the project or, where that cannot be written to, among the user's caches.

    Raises ServeError where neither can be.
    """
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        for folder in (STATE, Path(caches) / "inkwell"):
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if os.access(folder, os.W_OK | os.X_OK):
                    return folder
    except RuntimeError:  # of a user without a home
        caches = "XDG_CACHE_HOME"
    raise ServeError(
        f"neither {STATE.absolute()} nor {caches} can be written to, where the server keeps its state."
        " Name a folder for it in XDG_CACHE_HOME"
    )


def command(bento: Path, host: str, port: int) -> list[str]:
    """The command that serves the Bento in the folder `bento`. (BentoML takes a relative folder for a module.)"""
    where = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "bentoml", "serve", str(bento.absolute()), *where]


def environment(home: Path, workers: int = 0) -> dict[str, str]:
    """The environment that BentoML is run in: its state in `home`, nothing reported to anybody, and no bytecode
    written into the Bento, whose files are hashed. workers: how many processes answer, or 0 for what the Bento says."""
    own = {"BENTOML_HOME": str(home.absolute()), "BENTOML_DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    if workers:
        options = os.environ.get("BENTOML_CONFIG_OPTIONS", "")
        own["BENTOML_CONFIG_OPTIONS"] = f"{options} services.{SERVICE}.workers={workers}".strip()
    return {**os.environ, **own, "PYTHONUTF8": "1"}


def url_of(host: str, port: int) -> str:
    """The URL of a host, which may be an IPv6 address."""
    return f"http://[{host.replace('%', '%25')}]:{port}" if ":" in host else f"http://{host}:{port}"


def begin(bento: Path, host: str, port: int, home: Path, log: BinaryIO, **environ: str) -> subprocess.Popen[bytes]:
    """Begin to serve `bento`, in a session of its own, its state in `home`; `environ` goes before this environment."""
    return subprocess.Popen(
        command(bento, host, port),
        env={**environment(home), **environ},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@contextlib.contextmanager
def running(bento: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve `bento` on a free port while the context lasts, and give its URL once it is ready to answer.

    Raises ServeError, with what the server wrote, if it stops or is not ready within a minute.
    """
    with tempfile.TemporaryDirectory(dir=state(), prefix="serve-") as folder:
        home = Path(folder)
        log = home / "log"
        port = free_port(host)
        url = url_of(host, port)
        with log.open("wb") as stream:
            process = begin(bento, host, port, home, stream)
        try:
            with _guarded(process):
                _await_ready(process, url, log)
                yield url
        finally:
            stop(process)


@contextlib.contextmanager
def _guarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a server that leads a session of its own end with this process too, were it by SIGKILL."""
    command = [sys.executable, "-I", guard.__file__, str(process.pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as waiting:
        try:
            yield
        finally:
            waiting.kill()


def free_port(host: str) -> int:
    """A port on which nothing listens at this moment."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        port: int = server.getsockname()[1]
        return port


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=1, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    state = "was not ready in time" if process.poll() is None else f"stopped with status {process.returncode}"
    raise ServeError(f"the service {state}; it wrote:\n{log.read_text(errors='replace', encoding='utf-8')[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server that leads a session of its own; one that does not is killed, as is a worker that only starts."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        guard.kill(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def check(host: str, port: int) -> str:
    """The IP address to listen on. Raises ServeError if nobody can or should listen there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server((host, port), family=family):
            found = str(address[0])
    except OSError as error:
        raise ServeError(
            f"cannot listen on {url_of(host, port)}: {error.strerror}. Choose another place with HOST, a name or an"
            f" address, and PORT, as in `PORT={port + 1} make serve`"
        ) from error
    try:
        Keys.from_environment().check_exposure(found)
        Origins.from_environment()
    except (KeysError, OriginsError) as error:
        raise ServeError(str(error)) from error
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Check that there is something to serve and a place to serve it, and become the server."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", default=SOURCE, help="that the champion learnt from")
    source = parser.parse_args(argv).source
    host = os.environ.get("HOST", "").strip("[]") or "127.0.0.1"
    port = _number("PORT", 3000, 65535)
    workers = _number("WORKERS", 0, MOST_WORKERS)
    try:
        bento = find(source)
        address = check(host, port)
        home = state() / f"serve-{port}"  # two servers that share one would overwrite each other's metrics
    except ServeError as error:
        sys.exit(f"serve: {error}.")
    home.mkdir(exist_ok=True)
    place = url_of(EVERYWHERE.get(address, host), port)
    also = " and on this machine's other addresses" if address in EVERYWHERE else ""
    print(f"Serving {described(source, bento)} on {place}{also} (Ctrl-C stops it)", flush=True)
    if (here := learnt_from(BENTO)) not in (source, None):
        print(f"The last run was on {here}: `make serve DATA={here}` serves its champion", flush=True)
    os.execve(sys.executable, command(bento, address, port), environment(home, workers))


def _number(name: str, default: int, most: int) -> int:
    """The number in an environment variable."""
    text = os.environ.get(name)
    if not text:
        return default
    if not text.isdecimal() or not 0 < int(text) <= most:
        sys.exit(f"serve: {name} is {text!r}; expected a number in 1..{most}")
    return int(text)


def described(source: str, bento: Path) -> str:
    """Whose champion is served."""
    if bento == BENTO:
        return f"the champion of {source} that the last run packaged"
    return f"the released champion of {source}, {release.champions()[source].network},"


if __name__ == "__main__":
    main()
