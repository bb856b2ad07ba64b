"""The texts' parameters: texts/params.yaml, read through strict and frozen models."""

from pathlib import Path

import yaml
from pydantic import ValidationError, model_validator

from pipeline.params import ParamsError, Split, Trainer
from pipeline.strict import Strict
from pipeline.texts.networks import TextNetwork

PATH = Path("texts/params.yaml")


class Params(Strict):
    seed: int
    trainer: Trainer
    split: Split
    """of the 8x8 images"""
    compared: list[str]
    """networks whose learning is drawn side by side"""
    networks: dict[str, TextNetwork]

    @model_validator(mode="after")
    def _known(self) -> "Params":
        if unknown := sorted(set(self.compared) - self.networks.keys()):
            raise ValueError(f"compared names {', '.join(unknown)}, which networks has no entry for")
        return self


def load(path: Path = PATH) -> Params:
    """The parameters in ``path``.

    Raises:
        ParamsError: the file is missing, is not YAML, or holds an unknown key or an ill-typed value.
    """
    try:
        return Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ParamsError(f"{path}: {error}") from error


def network(params: Params, name: str) -> TextNetwork:
    """The entry of a network. Raises ParamsError where there is none of that name."""
    if name not in params.networks:
        raise ParamsError(f"{PATH} has no network {name!r}; there is: {', '.join(params.networks)}")
    return params.networks[name]
