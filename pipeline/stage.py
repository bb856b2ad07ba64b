"""How a stage begins and ends: its command line, and a line that says so where its input is at fault."""

import argparse
import gc
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import wraps

from pipeline import outputs
from pipeline.data.errors import DataError
from pipeline.params import ParamsError
from pipeline.tracking.away import StoreError
from serving.model.recogniser import ModelError


def stage(name: str, **arguments: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make of a stage's ``main`` a command that its module's docstring explains.

    What ``main`` takes is read from the command line, and ``arguments`` has the help for each. A fault in parameters,
    data, model or MLflow's store ends the command with 1 and an explanation, not with a traceback.
    """

    def wrap(main: Callable[..., None]) -> Callable[..., None]:
        @wraps(main)
        def run(argv: Sequence[str] | None = None) -> None:
            about = sys.modules[main.__module__].__doc__
            parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
            for argument, parameter in inspect.signature(main).parameters.items():
                given = {} if parameter.default is parameter.empty else {"nargs": "?", "default": parameter.default}
                parser.add_argument(argument, help=arguments[argument], **given)
            try:
                values = vars(parser.parse_args(argv))
                outputs.unlink(outputs.of(name, values))
                main(**values)
            except (DataError, ParamsError, ModelError, StoreError) as error:
                sys.exit(f"{name}: {error}")
            finally:
                gc.freeze()  # or the interpreter, as it ends, looks through all that was imported: 2 s with torch

        return run

    return wrap
