"""A request's record: the id it is given, its line in the log, and its place in the metrics."""

import secrets
import time
from collections.abc import Container

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.web import log
from serving.web.keys import PROBES
from serving.web.metrics import Metrics

METRICS = "/metrics"


class Record:
    """Notes what becomes of each request. A path that is none of `paths` counts as other; a probe is logged only where
    it fails."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Container[str]) -> None:
        self.app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = secrets.token_hex(16)
        path = scope["path"]
        if path == METRICS:
            self._metrics.publish()

        try:
            await self.app(scope, receive, send)
        finally:
            seconds = time.perf_counter() - began
            status, code = state.get("status", 0), state.get("error_code")
            self._metrics.request(path if path in self._paths else "other", status, code, seconds)
            if code or path not in PROBES:
                log.request(state["request_id"], scope["method"], path, status, code, seconds)
