"""The BentoML service: `bentoml serve dist/bento` starts it.

The routes are a Starlette application mounted in it; the probes, the metrics and the OpenAPI document are BentoML's.
"""

from pathlib import Path
from typing import Any

import bentoml
from starlette.types import ASGIApp

from serving.app import create_app
from serving.guard import Guard

MODEL = Path(__file__).parent.parent / "model.onnx"


class GuardedService(bentoml.Service[Any]):
    """A service with the guard outside BentoML's own middlewares, whose errors it puts into the one shape."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        return Guard(super().to_asgi(is_main))


@bentoml.service(
    name="inkwell",
    service_class=GuardedService,
    description="Recognises a handwritten digit.",
    workers=1,
    traffic={"timeout": 2, "max_concurrency": 256},
    tracing={"excluded_urls": ".*"},  # tracing and the access log cost more than the answer
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(create_app(MODEL), path="/")
class Inkwell:
    """Recognises a handwritten digit, or says why it does not."""
