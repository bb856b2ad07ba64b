"""The pipeline's parameters: params.yaml, read through strict and frozen models.

A stage asks for the sections that dvc.yaml declares for it, by the same dotted names:

    source, split = load("data.source", "data.split")
"""

import re
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from pipeline.audits.gates import GATES
from pipeline.data.sources import SOURCES, collections
from pipeline.models.networks import AnyNetwork
from pipeline.strict import Share, Strict
from pipeline.sweeps.space import Sweep


def _known(source: str) -> str:
    if source not in SOURCES:
        raise ValueError(f"a source is one of {', '.join(map(repr, SOURCES))}")
    return source


def _of_each_collection(mirrors: dict[str, list[str]]) -> dict[str, list[str]]:
    if sorted(mirrors) != collections():
        raise ValueError(f"it names the mirrors of {' and '.join(collections())}")
    return mirrors


def _scope(name: str) -> str:
    if name not in (ALL, TRIAL, *SOURCES):
        raise ValueError(f"thresholds are for {', '.join(map(repr, (ALL, TRIAL, *SOURCES)))}")
    return name


def _gate(name: str) -> str:
    if name not in GATES:
        raise ValueError(f"a gate is one of {', '.join(GATES)}")
    return name


ALL, TRIAL, DEFAULT = "all", "trial", "default"
Source = Annotated[str, AfterValidator(_known)]
Mirrors = Annotated[dict[str, list[str]], AfterValidator(_of_each_collection)]
Thresholds = dict[Annotated[str, AfterValidator(_scope)], dict[Annotated[str, AfterValidator(_gate)], PositiveFloat]]
"""Of gates, for all sources, for those that are for trial, or for one; a narrower scope overrides a wider one."""


class Loader(yaml.SafeLoader):
    """Takes 1e-05 for the number that it is, as DVC does, which writes numbers so; in YAML 1.1 it is text."""


Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


class ParamsError(ValueError):
    """params.yaml holds something that the pipeline does not understand."""


class Split(Strict):
    seed: int
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]


class Data(Strict):
    source: Source
    mirrors: Mirrors
    split: Split


class Trainer(Strict):
    """Arguments of Lightning's Trainer, passed on as they are."""

    accelerator: str
    devices: PositiveInt | str | list[int]
    num_nodes: PositiveInt
    strategy: str
    precision: str


class Train(Strict):
    seed: int
    trainer: Trainer


class Calibration(Strict):
    abstention: Share
    novelty: Share
    novelty_sent: dict[str, Share]
    """by network; one that is not named is not held to digits as they are sent"""
    miscoverage: Share


class Refit(Strict):
    """Of a network's last layer, at export."""

    forms: Share
    """of the loss, on forms of digits that the training images lack"""
    penalty: PositiveFloat
    """on the squared change of the weights"""


class Promote(Strict):
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    margin: dict[Annotated[str, AfterValidator(_scope)], PositiveFloat]
    """in percentage points of validation images; a narrower scope overrides a wider one"""
    withdrawn: list[Annotated[str, Field(pattern="^[0-9a-f]{12}$")]]
    """versions, the first digits of model.onnx's sha256"""

    def margin_of(self, source: str) -> float:
        """The margin on a source, as a share of its validation images."""
        return [self.margin[scope] for scope in scopes(source) if scope in self.margin][-1] / 100


def _several(folds: int) -> int:
    if folds == 1:
        raise ValueError("one fold leaves no writers to learn from; take 2 or more, or 0 to leave it out")
    return folds


class Audit(Strict):
    seed: int
    bootstrap: PositiveInt
    attacked: dict[Source, Annotated[int, Field(ge=0)]]
    """test images of a source that are attacked; of one that is not named, none"""


class Params(Strict):
    data: Data
    train: Train
    calibration: Calibration
    networks: dict[str, AnyNetwork]
    candidates: list[str]
    """the networks that the pipeline trains, audits and chooses from"""
    folds: dict[str, Annotated[int, Field(ge=0), AfterValidator(_several)]]
    """of the writers, on which a network is cross-validated; one that is not named has 0, which leaves that out"""
    refit: dict[str, Refit]
    """of a network's last layer; one that is not named keeps its own"""
    audit: Audit
    gates: dict[str, Thresholds]
    """by network, what differs from those under "default\""""
    promote: Promote
    sweep: Sweep

    @model_validator(mode="after")
    def _complete(self) -> "Params":
        lacking = [
            f"{name} is a candidate without an entry under {section}: add {remedy}"
            for name in self.candidates
            for section, remedy in (("networks", f"`{name}:` with its kind"), ("gates", f"`{name}: {{}}`"))
            if name not in getattr(self, section)
        ]
        everywhere = self.gates.get(DEFAULT, {}).get(ALL, {})
        lacking += [
            f"the gate {name} has no threshold in gates.{DEFAULT}.{ALL}" for name in GATES if name not in everywhere
        ]
        if ALL not in self.promote.margin:
            lacking.append(f"promote.margin has no entry {ALL!r}")
        if lacking:
            raise ValueError("; ".join(lacking))
        return self


def thresholds(default: Thresholds, own: Thresholds, source: str) -> dict[str, float]:
    """The thresholds of all gates for one network on one source, by name.

    Args:
        default, own: the sections of params.yaml under gates.default and gates.NETWORK. On equal scopes the network's
            own stand; a narrower scope of the default overrides a wider one of the network's.
    """
    found: dict[str, float] = {}
    for scope in scopes(source):
        found |= default.get(scope, {}) | own.get(scope, {})
    return found


def scopes(source: str) -> list[str]:
    """The scopes that a source belongs to, the widest first."""
    return [ALL, *([TRIAL] if SOURCES[source].trial else []), source]


def load(*keys: str, path: Path = Path("params.yaml")) -> Any:
    """Return the sections of ``path`` that ``keys`` name ("data.source", "networks.convnet"), one alone or a tuple.

    The whole file is checked, whatever the keys.

    Raises:
        ParamsError: the file is missing, is not YAML, holds an unknown key or an ill-typed value, or lacks a key.
    """
    try:
        params = Params.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader))
    except OSError as error:
        raise ParamsError(f"{path} cannot be read ({error.strerror}); run from the repository's root") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        raise ParamsError(f"{path}:\n" + "\n".join(_explain(item) for item in error.errors())) from error
    sections = tuple(reduce(_step, key.split("."), params) for key in keys)
    return sections[0] if len(sections) == 1 else sections


def _step(section: Any, name: str) -> Any:
    known = section if isinstance(section, dict) else dict(section)
    if name not in known:
        raise ParamsError(f"params.yaml has no {name!r} here; there is: {', '.join(known)}")
    return known[name]


def _explain(error: Any) -> str:
    """One line for one of pydantic's errors, with the allowed keys where the key is unknown."""
    if not error["loc"]:
        return f"  {error['ctx']['error']}"
    if error["type"] != "extra_forbidden":
        where, _ = _locate(error["loc"])
        return f"  {where}: {error['msg']}, not {error['input']!r}"
    where, model = _locate(error["loc"][:-1])
    return f"  {where}.{error['loc'][-1]}: unknown key; allowed here: {', '.join(model.model_fields)}"


def _locate(location: tuple[int | str, ...]) -> tuple[str, Any]:
    """The dotted name in the file, and the type, of what stands at ``location`` as pydantic gives it."""
    names: list[str] = []
    kind: Any = Params
    for part in location:
        if get_origin(kind) is Annotated:  # a step that pydantic adds: which member of the union
            members = get_args(get_args(kind)[0])
            kind = next(member for member in members if part in get_args(member.model_fields["kind"].annotation))
            continue
        names.append(str(part))
        if get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        elif hasattr(kind, "model_fields"):
            kind = kind.model_fields[part].annotation
            if get_origin(kind) not in (dict, list):  # one that may be left out
                kind = next((one for one in get_args(kind) if hasattr(one, "model_fields")), kind)
    return ".".join(names), kind
