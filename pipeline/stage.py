"""How a stage ends where its input is at fault: with a line that says so, not with a traceback."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps

from pipeline.data.errors import DataError
from pipeline.params import ParamsError
from serving.recogniser import ModelError


def stage(name: str) -> Callable[[Callable[[Sequence[str] | None], None]], Callable[..., None]]:
    """Make of a stage's ``main`` one that exits with 1 and an explanation on a fault in parameters, data or model."""

    def wrap(main: Callable[[Sequence[str] | None], None]) -> Callable[..., None]:
        @wraps(main)
        def run(argv: Sequence[str] | None = None) -> None:
            try:
                main(argv)
            except (DataError, ParamsError, ModelError) as error:
                sys.exit(f"{name}: {error}")

        return run

    return wrap
