"""The one shape of every error: {"error": {"code", "message"}, "request_id"}."""

from starlette.responses import JSONResponse

RETRY_AFTER_S = 1

_BY_STATUS = {
    401: ("unauthorized", "This needs a key."),
    404: ("not_found", "There is nothing at this path. GET / is the page, POST /predict takes an image."),
    405: ("method_not_allowed", "This path does not take this method; see the Allow header."),
    429: ("overloaded", "Too many requests at once. Try again in a moment."),
    503: ("overloaded", "The service cannot answer now. Try again in a moment."),
    500: ("internal", "Something went wrong here, not in your request. It has been logged under this request's id."),
}


class ApiError(Exception):
    """A request that is not answered: its HTTP status, a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def of_status(cls, status: int) -> "ApiError":
        """The error for a bare HTTP status, as a framework answers it. A missed deadline (504) counts as overload."""
        if status == 504:
            status = 503
        code, message = _BY_STATUS.get(status, _BY_STATUS[500] if status >= 500 else ("bad_request", "Bad request."))
        return cls(status, code, message)

    def response(self, request_id: str) -> JSONResponse:
        """This error as an HTTP answer."""
        headers = {"X-Request-ID": request_id}
        if self.status in (429, 503):
            headers["Retry-After"] = str(RETRY_AFTER_S)
        body = {"error": {"code": self.code, "message": self.message}, "request_id": request_id}
        return JSONResponse(body, self.status, headers)
