"""The HTTP routes: POST /predict, POST /predict_pixels, POST /explain, GET /model and the page at GET /."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving import assets, images, schema
from serving.errors import ApiError
from serving.explain import explain
from serving.inside import Inside
from serving.recogniser import SIDE, Predictions, Recogniser

IN_LOOP = 8  # up to this many images are cheaper to answer at once than to hand to a thread
DECODERS = 2  # images decoded at the same time, which bounds their memory
EXPLAINERS = 1  # explanations made at the same time: each keeps a processor busy for as long as many answers

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(model: Path) -> Starlette:
    """The service's own application, which loads `model` when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        recogniser = Recogniser(model)
        recogniser.predict(np.zeros((1, SIDE, SIDE), np.float32))
        app.state.recogniser = recogniser
        app.state.inside = Inside(model.with_name("inside.onnx"), recogniser.sha256)
        app.state.assets = assets.load(model.parent)
        app.state.decoders = asyncio.Semaphore(DECODERS)
        app.state.explainers = asyncio.Semaphore(EXPLAINERS)
        gc.collect()
        gc.freeze()
        yield

    return Starlette(
        routes=[
            *assets.routes,
            Route("/model", model_info, methods=["GET"]),
            Route("/predict", predict, methods=["POST"]),
            Route("/predict_pixels", predict_pixels, methods=["POST"]),
            Route("/explain", explained, methods=["POST"]),
        ],
        exception_handlers={ApiError: _note_error},
        lifespan=lifespan,
    )


async def _note_error(request: Request, error: Exception) -> Response:
    """Leave the error for the guard, which writes all error bodies."""
    assert isinstance(error, ApiError)
    request.state.error = error
    return Response(status_code=error.status)


async def model_info(request: Request) -> Response:
    """GET /model: what is served, and where it came from."""
    recogniser = request.app.state.recogniser
    return _json(schema.ModelInfo(**{field: getattr(recogniser, field) for field in schema.ModelInfo.model_fields}))


async def predict(request: Request) -> Response:
    """POST /predict: one image file, as the raw body or as the multipart field `image`."""
    data = await _image_bytes(request)
    async with request.app.state.decoders:
        pixels = await asyncio.to_thread(images.decode, data)
    predictions = await _predict(request, pixels[None])
    return _json(schema.answers(predictions, request.app.state.recogniser)[0])


async def predict_pixels(request: Request) -> Response:
    """POST /predict_pixels: arrays as JSON, or n times 784 bytes."""
    body = await request.body()
    kind = _media_type(request)
    if kind == "application/octet-stream":
        pixels = _from_bytes(body)
        single = False
    elif kind == "application/json":
        parsed = schema.parse_pixels(body)
        pixels = parsed.as_array()
        single = parsed.pixels is not None
    else:
        raise ApiError(
            415, "unsupported_media_type", "Send application/json, or application/octet-stream with 784 bytes an image."
        )
    answers = schema.answers(await _predict(request, pixels), request.app.state.recogniser)
    return _json(answers[0] if single else schema.Answers.model_construct(predictions=answers))


async def explained(request: Request) -> Response:
    """POST /explain: one image file, as for /predict; the way to its answer."""
    data = await _image_bytes(request)
    state = request.app.state
    async with state.explainers:
        return _json(await asyncio.to_thread(explain, data, state.recogniser, state.inside))


async def _predict(request: Request, pixels: NDArray[np.float32]) -> Predictions:
    recogniser: Recogniser = request.app.state.recogniser
    if len(pixels) <= IN_LOOP:
        return recogniser.predict(pixels)
    return await asyncio.to_thread(recogniser.predict, pixels)


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


def _from_bytes(body: bytes) -> NDArray[np.float32]:
    count, rest = divmod(len(body), SIDE * SIDE)
    if rest or not count:
        raise ApiError(
            422, "invalid_pixels", f"The body has {len(body):,} bytes; expected a multiple of {SIDE * SIDE}."
        )
    if count > schema.MAX_BATCH:
        raise ApiError(
            413, "batch_too_large", f"A batch holds at most {schema.MAX_BATCH} images; this one has {count:,}."
        )
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE).astype(np.float32)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
