"""The document at /schema.json, from which BentoML's clients learn what they may call.

with bentoml.SyncHTTPClient("http://127.0.0.1:3000") as client:
    client.predict(image=Path("seven.png"))["digit"]
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from serving.openapi import IMAGE, PIXELS, ApiRoute
from serving.schema import Json, Strict

ARRAY = {"type": "tensor", "format": "numpy-array"}  # in BentoML's words: an array, or what makes one
INPUTS: list[tuple[object, Json]] = [
    (IMAGE, {"properties": {"image": {"type": "file", "format": "image"}}, "required": ["image"]}),
    (PIXELS, {"properties": {"pixels": ARRAY, "batch": ARRAY, "scale": {"type": "string"}}}),
]


class ClientSchema(Strict):
    """What BentoML's clients read."""

    name: str
    type: str
    routes: list[Json]

    examples: ClassVar[Mapping[str, Json]] = {"none": {"name": "inkwell", "type": "service", "routes": []}}


def document(name: str, routes: Iterable[object]) -> Json:
    """The document of the service `name`: of its `routes` those that take a body."""
    asked = [route for route in routes if isinstance(route, ApiRoute) and route.operation.takes]
    return {"name": name, "type": "service", "routes": [_route(route) for route in asked]}


def _route(route: ApiRoute) -> Json:
    given = next(given for takes, given in INPUTS if takes is route.operation.takes)
    return {
        "name": route.path.strip("/"),
        "route": route.path,
        "doc": route.operation.summary,
        "input": {"type": "object", **given},
        "output": {"type": "object"},
        "batchable": False,
    }
