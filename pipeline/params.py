"""The pipeline's parameters: params.yaml, read through strict and frozen models.

A stage asks for the sections that dvc.yaml declares for it, by the same dotted names:

    source, split = load("data.source", "data.split")
"""

from functools import reduce
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from pipeline.data.sources import SOURCES, collections
from pipeline.models.networks import AnyNetwork
from pipeline.strict import Share, Strict


def _known(source: str) -> str:
    if source not in SOURCES:
        raise ValueError(f"a source is one of {', '.join(map(repr, SOURCES))}")
    return source


def _of_each_collection(mirrors: dict[str, list[str]]) -> dict[str, list[str]]:
    if sorted(mirrors) != collections():
        raise ValueError(f"it names the mirrors of {' and '.join(collections())}")
    return mirrors


Source = Annotated[str, AfterValidator(_known)]
Mirrors = Annotated[dict[str, list[str]], AfterValidator(_of_each_collection)]


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
    miscoverage: Share


class Promote(Strict):
    alpha: Annotated[float, Field(gt=0, lt=1)]
    max_net_errors: Annotated[int, Field(ge=0)]


class Gates(Strict):
    """Thresholds that a network must meet to be served: shares of 1, but for the two gaps, in percentage points."""

    error: PositiveFloat
    digit_recall: PositiveFloat
    """of the digit read worst"""
    population_gap: PositiveFloat
    """upper 95 % bound of the students' error minus the employees'"""
    students_error: PositiveFloat
    """upper 95 % bound"""
    abstention_gap: PositiveFloat
    """the students' share of abstentions minus the employees', in size"""
    broken_strokes: PositiveFloat
    """error on digits of more than one connected component"""
    corruption_mean: PositiveFloat
    """accuracy over the fifteen corruptions"""
    corruption_worst: PositiveFloat
    """accuracy on the worst of them"""
    canvas: PositiveFloat
    """accuracy on digits placed anywhere on a larger canvas"""
    invariance_lossless: PositiveFloat
    """share of answers that stay the same under changes that lose nothing; of the worst such change"""
    invariance: PositiveFloat
    """the same under small changes"""
    ood_auroc: PositiveFloat
    """of telling digits from what is none; of the worst set"""
    ood_confident: PositiveFloat
    """share of a set of what is no digit, letters aside, that is answered with confidence above 0.99"""
    letters_confident: PositiveFloat
    coverage: PositiveFloat
    """share of the test images that are answered"""
    answered_error: PositiveFloat
    """share of wrong answers among those given"""
    ece_excess: PositiveFloat
    """expected calibration error beyond the 95th percentile of its own noise floor"""


def _several(folds: int) -> int:
    if folds == 1:
        raise ValueError("one fold leaves no writers to learn from; take 2 or more, or 0 to leave it out")
    return folds


class Audit(Strict):
    seed: int
    bootstrap: PositiveInt
    attacked: dict[Source, Annotated[int, Field(ge=0)]]
    gates: dict[Source, dict[str, Gates]]


class Params(Strict):
    data: Data
    train: Train
    calibration: Calibration
    networks: dict[str, AnyNetwork]
    candidates: list[str]
    """the networks that the pipeline trains, audits and chooses from"""
    folds: dict[str, Annotated[int, Field(ge=0), AfterValidator(_several)]]
    """of the writers, on which a network is cross-validated; one that is not named has 0, which leaves that out"""
    audit: Audit
    promote: Promote


def load(*keys: str, path: Path = Path("params.yaml")) -> Any:
    """Return the sections of ``path`` that ``keys`` name ("data.source", "networks.convnet"), one alone or a tuple.

    The whole file is checked, whatever the keys.

    Raises:
        ParamsError: the file is missing, is not YAML, holds an unknown key or an ill-typed value, or lacks a key.
    """
    try:
        params = Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
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
            kind = next((one for one in get_args(kind) if hasattr(one, "model_fields")), kind)
    return ".".join(names), kind
