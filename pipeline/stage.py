"""How a stage begins and ends: its command line, and a line that says so where something outside of it is at fault."""

import argparse
import errno
import gc
import inspect
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import wraps
from pathlib import Path

from pipeline import ending, outputs
from pipeline.data.errors import DataError
from pipeline.params import ParamsError
from pipeline.tracking import away
from pipeline.tracking.away import StoreError
from serving.model.recogniser import ModelError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ROOM_TOLD = (*(os.strerror(number) for number in NO_ROOM), "disk is full")
"""How libraries that have no number for it say that a disk is full; the last is SQLite's."""
LEAST_ROOM = 1_000_000
"""Bytes. With less the disk is taken for full whatever the error says, as that of torch's checkpoints does not."""


def stage(name: str, **arguments: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make of a stage's ``main`` a command that its module's docstring explains.

    What ``main`` takes is read from the command line, and ``arguments`` has the help for each. A fault in parameters,
    data, model or MLflow's store, a full disk or the loss of a worker ends the command with 1 and an explanation, not
    with a traceback. As a command it ends within seconds of a signal or of the death of the run that it is part of, and
    so do its workers; see `pipeline.ending`.
    """

    def wrap(main: Callable[..., None]) -> Callable[..., None]:
        if main.__module__ == "__mp_main__":
            ending.watch_parent()

        @wraps(main)
        def run(argv: Sequence[str] | None = None) -> None:
            about = sys.modules[main.__module__].__doc__
            parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
            for argument, parameter in inspect.signature(main).parameters.items():
                given = {} if parameter.default is parameter.empty else {"nargs": "?", "default": parameter.default}
                parser.add_argument(argument, help=arguments[argument], **given)
            asked = vars(parser.parse_args(argv))
            if main.__module__ == "__main__":
                by_hand = "DVC_STAGE" not in os.environ
                ending.watch(name, parents=not (by_hand and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN))
            try:
                outputs.unlink(outputs.of(name, asked))
                main(**asked)
            except (DataError, ParamsError, ModelError, StoreError) as error:
                sys.exit(f"{name}: {error}")
            except BrokenProcessPool:
                sys.exit(
                    f"{name}: one of its workers was killed, perhaps for want of memory. The same command goes on."
                )
            except Exception as error:
                if is_full(error):
                    what = "the disk is full. Make room, and run the same command again"
                elif is_of_mlflow(error):
                    what = f"MLflow's store failed: {cause(error)}. See to it, and run the same command again"
                else:
                    raise
                sys.exit(f"{name}: {what}: it goes on from here.")
            finally:
                gc.freeze()  # or the interpreter, as it ends, looks through all that was imported: 2 s with torch

        return run

    return wrap


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that it comes from, is that of a disk without room."""
    for one in away.chain(error):
        if getattr(one, "errno", None) in NO_ROOM or any(told in str(one) for told in NO_ROOM_TOLD):
            return True
    return shutil.disk_usage(Path()).free < LEAST_ROOM


def is_of_mlflow(error: BaseException) -> bool:
    """Whether it is MLflow that failed, which is not imported here to tell."""
    return type(error).__module__ == "mlflow.exceptions"


def cause(error: BaseException) -> str:
    """The first line of what an error comes from in the end."""
    *_, first = away.chain(error)
    return str(first).partition("\n")[0]
