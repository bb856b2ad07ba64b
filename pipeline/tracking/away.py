"""An MLflow store that does not answer: told in one sentence within seconds, and gone on without.

DVC has all that the pipeline makes, and `make refill` tells MLflow later: no stage is worth losing for a store.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from rich.console import Console

from pipeline.tracking import address

PATIENCE = 8
"""Seconds that a store has for an answer."""
# MLflow itself tries for minutes, and a request that it repeats after a timeout may make a second run.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(PATIENCE))
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

P = ParamSpec("P")
T = TypeVar("T")
said: set[str] = set()
"""The stores of which this process has said that they are away."""


class StoreError(RuntimeError):
    """That a store cannot be used, in one sentence."""


class AwayError(StoreError):
    """That a store does not answer now, though it may later."""

    def __init__(self, uri: str, error: BaseException) -> None:
        super().__init__(f"MLflow's store {address.shown(uri)} does not answer as it should ({reason(error)})")


@contextmanager
def forgiven() -> Iterator[None]:
    """Go on behind a body that found the store away, having said so, once for each store."""
    try:
        yield
    except Exception as error:
        if not is_away(error):
            raise
        say(told(error))


def or_later(publish: Callable[P, list[str]]) -> Callable[P, list[str]]:
    """Make a function that tells MLflow something, and returns what was new, go on without a store that is away."""

    @wraps(publish)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> list[str]:
        with forgiven():
            return publish(*args, **kwargs)
        return []

    return attempt


def say(away: AwayError) -> None:
    """Say that a store is away, and what becomes of what it should have been told."""
    if str(away).partition("(")[0] not in said:
        said.add(str(away).partition("(")[0])
        sentence = f"{away}: the pipeline goes on without it, and `make refill` tells it later."
        Console(stderr=True).print(sentence, style="yellow", soft_wrap=True, markup=False, highlight=False)


def told(error: BaseException) -> AwayError:
    """An error that says that the store in use is away, in a sentence."""
    import mlflow

    return error if isinstance(error, AwayError) else AwayError(mlflow.get_tracking_uri(), error)


def reason(error: BaseException) -> str:
    """What lies behind an error, in a few words."""
    *_, last = chain(error)
    words = getattr(last, "strerror", None) or str(last).partition("\n")[0] or type(last).__name__
    return str(words)[:200].rstrip(".")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it comes from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_away(error: BaseException) -> bool:
    """Whether an error, or one that it comes from, says that a server does not answer, or has a fault of its own.

    A fault of an SQLite file is none of them: it is at hand, and whoever runs the stage can mend it.
    """
    from requests import HTTPError, RequestException
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    for one in chain(error):
        if isinstance(one, HTTPError) and one.response is not None:
            return one.response.status_code >= 500
        if isinstance(one, DBAPIError):
            lost = isinstance(one, OperationalError | InterfaceError) or one.connection_invalidated
            return lost and not isinstance(one.orig, sqlite3.Error)
        if isinstance(one, AwayError | RequestException | TimeoutError | ConnectionError):
            return True
    return False


def within(seconds: float, call: Callable[[], T]) -> T:
    """What a call returns or raises; TimeoutError where that takes longer, the call being left to itself."""
    found: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            found.append((call(), None))
        except BaseException as error:
            found.append((None, error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TimeoutError(f"nothing within {seconds:g} seconds")
    value, error = found[0]
    if error is not None:
        raise error
    return value
