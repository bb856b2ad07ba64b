"""Where a path that leads nowhere was meant to lead."""

from collections.abc import Mapping

from serving import errors
from serving.errors import ApiError

LONGEST = 100  # characters of a path that are told again
OTHER_NAMES = {
    **dict.fromkeys(("/predictions", "/predict_image", "/infer", "/classify", "/recognise", "/recognize"), "/predict"),
    **dict.fromkeys(("/invocations", "/predict_batch", "/predict_proba", "/score"), "/predict_pixels"),
    **dict.fromkeys(("/openapi.json", "/openapi", "/swagger.json"), "/docs.json"),
    **dict.fromkeys(("/swagger", "/redoc", "/api", "/help"), "/docs"),
    **dict.fromkeys(("/health", "/status", "/ping"), "/healthz"),
    **dict.fromkeys(("/ready", "/readiness"), "/readyz"),
    **dict.fromkeys(("/live", "/liveness", "/alive"), "/livez"),
    **dict.fromkeys(("/info", "/version", "/metadata", "/models"), "/model"),
    **dict.fromkeys(("/index.html", "/index", "/home", "/ui"), "/"),
    "/prometheus": "/metrics",
}
"""What others call a path of the service."""


class Ways:
    """methods: of each path of the service, its method."""

    def __init__(self, methods: Mapping[str, str]) -> None:
        self._methods = methods

    def error(self, path: str) -> ApiError:
        """The error for a path that the service does not have: it names the one that may be meant."""
        meant = self._meant(path[:LONGEST].lower())
        if meant is None:
            return errors.NOT_FOUND(path[:LONGEST])
        return errors.ELSEWHERE(path[:LONGEST], f"{self._methods[meant]} {meant}")

    def _meant(self, path: str) -> str | None:
        """The path that differs by capitals or slashes, comes after a prefix as in /v1/predict, or has another name."""
        names = path.replace(":", "/").split("/")
        last = "/" + next(filter(None, reversed(names)), "")
        whole = "/" + "/".join(filter(None, names))
        candidates = (whole, OTHER_NAMES.get(whole), last, OTHER_NAMES.get(last))
        return next((candidate for candidate in candidates if candidate in self._methods), None)
