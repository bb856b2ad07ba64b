"""How a process of the pipeline ends: at a signal, or with the run that it is part of, and all that it started with it.

    python -m pipeline.ending dvc repro      runs a module, here DVC, as a process that ends in this way

A stage is the last of a chain: make, `python -m pipeline`, DVC, perhaps a shell. Whichever of them is gone, all below
it end, for an orphan would write its outputs into the workspace of the next run. Each looks at its parent, and a stage
as far up as DVC. What stands above the chain, a terminal or a script, may go; but a stage that was started by hand ends
with whoever started it, unless it has a process group of its own, as a job of a terminal has, or runs under nohup.

A thread looks at the chain four times a second. On Linux the kernel would send a signal instead (PR_SET_PDEATHSIG); but
it does so when the thread ends that forked, not where the parent was gone before it was asked to, and never for the
parent's parent. A pipe that the parent holds open does not get through DVC and its shell, which close it.
"""

import contextlib
import itertools
import operator
import os
import runpy
import select
import signal
import sys
import threading
import time
from types import FrameType

import psutil

POLL_S = 0.25
STAGE_S = 3.0
"""What a stage has for its last words to MLflow, before it ends whatever it is at."""
RUN_S = 4.5
"""What those above it have: a stage's time, and some for themselves."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
TRACKER = "multiprocessing.resource_tracker"
"""A process of Python's own, which cleans up after all others and then ends by itself."""
_watches = threading.Event()


def watch_imports() -> None:
    """In a process of a stage that DVC runs, from its first import until it watches by itself: end with the run.

    A stage imports for seconds. Nothing is open in them, so that it ends at once, whatever its main thread is at.
    """
    chain = _chain_to_run(os.environ["DVC_STAGE"])

    def attend() -> None:
        while not _watches.wait(POLL_S):
            if not _is_whole(chain):
                os._exit(128 + signal.SIGTERM)

    threading.Thread(target=attend, name="ending of imports", daemon=True).start()


def watch(name: str, patience_s: float = STAGE_S, polite: bool = False, parents: bool = True) -> None:
    """From now on end this process in time: at SIGTERM, SIGHUP or SIGINT, or when one of its parents is gone.

    Its main thread is left with SystemExit, so that it can close what it has open; where it is not back within
    ``patience_s`` seconds, the process ends nevertheless. A signal that is ignored, as under nohup, stays so.

    Args:
        name: of this process, for the line that says what happened.
        polite: whether its children are asked to end, and killed only where they do not: for those that have stages
            among their children. Else they are killed at once.
        parents: whether it ends with its parents at all.
    """
    chain = _chain_to_run(name) if parents else []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def leave(number: int, _frame: FrameType | None) -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        text = f"\n{name}: ended by {signal.Signals(number).name}. The same command goes on from here.\n"
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, text.encode())
        _end_children(polite, patience_s - 1)
        sys.exit(128 + number)

    def attend() -> None:
        number = 0
        while not number and _is_whole(chain):
            number = _received(reader)
        if not number:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience_s)
        _end_children()
        os._exit(128 + (number or signal.SIGTERM))

    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, leave)
    forking = [os.getpid()]
    os.register_at_fork(
        before=lambda: operator.setitem(forking, 0, os.getpid()), after_in_child=lambda: _be_worker(forking[0])
    )
    threading.Thread(target=attend, name="ending", daemon=True).start()
    _watches.set()


def watch_parent() -> None:
    """In a process that multiprocessing spawned: from now on end with the process that did so."""
    parent = os.getppid()
    if not _is_of_group(parent):
        os._exit(1)  # it was gone before this looked
    _be_worker(parent)


def _be_worker(parent: int) -> None:
    def attend() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    signal.set_wakeup_fd(-1)  # a forked one would tell the parent of its own signals
    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to all: the parent sees to its workers
    threading.Thread(target=attend, name="ending", daemon=True).start()


def _chain_to_run(name: str) -> list[psutil.Process]:
    """The chain up to what runs this process; SystemExit where a run of DVC's has begun it and is gone."""
    chain = _chain()
    if _is_below_dvc(chain[-1]):
        sys.exit(f"{name}: the run that began this is gone.")
    return chain


def _chain() -> list[psutil.Process]:
    """This process and its parent, or of a stage that DVC runs all up to DVC; none of another process group."""
    chain = [psutil.Process()]
    with contextlib.suppress(psutil.Error):
        while (parent := chain[-1].parent()) and _is_of_group(parent.pid):
            chain.append(parent)
            if not _is_below_dvc(parent):
                break
    return chain


def _is_below_dvc(process: psutil.Process) -> bool:
    """Whether DVC runs a process for the stage that this one is part of, which has its name from DVC."""
    stage = os.environ.get("DVC_STAGE")
    try:
        return stage is not None and process.environ().get("DVC_STAGE") == stage
    except psutil.NoSuchProcess:
        return True  # it ended just now, before it was known who ran it
    except psutil.AccessDenied:
        return False  # another user's, as sudo is


def _is_of_group(pid: int) -> bool:
    """Whether a process is of this one's group, as that which adopts an orphan is not."""
    try:
        return os.getpgid(pid) == os.getpgrp()
    except OSError:
        return False


def _is_whole(chain: list[psutil.Process]) -> bool:
    """Whether each one's parent is still the next: whoever ends, even as a zombie, leaves its children to another."""
    try:
        return all(child.ppid() == parent.pid for child, parent in itertools.pairwise(chain))
    except psutil.NoSuchProcess:
        return False


def _received(reader: int) -> int:
    """The first of SIGNALS that comes within POLL_S, else 0. Python writes it to the pipe, whatever else is done."""
    ready, _, _ = select.select([reader], [], [], POLL_S)
    return next((number for number in os.read(reader, 64) if number in SIGNALS), 0) if ready else 0


def _end_children(polite: bool = False, patience_s: float = 0.0) -> None:
    """End all that this process started. It waits without reaping, or Popen would take an exit code for 0."""
    deadline = time.monotonic() + patience_s
    if polite:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()
        while (left := _children()) and time.monotonic() < deadline:
            time.sleep(0.02)
    else:
        left = _children()
    for child in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def _children() -> list[psutil.Process]:
    """What this process and its children started, as far as it still runs."""
    return [child for child in psutil.Process().children(recursive=True) if _runs(child)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and TRACKER not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    from pipeline import ending  # by its name: this module's place as __main__ is the other's

    del sys.argv[0]
    ending.watch(sys.argv[0], RUN_S, polite=True)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
