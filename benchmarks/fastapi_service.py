"""The same network file in FastAPI and ONNX Runtime, with nothing around it.

MODEL=models/best/model.onnx uvicorn benchmarks.fastapi_service:app
"""

import os
from typing import Any

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Request

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


@app.post("/predict_pixels")
async def predict_pixels(request: Request) -> dict[str, Any]:
    pixels = np.frombuffer(await request.body(), np.uint8).reshape(-1, 28, 28).astype(np.float32)
    probabilities = session.run(["probabilities"], {"pixels": pixels})[0]
    return {"digits": probabilities.argmax(1).tolist(), "probabilities": probabilities.tolist()}
