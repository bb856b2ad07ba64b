"""The log: one JSON object a line, whatever a client sends. It never holds a body.

The lines of requests are gathered, and written by `flush`.
"""

import contextlib
import functools
import json
import logging
import sys
import time
from select import PIPE_BUF

LONGEST = 200  # characters of anything that a client chose

logger = logging.getLogger("inkwell")
out = sys.stderr
_lines: list[str] = []


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def request(request_id: str, method: str, path: str, status: int, code: str | None, seconds: float) -> None:
    """Note a request, past `logging` and without a dictionary, which cost several times as much."""
    now = time.time()
    _lines.append(
        f'{{"time": "{_second(int(now))}.{int(now % 1 * 1000):03d}Z", "level": "info", "message": "request",'
        f' "request_id": "{request_id}", "method": {_json(method)}, "path": {_json(path[:LONGEST])},'
        f' "status": {status}, "code": {_json(code)}, "ms": {seconds * 1000:.2f}}}\n'
    )


def flush() -> None:
    """Write the lines of the requests noted since the last time. A full disk loses them, not the service.

    No more are written at once than a pipe keeps together, or those of several workers would run into each other.
    """
    pieces = [""]
    for line in _lines:
        if len(pieces[-1]) + len(line) > PIPE_BUF:
            pieces.append("")
        pieces[-1] += line
    _lines.clear()
    with contextlib.suppress(OSError):
        for piece in pieces:
            out.write(piece)
            out.flush()


@functools.lru_cache(maxsize=256)
def _json(text: str | None) -> str:
    return json.dumps(text)


@functools.lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def configure() -> None:
    """Send the service's log to stderr, and nowhere else."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
