"""End a server of BentoML at once, with its workers; as a command, when its standard input ends.

    python pipeline/guard.py PID

What holds the other end of that input may be killed by SIGKILL, and the server ends with it nevertheless.
"""

import contextlib
import sys
import time

import psutil

PATIENCE_S = 10.0
"""For the kernel to take a process away that is not stuck in a disk's driver."""


def kill(pid: int) -> None:
    """Kill the server and wait until none of its processes holds a file or a port any more.

    Each worker leads a session of its own: a signal to the group of the server does not reach it.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        processes = [server, *server.children(recursive=True)]  # it first, for it replaces a worker that is gone
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + PATIENCE_S
        while any(map(_holds, processes)) and time.monotonic() < deadline:
            time.sleep(0.01)


def _holds(process: psutil.Process) -> bool:
    """A zombie holds nothing, but it is one as soon as its first thread has ended."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.stdin.read()
    kill(int(sys.argv[1]))
