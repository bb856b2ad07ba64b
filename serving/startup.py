"""What must hold before the service starts: the model is the one that was packaged, and not anybody may ask."""

import hashlib
from pathlib import Path

import click

from serving.keys import Keys
from serving.recogniser import ModelError, Recogniser


def check(model: Path) -> None:
    """Raises ModelError or KeysError. BentoML calls this once, before it starts the processes that answer."""
    verified(model)
    context = click.get_current_context(silent=True)
    host = context.params.get("host") if context else None
    keys = Keys.from_environment()
    if host:
        keys.check_exposure(host)


def verified(model: Path) -> Recogniser:
    """The recogniser in the file `model`, whose hash stands beside it, as sha256sum writes it, since the packaging.

    Raises ModelError if the file is missing, damaged or another one.
    """
    note = model.with_suffix(".sha256")
    try:
        packaged = note.read_text().split()[0]
        found = hashlib.sha256(model.read_bytes()).hexdigest()
    except (OSError, IndexError) as error:
        raise ModelError(f"cannot read the model {model} and its hash {note.name}: {error}") from error
    if found != packaged:
        raise ModelError(f"{model} is not the model that was packaged: its sha256 is {found}, expected {packaged}")
    return Recogniser(model)
