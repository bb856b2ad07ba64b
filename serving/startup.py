"""What must hold before the service starts: the model is the one that was packaged, and not anybody may ask."""

import hashlib
from pathlib import Path
from typing import Any

import click
from bentoml._internal.utils import circus

from serving.model.recogniser import ModelError, Recogniser
from serving.web.cors import Origins, OriginsError
from serving.web.keys import Keys, KeysError

CHECK_DELAY_S = 1.0


def check(model: Path) -> None:
    """Raises ClickException, which `bentoml serve` prints. Called once, before there are processes that answer."""
    context = click.get_current_context(silent=True)
    host = context.params.get("host") if context else None
    try:
        verified(model)
        keys = Keys.from_environment()
        if host:
            keys.check_exposure(host)
        Origins.from_environment()
    except (ModelError, KeysError, OriginsError) as error:
        raise click.ClickException(f"the service does not start: {error}.") from error


def watch_closely() -> None:
    """Have BentoML see within a second, instead of ten, that the process that answers has died."""

    class Attentive(circus.Arbiter):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "check_delay": CHECK_DELAY_S})

    circus.Arbiter = Attentive  # type: ignore[misc]


def verified(model: Path) -> Recogniser:
    """The recogniser in the file `model`, whose hash stands beside it, as sha256sum writes it, since the packaging.

    Raises ModelError if the file is missing, damaged or another one.
    """
    note = model.with_suffix(".sha256")
    try:
        packaged = note.read_text(encoding="utf-8").split()[0]
        found = hashlib.sha256(model.read_bytes()).hexdigest()
    except (OSError, IndexError) as error:
        raise ModelError(f"cannot read the model {model} and its hash {note.name}: {error}") from error
    if found != packaged:
        raise ModelError(f"{model} is not the model that was packaged: its sha256 is {found}, expected {packaged}")
    return Recogniser(model)
