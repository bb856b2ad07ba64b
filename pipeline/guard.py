"""End a server of BentoML at once, with its workers; as a command, when its standard input ends.

    python pipeline/guard.py PID

What holds the other end of that input may be killed by SIGKILL, and the server ends with it nevertheless.
"""

import contextlib
import sys

import psutil


def kill(pid: int) -> None:
    """Each worker leads a session of its own: a signal to the group of the server does not reach it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        for process in (server, *server.children(recursive=True)):  # it first, for it replaces a worker that is gone
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


if __name__ == "__main__":
    sys.stdin.read()
    kill(int(sys.argv[1]))
