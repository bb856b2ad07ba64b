"""What a unit sees and adds up, and which units the answer rests on: sums of weights times what they are given."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.contract import SIDE
from serving.model.activations import Activations, Layer, Parameters, Seen

Place = tuple[int, int]
Box = tuple[int, int, int, int]
"""Top, left, bottom and right."""


class Term(NamedTuple):
    """A part of a unit's sum: what a map holds under the unit's kernel, the kernel's weights, float64 [height, width]
    both, and the sum of their products."""

    map: int
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    sum: float


class Total(NamedTuple):
    """A unit's sum at a place: bias + terms = total. The terms, one for each map, come by size."""

    terms: list[Term]
    bias: float
    total: float


class Column(NamedTuple):
    """Some units of a layer, and what each of the column before contributes to them, float64 [units, those before].

    Of a map its strongest place counts.
    """

    units: list[int]
    links: NDArray[np.float64]


def strongest(answer: NDArray[np.float32]) -> Place:
    """The row and column of the largest of a map, float32 [height, width] or []."""
    row, column = divmod(int(answer.argmax()), answer.shape[1] if answer.ndim else 1)
    return row, column


def under(layer: Layer, given: NDArray[np.float32], place: Place) -> NDArray[np.float64]:
    """What a unit's kernel lies over at a place of its map, float64 [maps, height, width]; beyond the rim are zeros."""
    if layer.kernel is None:
        return given.astype(np.float64)
    assert layer.stride is not None
    assert layer.padding is not None
    rim = layer.padding
    padded = np.pad(given.astype(np.float64), ((0, 0), (rim, rim), (rim, rim)))
    row, column = (layer.stride * along for along in place)
    return padded[:, row : row + layer.kernel, column : column + layer.kernel]


def total(layer: Layer, parameters: Parameters, given: NDArray[np.float32], unit: int, place: Place) -> Total:
    """The sum of a unit of the layer, given float32 [maps, height, width], at a place of its map."""
    values, weights = under(layer, given, place), parameters.weights[unit].astype(np.float64)
    sums = (values * weights).sum(axis=(1, 2))
    order = np.argsort(-np.abs(sums), kind="stable")
    terms = [Term(int(one), values[one], weights[one], float(sums[one])) for one in order]
    bias = float(parameters.bias[unit])
    return Total(terms, bias, bias + float(sums.sum()))


def field(layers: list[Layer], place: Place) -> Box:
    """The pixels of what the first layer is given on which a place of the last of `layers` depends."""
    first, last = np.array(place), np.array(place) + 1
    for layer in reversed(layers):
        if layer.kernel is None:
            return (0, 0, SIDE, SIDE)
        assert layer.stride is not None
        assert layer.padding is not None
        first = first * layer.stride - layer.padding
        last = (last - 1) * layer.stride - layer.padding + layer.kernel
    top, left = (max(0, int(one)) for one in first)
    bottom, right = (min(SIDE, int(one)) for one in last)
    return top, left, bottom, right


def columns(network: Activations, seen: list[Seen], digit: int, most: int) -> list[Column]:
    """The units that the answer `digit` rests on, layer by layer: up to `most` of each hidden one, all ten outputs.

    Chosen from the answer back: of a layer those that contribute most, for or against, to the next column; to the last
    one's digit alone.
    """
    found: list[Column] = []
    chosen = list(range(network.layers[-1].units))
    for place in reversed(range(len(network.layers))):
        links = np.stack([_contributions(network, seen, place, unit) for unit in chosen])
        counted = links[[digit]] if not found else links
        best = np.argsort(-np.abs(counted).sum(axis=0), kind="stable")[:most]
        found.append(Column(chosen, links[:, best]))
        chosen = best.tolist()
    return found[::-1]


def _contributions(network: Activations, seen: list[Seen], place: int, unit: int) -> NDArray[np.float64]:
    """What each map that the layer is given contributes to a unit at its strongest place: float64 [maps]."""
    layer, parameters = network.layers[place], network.parameters[place]
    values = under(layer, seen[place].given, strongest(seen[place].answer[unit]))
    result: NDArray[np.float64] = (values * parameters.weights[unit]).sum(axis=(1, 2)) / layer.divisor
    return result
