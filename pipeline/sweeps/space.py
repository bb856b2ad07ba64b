"""What a sweep searches: the section `sweep` of params.yaml, and what values drawn from it make of a network."""

import json
import shlex
from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, ValidationError, model_validator

from pipeline.models.networks import Network, parse
from pipeline.strict import Strict

DIGITS = 4
"""Significant digits of a number that is drawn: those that the line that reproduces it has."""

Value = bool | int | float | str | list[int]
Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
Values = Mapping[str, Value]
"""By hyperparameter, one in another by a dotted name, as "augment.rotate"."""


class Distribution(Strict):
    """Where a hyperparameter's values come from: one of these, named as Ray Tune names them."""

    uniform: Bounds | None = None
    loguniform: Bounds | None = None
    choice: Annotated[list[Value], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Distribution":
        if len(self.model_fields_set) != 1:
            raise ValueError(f"it is one of {', '.join(type(self).model_fields)}")
        for name in ("uniform", "loguniform"):
            low, high = getattr(self, name) or (1, 2)
            if not low < high or (name == "loguniform" and low <= 0):
                raise ValueError(f"{name} goes from a lower to a higher bound" + ", above 0" * (name == "loguniform"))
        return self

    @property
    def extremes(self) -> list[Value]:
        """Values such that a network that takes them takes all."""
        return [*(self.choice or self.uniform or self.loguniform or [])]


class EarlyStopping(Strict):
    """Of the asynchronous successive halving algorithm, ASHA (Li et al. 2020, arXiv 1810.05934), by epochs."""

    grace_period: PositiveInt
    """epochs that every trial trains"""
    reduction_factor: Annotated[int, Field(ge=2)]
    """of the trials that come as far as a rung, the best in so many go on to the next, which is so many times as far"""


class Sweep(Strict):
    network: str
    space: Annotated[dict[str, Distribution], Field(min_length=1)]
    trials: PositiveInt
    concurrent: PositiveInt
    """trials at a time, a core each"""
    metric: Literal["val_accuracy", "val_loss"]
    early_stopping: EarlyStopping
    seed: int
    """of the sampler; that of the trainings is train.seed"""

    @property
    def mode(self) -> Literal["min", "max"]:
        return "min" if self.metric == "val_loss" else "max"


def complaints(sweep: Sweep, network: Network) -> list[str]:
    """What of the space the network does not have, or would not take; a line each."""
    found = []
    for name, distribution in sweep.space.items():
        for value in distribution.extremes:
            try:
                applied(network, {name: value})
            except KeyError:
                known = [one for one in type(network).model_fields if one != "kind"]
                found.append(
                    f"sweep.space.{name}: {sweep.network} has no such hyperparameter; it has {', '.join(known)}"
                )
                break
            except ValidationError as error:
                found += [f"sweep.space.{name}: {one['msg']}, not {value!r}" for one in error.errors()]
    return found


def applied(network: Network, values: Values) -> Network:
    """The network with these hyperparameters in the place of its own.

    Raises KeyError where it has not one of them, pydantic's ValidationError where it does not take a value.
    """
    entry = network.model_dump()
    for name, value in values.items():
        *outer, last = name.split(".")
        section: Any = reduce(lambda part, key: part[key] if isinstance(part, dict) else {}, outer, entry)
        if last == "kind" or last not in (section or {}):
            raise KeyError(name)
        section[last] = value
    return parse(entry)


def drawn(config: Mapping[str, Any]) -> dict[str, Value]:
    """The values of a trial, by its config as Ray Tune has it: choices decoded, other numbers with few digits."""
    return {
        name: json.loads(value) if isinstance(value, str) else float(f"{value:.{DIGITS}g}")
        for name, value in config.items()
    }


def domains(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """The space as Ray Tune takes it. Choices are encoded: Optuna takes no lists."""
    from ray import tune

    found: dict[str, Any] = {}
    for name, distribution in space.items():
        if distribution.choice is not None:
            found[name] = tune.choice([json.dumps(value) for value in distribution.choice])
        elif distribution.loguniform is not None:
            found[name] = tune.loguniform(*distribution.loguniform)
        elif distribution.uniform is not None:
            found[name] = tune.uniform(*distribution.uniform)
    return found


def command(sweep: Sweep, network: Network, values: Values) -> str:
    """The line that trains in the stage `train` what a trial trained: on one core too, or sums would differ."""
    overrides = []
    for name, value in sorted(values.items()):
        add = "" if name.partition(".")[0] in network.model_fields_set else "+"
        override = f"{add}networks.{sweep.network}.{name}={json.dumps(value)}"
        overrides.append(f"-S {shlex.quote(override)}")
    return f"OMP_NUM_THREADS=1 dvc exp run {' '.join(overrides)} train@{sweep.network}"
