"""GET /docs.json: what every path takes and gives, as OpenAPI 3.1, with every status and every error's body.

A new path is a new entry of PATHS.
"""

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from serving import assets
from serving.errors import ApiError
from serving.model.explain import Explanation
from serving.model.recogniser import SIDE
from serving.schema import MAX_BATCH, Answer, Answers, ModelInfo, PixelsBody

Json = dict[str, Any]


class ErrorDetail(BaseModel):
    """A code for programs and a message for people."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(pattern="^[a-z_]+$")]
    message: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail
    request_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


REQUEST_ID = "0123456789abcdef0123456789abcdef"
MODEL = {"name": "convnet", "version": "0123456789ab"}
SEVEN = {
    "digit": 7,
    "confidence": 0.9982,
    "probabilities": [0.0, 0.0001, 0.0003, 0.0004, 0.0, 0.0001, 0.0, 0.9982, 0.0002, 0.0007],
    "prediction_set": [7],
    "abstained": False,
    "reason": None,
    "model": MODEL,
}
BLANK = {
    **SEVEN,
    "digit": None,
    "confidence": 0.1,
    "probabilities": [0.1] * 10,
    "prediction_set": [],
    "abstained": True,
    "reason": "blank",
}
ONE = [[255 if column in (13, 14) and 4 <= row < 24 else 0 for column in range(SIDE)] for row in range(SIDE)]
RASTER = {"shape": [1, 1], "signed": False, "peak": 255.0, "data": "AA=="}
EXPLANATION = {
    "answer": SEVEN,
    "novelty": 1.0213,
    "reading": {"picture": RASTER, "box": [12.0, 40.0, 120.0, 96.0], "pixels": RASTER},
    "layers": [{"kind": "dense", "units": 10, "kernel": None, "activation": "softmax", "values": RASTER}],
    "first_weights": {"units": [0], "weights": RASTER},
    "saliency": {"digit": 7, "values": RASTER},
}
PROVENANCE = {
    **MODEL,
    "sha256": "0123456789ab" + "0" * 52,
    "source": "mnist",
    "run_key": REQUEST_ID[:16],
    "confidence_threshold": 0.6,
    "novelty_threshold": 2.5,
    "conformal_threshold": 0.05,
}

ANYWHERE = (
    (400, "malformed_http", "This is not an HTTP request."),
    (401, "unauthorized", None),
    (408, "body_too_slow", "The body did not arrive within 20 seconds."),
    (413, "body_too_large", "The body is larger than 10,000,000 bytes."),
    (431, "headers_too_large", "The headers are larger than 64,000 bytes."),
    (503, "overloaded", None),
)
OF_IMAGES = (
    (400, "empty_image", "The image is empty."),
    (400, "unreadable_image", "The image is damaged or incomplete."),
    (400, "malformed_form", "The form must hold one file, in the field image, and nothing else."),
    (
        413,
        "image_too_large",
        "A WEBP image may have up to 4,000,000 pixels: make it smaller, or send a plain JPEG (not progressive) of up to"
        " 25,000,000.",
    ),
    (415, "unsupported_media_type", "This is no image: send PNG, JPEG, WebP, BMP, GIF or TIFF."),
)
OF_PIXELS = (
    (400, "malformed_json", "The body is not JSON: EOF while parsing a value at line 1 column 0."),
    (413, "batch_too_large", f"A batch holds at most {MAX_BATCH:,} images."),
    (415, "unsupported_media_type", "Send application/json, or application/octet-stream with 784 bytes an image."),
    (422, "invalid_pixels", "pixels[27][27]: Input should be less than or equal to 255."),
)


def _errors(*errors: tuple[int, str, str | None]) -> Json:
    """The responses of the errors, each with an example of its body."""
    responses: Json = {}
    for status, code, message in errors:
        example = {
            "error": {"code": code, "message": message or ApiError.of_status(status).message},
            "request_id": REQUEST_ID,
        }
        response = responses.setdefault(str(status), _response(HTTPStatus(status).phrase, "ErrorBody", {}))
        response["content"]["application/json"]["examples"][code] = {"value": example}
        if status == 503:
            response["headers"]["Retry-After"] = {"required": True, "schema": {"type": "integer"}}
        if status == 401:
            response["headers"]["WWW-Authenticate"] = {"required": True, "schema": {"type": "string"}}
    return responses


def _response(description: str, model: str, examples: Json) -> Json:
    content = {"application/json": {"schema": _ref(model), "examples": examples}}
    return {"description": description, "headers": {"X-Request-ID": {"$ref": "#/components/headers/id"}}} | {
        "content": content
    }


def _text(description: str, kind: str) -> Json:
    return {
        "description": description,
        "headers": {"X-Request-ID": {"$ref": "#/components/headers/id"}},
        "content": {kind: {"schema": {"type": "string"}}},
    }


def _ref(model: str) -> Json:
    return {"$ref": f"#/components/schemas/{model}"}


def _get(summary: str, response: Json, errors: tuple[tuple[int, str, str | None], ...] = ANYWHERE) -> Json:
    return {"get": {"summary": summary, "responses": {"200": response, **_errors(*errors)}}}


def _probe(summary: str) -> Json:
    without_key = tuple(error for error in ANYWHERE if error[0] != 401)
    probe = _get(summary, _text("Yes.", "text/plain"), without_key)
    probe["get"]["security"] = []
    return probe


FILE = {"type": "string", "format": "binary", "maxLength": 10_000_000}
FORM = {"type": "object", "properties": {"image": FILE}, "required": ["image"], "additionalProperties": False}
IMAGE_KINDS = ("png", "jpeg", "webp", "bmp", "gif", "tiff")
IMAGE = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": FORM},
        **{f"image/{kind}": {"schema": FILE} for kind in IMAGE_KINDS},
    },
}

PATHS: Json = {
    "/predict": {
        "post": {
            "summary": "One image of one digit.",
            "description": "A PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF, as the body or as the form's"
            " file `image`. What it is, its own bytes say. A JPEG may have up to 25 megapixels, a PNG up to 16, all"
            " else up to 6, and what takes more memory up to fewer: a WebP 4; a progressive JPEG with colours 20, or 10"
            " where they are as fine as its brightness (4:4:4), 7.5 in CMYK. Large ones are decoded one at a time."
            " What is larger is refused with 413 before it is decoded.",
            "requestBody": IMAGE,
            "responses": {
                "200": _response("The answer.", "Answer", {"digit": {"value": SEVEN}, "abstained": {"value": BLANK}}),
                **_errors(*ANYWHERE, *OF_IMAGES),
            },
        }
    },
    "/explain": {
        "post": {
            "summary": "One image of one digit, and the way to its answer: what the page shows of the inside.",
            "requestBody": IMAGE,
            "responses": {
                "200": _response("The answer and the way to it.", "Explanation", {"shortened": {"value": EXPLANATION}}),
                **_errors(*ANYWHERE, *OF_IMAGES),
            },
        }
    },
    "/predict_pixels": {
        "post": {
            "summary": "Images as arrays, bright ink on a dark ground: one, or up to 1000.",
            "description": "JSON, with `scale` where every value lies in 0..1; or 784 bytes an image, row by row.",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _ref("PixelsBody"),
                        "examples": {
                            "one": {"value": {"pixels": ONE, "scale": "0-255"}},
                            "batch": {"value": {"batch": [ONE, ONE]}},
                        },
                    },
                    "application/octet-stream": {
                        "schema": {"type": "string", "format": "binary", "maxLength": SIDE * SIDE * MAX_BATCH}
                    },
                },
            },
            "responses": {
                "200": {
                    **_response("The answer, or for a batch and for bytes the answers in order.", "Answer", {}),
                    "content": {
                        "application/json": {
                            "schema": {"oneOf": [_ref("Answer"), _ref("Answers")]},
                            "examples": {
                                "one": {"value": SEVEN},
                                "batch": {"value": {"predictions": [SEVEN, BLANK]}},
                            },
                        }
                    },
                },
                **_errors(*ANYWHERE, *OF_PIXELS),
            },
        }
    },
    "/model": _get(
        "What is served, and where it came from.",
        _response("The model.", "ModelInfo", {"model": {"value": PROVENANCE}}),
    ),
    "/": _get("A page to draw on.", _text("The page.", "text/html")),
    f"/page/{assets.CARD}": _get(
        "The model's card, as the page shows it.", _response("The card.", "Card", {"none": {"value": {}}})
    ),
    **{
        path: _get("A file of the page.", _text("The file.", assets.kind(path).partition(";")[0]))
        for path in assets.PATHS
        if path != "/"
    },
    "/docs.json": _get("This document.", _response("OpenAPI 3.1.", "OpenApi", {})),
    "/metrics": _get("Counts for Prometheus.", _text("The metrics.", "text/plain")),
    "/livez": _probe("Whether the service runs."),
    "/healthz": _probe("The same."),
    "/readyz": _probe("Whether it can answer now."),
}


def document() -> Json:
    """The document, as BentoML would serve it had it known the routes."""
    models = [(model, "validation") for model in (Answer, Answers, Explanation, ModelInfo, PixelsBody, ErrorBody)]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas["$defs"]["Card"] = {"type": "object"}
    schemas["$defs"]["OpenApi"] = {"type": "object", "required": ["openapi", "info", "paths"]}
    one_of = [{"required": [field], "properties": {field: {"type": "array"}}} for field in ("pixels", "batch")]
    schemas["$defs"]["PixelsBody"]["oneOf"] = one_of
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inkwell", "version": "1", "description": "Recognises a handwritten digit."},
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": PATHS,
        "components": {
            "schemas": schemas["$defs"],
            "headers": {"id": {"required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of INKWELL_API_KEYS."},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name, and a key as the password."},
            },
        },
    }
