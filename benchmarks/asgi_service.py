"""The same network file in ONNX Runtime behind bare ASGI: no framework, nothing checked, nothing logged.

MODEL=models/best/model.onnx uvicorn --no-access-log benchmarks.asgi_service:app
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson

Message = dict[str, Any]

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer images of 784 bytes each, whatever the path; nothing to no body, which asks whether it runs."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = predict(body) if body else b""
    length = str(len(answer)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def predict(body: bytes) -> bytes:
    pixels = np.frombuffer(body, np.uint8).reshape(-1, 28, 28).astype(np.float32)
    probabilities = session.run(["probabilities"], {"pixels": pixels})[0]
    return orjson.dumps(
        {"digits": probabilities.argmax(1), "probabilities": probabilities}, option=orjson.OPT_SERIALIZE_NUMPY
    )
