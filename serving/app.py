"""The HTTP routes: what is asked of the service and how it is answered."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from serving import bentoml_schema, errors, images, openapi, schema, startup
from serving.bentoml_schema import ClientSchema
from serving.contract import MAX_BATCH, SIDE
from serving.model.activations import Activations
from serving.model.compare import Comparison, Contenders
from serving.model.explain import Explanation, explain
from serving.model.micro_batching import MICRO_BATCH, MicroBatcher, Pixels
from serving.model.recogniser import Predictions
from serving.model.touch import UnitAsked, UnitSum, touch
from serving.model.without import HeldOut, Without, WithoutAsked, without
from serving.openapi import IMAGE, PIXELS, WELL, ApiRoute, OpenApi
from serving.schema import Answer, Answers, ModelInfo
from serving.web import assets, forms, log
from serving.web.drain import Drain
from serving.web.limits import BoundedPool
from serving.web.metrics import Metrics

NAME = "inkwell"
DECODERS = 2  # images decoded at the same time, which bounds their memory
EXPLAINERS = 1  # explanations made at the same time: each keeps a processor busy for as long as many answers
EXAMINERS = 1  # examinations on the test digits at the same time, for which nobody waits in a row
PUBLISHED_EVERY_S = 0.5
NOT_ENCODED = {b"content-encoding": (b"", b"identity"), b"transfer-encoding": (b"chunked",)}
LONGEST_TYPE = 100  # characters of a header that are looked at, and told again
BLANK = np.zeros((1, SIDE, SIDE), np.float32)


def create_app(model: Path) -> Starlette:
    """The service's own application, which loads `model` when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        recogniser = startup.verified(model)
        recogniser.predict(BLANK)
        app.state.recogniser = recogniser
        app.state.metrics.model(recogniser)
        app.state.activations = Activations(model.with_name("inside.onnx"), recogniser.sha256)
        show = model.with_name(assets.SHOW)
        app.state.held_out = HeldOut(show / "held_out.png", app.state.activations)
        app.state.contenders = Contenders(show, recogniser.name, app.state.activations)
        app.state.assets = assets.load(model.parent, openapi.document(app.routes))
        gc.collect()
        gc.freeze()
        publishing = asyncio.create_task(_publish(app.state.metrics))
        yield
        publishing.cancel()
        app.state.metrics.publish()
        log.flush()

    app = Starlette(routes=[*ROUTES, *assets.routes_of(model.parent)], lifespan=lifespan)
    app.state.drain = Drain()
    app.state.metrics = Metrics()
    app.state.decoders = BoundedPool(DECODERS)
    app.state.batcher = MicroBatcher(lambda pixels: _predict(app.state, pixels))
    app.state.explainers = BoundedPool(EXPLAINERS)
    app.state.examiners = BoundedPool(EXAMINERS, giving_way=True)
    return app


async def _publish(metrics: Metrics) -> None:
    """Hand over, again and again, what was counted and logged."""
    while True:
        await asyncio.sleep(PUBLISHED_EVERY_S)
        metrics.publish()
        log.flush()


async def ready(request: Request) -> Response:
    """Whether the service can answer now."""
    state = request.app.state
    if state.drain.begun or state.decoders.full or not state.batcher.capacity:
        raise errors.OVERLOADED()
    state.recogniser.predict(BLANK)
    return PlainTextResponse("\n")


async def docs(request: Request) -> Response:
    """This document."""
    return _json(openapi.document(request.app.routes))


async def bentomls_schema(request: Request) -> Response:
    """What BentoML's clients read of the service."""
    return _json(bentoml_schema.document(NAME, request.app.routes))


async def model_info(request: Request) -> Response:
    """What is served, and where it came from."""
    recogniser = request.app.state.recogniser
    return _json({field: getattr(recogniser, field) for field in ModelInfo.model_fields})


async def predict(request: Request) -> Response:
    """One image of one digit.

    A PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF, as the body or as the form's file `image`. What it is, its
    own bytes say. A JPEG may have up to 25 megapixels, a PNG up to 16, all else up to 6, and what takes more memory up
    to fewer: a WebP 4; a progressive JPEG with colours 20, or 10 where they are as fine as its brightness (4:4:4), 7.5
    in CMYK. Large ones are decoded one at a time. What is larger is refused with 413 before it is decoded.
    """
    data = await _image_bytes(request)
    if images.is_small(data):
        pixels = images.decode(data)
    else:
        pixels = await request.app.state.decoders.run(images.decode, data)
    [answer] = await request.app.state.batcher.run(pixels[None])
    return _json(answer)


async def predict_pixels(request: Request) -> Response:
    """Images as arrays, bright ink on a dark ground: one, or up to 1000.

    JSON, with `scale` where every value lies in 0..1; or 784 bytes an image, row by row. One that keeps MNIST's
    convention, its ink scaled to 20x20 and centred on black, is answered as it is; another is prepared as a picture is.
    """
    return await _of_pixels(request, prepare=True)


async def predict_prepared(request: Request) -> Response:
    """Images as arrays, for the network as they are: one, or up to 1000.

    Takes what /predict_pixels takes, and prepares nothing: no ink is moved, scaled or made brighter. So the answer is
    the network's to these pixels, be they like MNIST's or not.
    """
    return await _of_pixels(request, prepare=False)


async def explained(request: Request) -> Response:
    """One image of one digit, and the way to its answer: what the page shows of the inside."""
    data = await _image_bytes(request)
    state = request.app.state
    explanation = await state.explainers.run(explain, data, state.recogniser, state.activations)
    return _json(explanation.model_dump())


async def _of_pixels(request: Request, prepare: bool) -> Response:
    kind = _media_type(request)
    body = await request.body()
    if kind == "application/octet-stream":
        return _json({"predictions": await _answers(request.app.state, _from_bytes(body), prepare)})
    if kind != "application/json":
        raise errors.PIXELS_EXPECTED(f"as {kind}" if kind else "without a Content-Type")
    parsed = schema.parse_pixels(body)
    answers = await _answers(request.app.state, parsed.as_array(), prepare)
    return _json(answers[0] if parsed.pixels is not None else {"predictions": answers})


async def unit(request: Request) -> Response:
    """One unit of the network, or one place of a map, and the sum that it makes of an image.

    The sum is written out, its largest parts first; what the unit answers is what the served network answers.
    """
    asked = schema.parse_query(UnitAsked, request.query_params.multi_items())
    data = await _image_bytes(request)
    state = request.app.state
    return _json((await state.explainers.run(touch, data, state.activations, asked)).model_dump())


async def without_units(request: Request) -> Response:
    """An image's answer, and the accuracy on some test digits, with units of the network switched off.

    One such request is answered at a time; another one, or one that comes while answers are waited for, is refused.
    """
    asked = schema.parse_query(WithoutAsked, request.query_params.multi_items())
    data = await _image_bytes(request)
    state = request.app.state
    if state.examiners.taken or state.batcher.waiting > MICRO_BATCH:
        raise errors.OVERLOADED()
    return _json((await state.examiners.run(without, data, state.activations, state.held_out, asked)).model_dump())


async def compared(request: Request) -> Response:
    """One image of one digit, read by several networks, from one without hidden layers to the one that is served.

    Each tells what it reads and which of the ink spoke for that.
    """
    data = await _image_bytes(request)
    state = request.app.state
    return _json((await state.explainers.run(state.contenders.compare, data)).model_dump())


async def _answers(state: State, given: Pixels, prepare: bool) -> list[schema.Json]:
    """An answer for each image, [n, 28, 28] in 0..255, that is the network's input or is to be prepared for it."""
    pixels = given.astype(np.float32, copy=False)
    if len(pixels) > MICRO_BATCH:
        predict = partial(_prepared_and_predicted, state) if prepare else state.recogniser.predict
        return _counted(state, await state.decoders.run(predict, pixels))
    if prepare and len(pixels) == 1:  # which takes less time than a thread's turn
        pixels = images.normalise_all(pixels)
    elif prepare and not images.conforming(pixels).all():
        pixels = await state.decoders.run(images.normalise_all, pixels)
    answers: list[schema.Json] = await state.batcher.run(pixels)
    return answers


def _prepared_and_predicted(state: State, pixels: NDArray[np.float32]) -> Predictions:
    predictions: Predictions = state.recogniser.predict(images.normalise_all(pixels))
    return predictions


def _predict(state: State, pixels: NDArray[np.float32]) -> list[schema.Json]:
    return _counted(state, state.recogniser.predict(pixels))


def _counted(state: State, predictions: Predictions) -> list[schema.Json]:
    """The answer for each image, which is counted."""
    state.metrics.predictions(predictions)
    return schema.answers(predictions, state.recogniser)


async def _image_bytes(request: Request) -> bytes:
    kind = _media_type(request)
    body = b"".join([part async for part in request.stream()])  # which, unlike `body`, the request does not keep
    if kind == "multipart/form-data":
        return forms.image_of(request.headers["content-type"], body)
    if kind in ("", "application/octet-stream") or kind.startswith("image/"):
        return body
    text = images.text_of(body)
    raise errors.TEXT_FOR_IMAGE(text) if text else errors.IMAGE_EXPECTED(kind)


def _from_bytes(body: bytes) -> NDArray[np.uint8]:
    count, rest = divmod(len(body), SIDE * SIDE)
    if rest or not count:
        raise errors.BROKEN_IMAGES(len(body))
    if count > MAX_BATCH:
        raise errors.BATCH_TOO_LARGE()
    return np.frombuffer(body, np.uint8).reshape(count, SIDE, SIDE)


def _media_type(request: Request) -> str:
    """The body's, in small letters; "" where none is said. Raises ApiError 415 for an encoded body, as by gzip."""
    kind = b""
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            kind = kind or value
        elif name in NOT_ENCODED and value.lower() not in NOT_ENCODED[name]:
            raise errors.ENCODED("body", f"{name.decode().title()}: {value[:LONGEST_TYPE].decode(errors='replace')}")
    return kind[:LONGEST_TYPE].partition(b";")[0].strip().lower().decode("latin-1")


def _json(answer: schema.Json) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


ROUTES = [
    ApiRoute("/predict", predict, Answer, takes=IMAGE, raises=errors.OF_IMAGES),
    ApiRoute("/predict_pixels", predict_pixels, (Answer, Answers), takes=PIXELS, raises=errors.OF_PIXELS),
    ApiRoute("/predict_prepared", predict_prepared, (Answer, Answers), takes=PIXELS, raises=errors.OF_PIXELS),
    ApiRoute("/explain", explained, Explanation, takes=IMAGE, raises=errors.OF_IMAGES),
    ApiRoute("/unit", unit, UnitSum, takes=IMAGE, raises=errors.OF_IMAGES, asks=UnitAsked),
    ApiRoute("/without", without_units, Without, takes=IMAGE, raises=errors.OF_IMAGES, asks=WithoutAsked),
    ApiRoute("/compare", compared, Comparison, takes=IMAGE, raises=errors.OF_IMAGES),
    ApiRoute("/model", model_info, ModelInfo),
    *assets.routes,
    ApiRoute("/docs.json", docs, OpenApi),
    ApiRoute("/schema.json", bentomls_schema, ClientSchema),
    ApiRoute("/readyz", ready, {"text/plain": WELL}, needs_key=False),
]
