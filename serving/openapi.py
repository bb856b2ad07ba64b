"""The document at /docs.json: what every path takes and gives, as OpenAPI 3.1, with every status and error.

It is derived: from the routes, each of which says what it takes and gives, from their endpoints' docstrings, from the
models of their bodies, from the catalogue of errors, and from the lines to copy.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving import errors, lines
from serving.contract import MAX_BATCH, MAX_BODY_BYTES, SIDE
from serving.schema import ErrorBody, Json, PixelsBody, Strict

Model = type[Strict]


@dataclass(frozen=True)
class Octets:
    """Bytes up to a size, and a file of such bytes that the service gives to whoever wants to try."""

    most: int
    sample: str | None = None

    @property
    def schema(self) -> Json:
        return {"type": "string", "format": "binary", "maxLength": self.most}

    @property
    def examples(self) -> Json:
        path = f"{lines.SAMPLES}/{self.sample}"
        return {Path(path).stem: {"externalValue": path}} if self.sample else {}


Body = Json | Octets | Model | tuple[Model, ...]
Content = Mapping[str, Body]
"""For each media type the schema of a body, its bytes, its model, or the models of which it is one."""

REQUEST_ID = "0123456789abcdef" * 2
WELL = {"type": "string", "examples": ["\n"]}
COUNTS = {"type": "string", "examples": ['inkwell_answers_total{digit="7"} 12.0\n']}
FILE = Octets(MAX_BODY_BYTES)
FORM = {"type": "object", "properties": {"image": FILE.schema}, "required": ["image"], "additionalProperties": False}
IMAGE: Content = {
    "multipart/form-data": FORM,
    "image/png": Octets(MAX_BODY_BYTES, "seven.png"),
    "image/jpeg": Octets(MAX_BODY_BYTES, "photo.jpg"),
    **{f"image/{kind}": FILE for kind in ("webp", "bmp", "gif", "tiff")},
}
PIXELS: Content = {
    "application/json": PixelsBody,
    "application/octet-stream": Octets(SIDE * SIDE * MAX_BATCH, "ten.bin"),
}


class OpenApi(Strict):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")
    openapi: str
    info: Json
    paths: Json

    examples: ClassVar[Mapping[str, Json]] = {
        "short": {"openapi": "3.1.0", "info": {"title": "Inkwell", "version": "1"}, "paths": {}}
    }


@dataclass(frozen=True)
class Operation:
    """What a path does: with POST where it takes a body, else with GET. raises: beside what any path may raise. asks:
    what may stand in the query, none of which must."""

    summary: str
    gives: Content
    takes: Content = field(default_factory=dict)
    raises: tuple[errors.Entry, ...] = ()
    description: str = ""
    needs_key: bool = True
    asks: Model | None = None

    @property
    def method(self) -> str:
        return "POST" if self.takes else "GET"


PROBE = Operation("Whether the service runs.", {"text/plain": WELL}, needs_key=False)
BENTOMLS = {"/metrics": Operation("Counts for Prometheus.", {"text/plain": COUNTS}), "/livez": PROBE, "/healthz": PROBE}
"""What BentoML answers."""


class ApiRoute(Route):
    """A route with its operation, whose summary and description are its endpoint's docstring."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        gives: Content | Model | tuple[Model, ...],
        takes: Content | None = None,
        raises: tuple[errors.Entry, ...] = (),
        needs_key: bool = True,
        asks: Model | None = None,
    ) -> None:
        summary, _, description = (inspect.getdoc(endpoint) or "").partition("\n\n")
        content = gives if isinstance(gives, Mapping) else {"application/json": gives}
        description = description.replace("\n", " ")
        self.operation = Operation(summary, content, takes or {}, raises, description, needs_key, asks)
        super().__init__(path, endpoint, methods=[self.operation.method])


def document(routes: Iterable[BaseRoute]) -> Json:
    """The document for the service's `routes` and for BentoML's."""
    operations = {route.path: route.operation for route in routes if isinstance(route, ApiRoute)} | BENTOMLS
    contents = [content for operation in operations.values() for content in (operation.gives, operation.takes)]
    models = {model for content in contents for what in content.values() for model in _models(what)} | {ErrorBody}
    by_name = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in by_name], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inkwell",
            "version": "1",
            "description": "Recognises a handwritten digit. GET /docs is the same for people.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The service that gave this document."}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": {path: {one.method.lower(): _described(path, one)} for path, one in operations.items()},
        "components": {
            "schemas": schemas["$defs"],
            "headers": {"id": {"required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of INKWELL_API_KEYS."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name, and a key as the password."},
            },
        },
    }


def _described(path: str, operation: Operation) -> Json:
    described: Json = {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": operation.summary,
        "description": operation.description,
        "x-codeSamples": [{"lang": lang, "source": source} for lang, source in lines.of(path).items()],
    }
    if operation.asks:
        described["parameters"] = _parameters(operation.asks)
    if operation.takes:
        described["requestBody"] = {"required": True, "content": _content(operation.takes)}
    described["responses"] = {"200": _response(200, _content(operation.gives))}
    anywhere = [entry for entry in errors.ANYWHERE if operation.needs_key or entry is not errors.UNAUTHORIZED]
    asking = (errors.WRONG_QUESTION,) if operation.asks else ()
    for entry in (*anywhere, *operation.raises, *asking):
        content = _content({"application/json": ErrorBody})
        response = described["responses"].setdefault(str(entry.status), _response(entry.status, content))
        examples = response["content"]["application/json"]["examples"]
        others = sum(name.startswith(entry.code) for name in examples)
        name = f"{entry.code}_{others + 1}" if others else entry.code
        examples[name] = {"value": entry(*entry.example).body(REQUEST_ID)}
    if not operation.needs_key:
        described["security"] = []
    return described


def _parameters(asks: Model) -> list[Json]:
    """What may stand in a query, of the fields of a model."""
    properties = asks.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": {key: value for key, value in schema.items() if key != "title" and value is not None},
        }
        for name, schema in properties.items()
    ]


def _response(status: int, content: Json) -> Json:
    headers: Json = {"X-Request-ID": {"$ref": "#/components/headers/id"}}
    for name in errors.HEADERS.get(status, ()):
        headers[name] = {"required": True, "schema": {"type": "string"}}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _content(content: Content) -> Json:
    return {kind: _media(what) for kind, what in content.items()}


def _media(what: Body) -> Json:
    if isinstance(what, dict):
        return {"schema": what}
    if isinstance(what, Octets):
        return {"schema": what.schema, "examples": what.examples}
    references = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in _models(what)]
    examples = {name: {"value": value} for model in _models(what) for name, value in model.examples.items()}
    return {"schema": {"oneOf": references} if isinstance(what, tuple) else references[0], "examples": examples}


def _models(what: Body) -> tuple[Model, ...]:
    if isinstance(what, dict | Octets):
        return ()
    return what if isinstance(what, tuple) else (what,)
