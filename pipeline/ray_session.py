"""Ray as the commands use it: nobody else gets in, nothing is reported, and how a process ends stays its own matter."""

import logging
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def prepare(own: Mapping[str, str], joins: bool = False) -> None:
    """Set what Ray reads from the environment as it is imported.

    own: what the command sets beside what all do.
    joins: whether a cluster is joined, whose secret is known already, where else one is drawn.
    """
    os.environ.update({"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **own})
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 leaves workers next to nothing beside another load
    if not joins:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def session(address: str | None = None, **options: Any) -> Iterator[None]:
    """Ray for the body, begun as `ray.init` does. After `prepare`.

    Where this process is killed, what it asked for ends within seconds, and two idle processes of Ray's after a minute.
    """
    import ray

    at_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
        signal.signal(signal.SIGTERM, at_sigterm)  # Ray has put its own there
        yield
    finally:
        ray.shutdown()
