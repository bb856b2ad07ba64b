"""The checkout that a run works in: nobody else does, and what a DVC that was killed left half written is put right."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from pipeline.data.files import replacing
from pipeline.paths import BEST, RESUME

LOCK = Path("dvc.lock")
CONFIG = Path(".dvc/config")
TMP = Path(".dvc/tmp")
RWLOCK = TMP / "rwlock"
"""In which DVC notes the processes that use the outputs of a stage."""
STOOD = RESUME / "champion"
WRITING_S = 0.5
"""For which a file that DVC is writing may be read half."""


class BusyError(Exception):
    """Another process runs the pipeline in this checkout."""


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Have the checkout for this process alone. Raises BusyError where another one has it, or DVC runs in it."""
    TMP.mkdir(parents=True, exist_ok=True)
    with (TMP / "run.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BusyError(f"process {file.read()} runs the pipeline in this checkout") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        for process in _users():
            raise BusyError(f"process {process.pid} runs DVC in this checkout")
        RWLOCK.unlink(missing_ok=True)  # of processes that are gone; DVC would stop where it is half written
        yield


def mend_lock() -> bool:
    """Take dvc.lock from the last commit if DVC was killed while it wrote it, or remove it; return whether it was.

    DVC has all stages that it finished in its run cache as well, and so runs none of them again.
    """
    if not LOCK.exists() or _is_whole(LOCK.read_text(encoding="utf-8")):
        return False
    committed = subprocess.run(["git", "show", f"HEAD:./{LOCK}"], capture_output=True)
    if committed.returncode:
        LOCK.unlink()
    else:
        LOCK.write_bytes(committed.stdout)
    return True


def refill_cache() -> int:
    """Put into DVC's cache what lies in its place as dvc.lock says but is not in the cache, which may have been lost.

    DVC would run the stages again that made it. Returns how many outputs there were.
    """
    if not CONFIG.exists():
        return 0
    from dvc.repo import Repo  # it takes a second: only where something has changed

    with Repo() as repo, repo.lock:
        outputs = [out for stage in repo.index.stages for out in stage.outs if out.use_cache and out.hash_info]
        lost = [out for out in outputs if out.exists and out.changed_cache() and not out.changed_checksum()]
        for out in lost:
            out.commit()
    return len(lost)


def settle_champion() -> None:
    """Put back the champion that stood before a run that ended before DVC knew whom it promoted; else note who stands.

    The promotion compares with the champion that stands in models/best, and would find its own there.
    """
    known = json.dumps(_promotion())
    noted = STOOD / "known.json"
    if not noted.exists() or noted.read_text(encoding="utf-8") != known:
        with replacing(STOOD) as new:
            if BEST.exists():
                shutil.copytree(BEST, new / BEST.name)
            (new / noted.name).write_text(known, encoding="utf-8")
    elif (STOOD / BEST.name).exists():
        with replacing(BEST) as new:
            shutil.copytree(STOOD / BEST.name, new, dirs_exist_ok=True)
    elif BEST.exists():
        shutil.rmtree(BEST)


def forget_champion() -> None:
    """Forget who stood before a run that came to its end."""
    shutil.rmtree(STOOD, ignore_errors=True)


def _promotion() -> Any:
    """What dvc.lock says of the last promotion, if anything."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.exists() else "{}"
    return yaml.load(text, yaml.CSafeLoader).get("stages", {}).get("promote")


def _is_whole(text: str) -> bool:
    """Whether DVC can read the text of a dvc.lock, and the last of its entries has all that DVC writes."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        stages = COMPILED_LOCKFILE_SCHEMA(yaml.load(text, yaml.CSafeLoader))["stages"]
    except (yaml.YAMLError, Invalid, KeyError):
        return False
    entries = [entry for stage in stages.values() for entry in (*stage.get("deps", ()), *stage.get("outs", ()))]
    last = "nfiles" if entries and str(entries[-1].get("md5")).endswith(".dir") else "size"
    return text.endswith("\n") and (not entries or last in entries[-1])


def _users() -> list[psutil.Process]:
    """The processes that DVC notes and that live, less namesakes: begun after the note, or with other arguments."""
    for _ in range(2):
        with contextlib.suppress(ValueError):
            if not RWLOCK.exists():
                return []
            noted: dict[str, Any] = json.loads(RWLOCK.read_text(encoding="utf-8"))
            written = RWLOCK.stat().st_mtime
            readers = [info for infos in noted.get("read", {}).values() for info in infos]
            infos = [*noted.get("write", {}).values(), *readers]
            users = {(info["pid"], info["cmd"]) for info in infos}
            return [one for pid, command in users for one in _living(pid, command, written)]
        time.sleep(WRITING_S)
    return []


def _living(pid: int, command: str, since: float) -> list[psutil.Process]:
    _, _, arguments = command.partition(" ")
    try:
        process = psutil.Process(pid)
        namesake = process.create_time() >= since or not " ".join(process.cmdline()).endswith(arguments)
        return [] if namesake or process.status() == psutil.STATUS_ZOMBIE else [process]
    except psutil.NoSuchProcess:
        return []
