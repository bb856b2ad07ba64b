"""The BentoML service: `bentoml serve dist/bento` starts it.

The routes are a Starlette application mounted in it, whose lifespan is the service's; the guard calls them directly.
"""

from pathlib import Path
from typing import Any

import bentoml
from starlette.types import ASGIApp

from serving import startup
from serving.app import NAME, create_app
from serving.images import memory
from serving.web import connection, log
from serving.web.cors import Origins
from serving.web.guard import guarded
from serving.web.keys import Keys
from serving.web.shedding import Shedding

MODEL = Path(__file__).parent.parent / "model.onnx"

app = create_app(MODEL)


class GuardedService(bentoml.Service[Any]):
    """A service with the guard outside BentoML's own middlewares, whose settings hold for it too where users need it:
    `http.cors.access_control_allow_origins` and `traffic.max_concurrency`."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        log.configure()
        memory.give_back()
        theirs = super().to_asgi(is_main)
        set_by_user = {name: value for layer in theirs.user_middleware for name, value in layer.kwargs.items()}
        origins = Origins.from_environment(set_by_user.get("allow_origins", ()))
        connection.install(Shedding(app.state.batcher, app.state.decoders, app.state.metrics, origins).refusal)
        return guarded(app, theirs, Keys.from_environment(), origins, set_by_user.get("max_concurrency"))


@bentoml.service(
    name=NAME,
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
