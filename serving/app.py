"""The HTTP routes: POST /predict, /predict_pixels and /explain, GET /model, /readyz, /docs.json and the page at /."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.datastructures import State, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving import assets, images, openapi, quick, schema, startup
from serving.errors import ApiError
from serving.model import micro_batching as together
from serving.model.activations import Inside
from serving.model.explain import explain
from serving.model.micro_batching import Pixels, Together
from serving.model.recogniser import SIDE, Predictions
from serving.web import log
from serving.web.drain import Drain
from serving.web.limits import Line
from serving.web.metrics import Metrics

DECODERS = 2  # images decoded at the same time, which bounds their memory
EXPLAINERS = 1  # explanations made at the same time: each keeps a processor busy for as long as many answers
PUBLISHED_EVERY_S = 0.5
BLANK = np.zeros((1, SIDE, SIDE), np.float32)


def create_app(model: Path) -> Starlette:
    """The service's own application, which loads `model` when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        recogniser = startup.verified(model)
        recogniser.predict(BLANK)
        app.state.recogniser = recogniser
        app.state.metrics.model(recogniser)
        app.state.inside = Inside(model.with_name("inside.onnx"), recogniser.sha256)
        app.state.assets = assets.load(model.parent)
        gc.collect()
        gc.freeze()
        publishing = asyncio.create_task(_publish(app.state.metrics))
        yield
        publishing.cancel()
        app.state.metrics.publish()
        log.flush()

    app = Starlette(
        routes=[
            *assets.routes,
            Route("/readyz", ready, methods=["GET"]),
            Route("/docs.json", docs, methods=["GET"]),
            Route("/model", model_info, methods=["GET"]),
            Route("/predict", predict, methods=["POST"]),
            Route("/predict_pixels", predict_pixels, methods=["POST"]),
            Route("/explain", explained, methods=["POST"]),
        ],
        exception_handlers={ApiError: _note_error},
        lifespan=lifespan,
    )
    app.state.drain = Drain()
    app.state.metrics = Metrics()
    app.state.decoders = Line(DECODERS)
    app.state.together = Together(lambda pixels: _told(app.state, app.state.recogniser.predict(pixels)))
    app.state.explainers = Line(EXPLAINERS)
    return app


async def _publish(metrics: Metrics) -> None:
    """Hand over, again and again, what was counted and logged."""
    while True:
        await asyncio.sleep(PUBLISHED_EVERY_S)
        metrics.publish()
        log.flush()


async def _note_error(request: Request, error: Exception) -> Response:
    """Leave the error for the guard, which writes all error bodies."""
    assert isinstance(error, ApiError)
    request.state.error = error
    return Response(status_code=error.status)


async def ready(request: Request) -> Response:
    """GET /readyz: whether the service can answer now."""
    state = request.app.state
    if state.drain.begun or state.decoders.full or not state.together.room:
        raise ApiError.of_status(503)
    state.recogniser.predict(BLANK)
    return PlainTextResponse("\n")


async def docs(request: Request) -> Response:
    """GET /docs.json: the OpenAPI document, where BentoML has its own."""
    return JSONResponse(openapi.document())


async def model_info(request: Request) -> Response:
    """GET /model: what is served, and where it came from."""
    recogniser = request.app.state.recogniser
    info = schema.ModelInfo(**{field: getattr(recogniser, field) for field in schema.ModelInfo.model_fields})
    return _json(info.model_dump_json())


async def predict(request: Request) -> Response:
    """POST /predict: one image file, as the raw body or as the multipart field `image`."""
    data = await _image_bytes(request)
    if images.is_small(data):
        pixels = images.decode(data)
    else:
        pixels = await request.app.state.decoders.run(images.decode, data)
    return _json((await _answers(request, pixels[None]))[0])


async def predict_pixels(request: Request) -> Response:
    """POST /predict_pixels: arrays as JSON, or n times 784 bytes."""
    body = await request.body()
    kind = _media_type(request)
    if kind == "application/octet-stream":
        pixels: Pixels = _from_bytes(body)
        single = False
    elif kind == "application/json":
        parsed = schema.parse_pixels(body)
        pixels = parsed.as_array()
        single = parsed.pixels is not None
    else:
        raise ApiError(
            415, "unsupported_media_type", "Send application/json, or application/octet-stream with 784 bytes an image."
        )
    answers = await _answers(request, pixels)
    return _json(answers[0] if single else f'{{"predictions":[{",".join(answers)}]}}')


async def explained(request: Request) -> Response:
    """POST /explain: one image file, as for /predict; the way to its answer."""
    data = await _image_bytes(request)
    state = request.app.state
    explanation = await state.explainers.run(explain, data, state.recogniser, state.inside)
    return _json(explanation.model_dump_json())


async def _answers(request: Request, pixels: Pixels) -> list[str]:
    """The JSON of each answer."""
    state = request.app.state
    if len(pixels) <= together.LARGEST_RUN:
        return await state.together.answers(pixels)
    return _told(state, await state.decoders.run(state.recogniser.predict, pixels.astype(np.float32, copy=False)))


def _told(state: State, predictions: Predictions) -> list[str]:
    """The JSON of each answer, which is counted."""
    state.metrics.predictions(predictions)
    return quick.answers(predictions, state.recogniser)


async def _image_bytes(request: Request) -> bytes:
    kind = _media_type(request)
    if kind == "multipart/form-data":
        try:
            form = await request.form(max_files=1, max_fields=1)
        except HTTPException as error:
            raise ApiError(400, "malformed_form", f"The form cannot be read: {error.detail}") from error
        (name, file), *more = form.multi_items() or [("", "")]
        if more or name != "image" or not isinstance(file, UploadFile):
            raise ApiError(400, "malformed_form", "The form must hold one file, in the field image, and nothing else.")
        return await file.read()
    if kind in ("", "application/octet-stream") or kind.startswith("image/"):
        return await request.body()
    raise ApiError(415, "unsupported_media_type", "Send an image, as the body or as the form's file image.")


def _from_bytes(body: bytes) -> NDArray[np.uint8]:
    count, rest = divmod(len(body), SIDE * SIDE)
    if rest or not count:
        raise ApiError(
            422, "invalid_pixels", f"The body has {len(body):,} bytes; expected a multiple of {SIDE * SIDE}."
        )
    if count > schema.MAX_BATCH:
        raise schema.too_large()
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _json(answer: str) -> Response:
    return Response(answer, media_type="application/json")
