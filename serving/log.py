"""The log: one JSON object a line, whatever a client sends. It never holds a body."""

import functools
import json
import logging
import sys
import time
from typing import Any

LONGEST = 200  # characters of anything that a client chose

logger = logging.getLogger("inkwell")
out = sys.stderr


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


def request(**fields: Any) -> None:
    """Write the line for a request, past `logging`, which costs four times as much."""
    now = time.time()
    line = {"time": f"{_second(int(now))}.{int(now % 1 * 1000):03d}Z", "level": "info", "message": "request", **fields}
    out.write(json.dumps(line) + "\n")


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
