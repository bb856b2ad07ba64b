"""The BentoML service: `bentoml serve dist/bento` starts it.

The routes are a Starlette application mounted in it, whose lifespan is the service's; the guard calls them directly.
"""

from pathlib import Path
from typing import Any

import bentoml
from starlette.types import ASGIApp

from serving import startup
from serving.app import create_app
from serving.images import memory
from serving.web import connection, log
from serving.web.guard import guarded
from serving.web.keys import Keys
from serving.web.shedding import Shedding

MODEL = Path(__file__).parent.parent / "model.onnx"

app = create_app(MODEL)


class GuardedService(bentoml.Service[Any]):
    """A service with the guard outside BentoML's own middlewares."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        log.configure()
        memory.give_back()
        connection.install(Shedding(app.state.batcher, app.state.decoders, app.state.metrics).refusal)
        return guarded(app, super().to_asgi(is_main), Keys.from_environment())


@bentoml.service(
    name="inkwell",
    service_class=GuardedService,
    description="Recognises a handwritten digit.",
    workers=1,
    traffic={"timeout": 2},
    tracing={"excluded_urls": ".*"},  # tracing and the access log cost more than the answer
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(app, path="/")
class Inkwell:
    """Recognises a handwritten digit, or says why it does not."""

    @bentoml.on_deployment
    @staticmethod
    def before_start() -> None:
        startup.check(MODEL)
        startup.watch_closely()
