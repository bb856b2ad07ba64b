"""The service: what goes into the Bento, and nothing else. It imports nothing from the pipeline."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # which ONNX Runtime has on, with an id of the device in ~/.cache
