"""The pipeline: one module per stage, and the libraries that the stages share.

Whatever of it is run, printing does not fail, the user has a name, and this machine is asked without a proxy. A
stage ends with its run from here on, and not only once it has imported what it needs.
"""

import getpass
import io
import os
import sys

HERE = ("localhost", "127.0.0.1", "::1")


def print_anyway() -> None:
    """Let a question mark stand for what the terminal's encoding cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def ask_here_directly() -> None:
    """Name this machine among the hosts that need no proxy, for this process and those that it starts."""
    for variable in ("NO_PROXY", "no_proxy"):  # clients read one or the other
        spared = [host for host in os.environ.get(variable, "").split(",") if host]
        if spared != ["*"]:
            os.environ[variable] = ",".join(dict.fromkeys([*spared, *HERE]))


def user() -> str:
    """Who runs this: the name, or the number where the system knows none, as in many a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def bear_a_name() -> None:
    """Have DVC and MLflow, which ask for a name, find it."""
    os.environ["LOGNAME"] = user()


print_anyway()
bear_a_name()
ask_here_directly()
if "DVC_STAGE" in os.environ:
    from pipeline import ending

    ending.watch_imports()
