"""The pipeline's parameters: params.yaml, read through strict and frozen models.

A stage asks for the sections that dvc.yaml declares for it, by the same dotted names:

    source, split = load("data.source", "data.split")
"""

from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

Source = Literal["mnist", "mnist-sample", "uci-digits"]
Share = Annotated[float, Field(ge=0, lt=1)]


class ParamsError(ValueError):
    """params.yaml holds something that the pipeline does not understand."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Mirrors(Strict):
    mnist: list[str]
    qmnist: list[str]


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
    abstained: Share
    miscoverage: Share


class Augment(Strict):
    """Half-widths of the uniform distributions that an image's affine map is drawn from, and the elastic field's size."""

    rotate: NonNegativeFloat
    """degrees"""
    scale: Share
    shear: NonNegativeFloat
    """tangent of the shear angle"""
    shift: NonNegativeFloat
    """pixels"""
    elastic: NonNegativeFloat
    """standard deviation, in pixels, of the displacements on a coarse grid"""


class Schedule(Strict):
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat


class Perceptron(Schedule):
    kind: Literal["perceptron"]
    hidden: list[PositiveInt]


class Modern(Schedule):
    """What the MLP and the ConvNet share."""

    dropout: Share
    weight_decay: NonNegativeFloat
    label_smoothing: Share
    ema_decay: Share
    augment: Augment


class MLP(Modern):
    kind: Literal["mlp"]
    hidden: list[PositiveInt]


class ConvNet(Modern):
    kind: Literal["convnet"]
    width: PositiveInt


Network = Annotated[Perceptron | MLP | ConvNet, Field(discriminator="kind")]


class Promote(Strict):
    alpha: Annotated[float, Field(gt=0, lt=1)]
    max_net_errors: Annotated[int, Field(ge=0)]


class Gates(Strict):
    """Thresholds that a network must meet to be served."""

    error: PositiveFloat
    digit_recall: PositiveFloat
    population_gap: PositiveFloat


class Audit(Strict):
    seed: int
    bootstrap: PositiveInt
    gates: dict[Source, dict[str, Gates]]


class Params(Strict):
    data: Data
    train: Train
    calibration: Calibration
    networks: dict[str, Network]
    audit: Audit
    promote: Promote


def load(*keys: str, path: Path = Path("params.yaml")) -> Any:
    """Return the sections of ``path`` that ``keys`` name ("data.source", "networks.convnet"), one alone or a tuple.

    The whole file is checked, whatever the keys.

    Raises:
        ParamsError: the file is missing, is not YAML, or holds an unknown key or an ill-typed value; or a key names nothing.
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
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"  {where}: {error['msg']}, not {error['input']!r}"
    return f"  {where}: unknown key; allowed here: {', '.join(_allowed(error['loc'][:-1]))}"


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at ``location``, as pydantic reports it, allows."""
    model: Any = Params
    for part in location:
        if get_origin(model) is dict:
            model = get_args(model)[1]
        elif get_origin(model) is Annotated:
            members = get_args(get_args(model)[0])
            model = next(member for member in members if part in get_args(member.model_fields["kind"].annotation))
        else:
            model = model.model_fields[part].annotation
    return list(model.model_fields)
