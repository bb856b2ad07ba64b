"""What POST /unit answers: one unit's sum at one place, written out with its numbers."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from serving import errors, images, schema
from serving.model import units
from serving.model.activations import Activations
from serving.model.explain import DECIMALS

Counted = Annotated[int, Field(ge=0)]
TERMS = 6  # of a sum that are written out, the largest; all others are told by their number and sum


class UnitAsked(schema.Strict):
    """Which unit is asked about, and where in its map."""

    layer: Annotated[int, Field(ge=0, description="The layer, counted from 0 at the picture.")] = 0
    unit: Annotated[int, Field(ge=0, description="The unit, or map, of that layer, counted from 0.")] = 0
    row: Annotated[
        Counted | SkipJsonSchema[None],
        Field(description="The row in its map; left out: that of its strongest place."),
    ] = None
    column: Annotated[
        Counted | SkipJsonSchema[None],
        Field(description="The column in its map; left out: that of its strongest place."),
    ] = None


class TermSeen(schema.Strict):
    """A part of the sum: what a map, or the picture, holds under the kernel, its weights, both rows of numbers,
    and the sum of their products."""

    map: int
    values: list[list[float]]
    weights: list[list[float]]
    sum: float


class Others(schema.Strict):
    """How many parts are not written out, and what they add up to."""

    count: int
    sum: float


class UnitSum(schema.Strict):
    """A unit at a place of its map: bias + terms + others = total, and output is the activation of total / divisor.

    field: top, left, bottom and right of the pixels, of what the first layer is given, on which it depends. step: where
    it is not null, the output is rounded to whole steps of this size, 255 at most.
    """

    layer: int
    unit: int
    row: int
    column: int
    field: tuple[int, int, int, int]
    terms: list[TermSeen]
    others: Others
    bias: float
    total: float
    divisor: float
    activation: Literal["relu", "sigmoid", "softmax"]
    step: float | None
    output: float

    examples: ClassVar = {
        "short": {
            **{"layer": 0, "unit": 3, "row": 7, "column": 12, "field": [7, 12, 8, 13]},
            "terms": [{"map": 0, "values": [[2.5]], "weights": [[0.5]], "sum": 1.25}],
            "others": {"count": 0, "sum": 0.0},
            **{"bias": 0.25, "total": 1.5, "divisor": 1.0, "activation": "relu", "step": None, "output": 1.5},
        }
    }


def touch(data: bytes, network: Activations, asked: UnitAsked) -> UnitSum:
    """The sum of the unit that is asked about, for an image file. Raises ApiError as `images.read` does, and 422 where
    the network has no such unit or place."""
    within("layer", asked.layer, len(network.layers))
    layer = network.layers[asked.layer]
    within("unit", asked.unit, layer.units)
    seen = network.of(images.normalise(images.read(data)))
    given, answer = seen[asked.layer]
    answers = np.atleast_2d(answer[asked.unit])
    row, column = units.strongest(answers)
    row, column = (row if asked.row is None else asked.row), (column if asked.column is None else asked.column)
    within("row", row, answers.shape[0])
    within("column", column, answers.shape[1])
    found = units.total(layer, network.parameters[asked.layer], given, asked.unit, (row, column))
    return UnitSum(
        layer=asked.layer,
        unit=asked.unit,
        row=row,
        column=column,
        field=units.field(network.layers[: asked.layer + 1], (row, column)),
        terms=[
            TermSeen(
                map=term.map,
                values=term.values.round(DECIMALS).tolist(),
                weights=term.weights.round(DECIMALS).tolist(),
                sum=round(term.sum, DECIMALS),
            )
            for term in found.terms[:TERMS]
        ],
        others=Others(
            count=max(0, len(found.terms) - TERMS),
            sum=round(sum(term.sum for term in found.terms[TERMS:]), DECIMALS),
        ),
        bias=round(found.bias, DECIMALS),
        total=round(found.total, DECIMALS),
        divisor=layer.divisor,
        activation=layer.activation,
        step=layer.step,
        output=round(float(answers[row, column]), DECIMALS),
    )


def within(name: str, number: int, count: int) -> None:
    """Raises ApiError 422 where `number` is none of the first `count`."""
    if number >= count:
        raise errors.WRONG_QUESTION(f"{name} should be less than or equal to {count - 1}")
