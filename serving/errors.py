"""The catalogue of errors: the status, code and message of each, once. All have one shape:
{"error": {"code", "message"}, "request_id"}.

An entry is raised by calling it, with what fills the gaps of its message: raise MALFORMED_JSON("EOF").
"""

from dataclasses import dataclass

from starlette.responses import JSONResponse

from serving.contract import BODY_DEADLINE_S, JPEG_PIXELS, MAX_BATCH, MAX_BODY_BYTES, MAX_HEADER_BYTES, SIDE

HEADERS = {  # beside those of every answer, by status
    401: {"WWW-Authenticate": 'Basic realm="Inkwell: any name, and a key as the password", charset="UTF-8"'},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}


class ApiError(Exception):
    """A request that is not answered: its HTTP status, a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self, request_id: str) -> dict[str, object]:
        return {"error": {"code": self.code, "message": self.message}, "request_id": request_id}

    def response(self, request_id: str) -> JSONResponse:
        return JSONResponse(self.body(request_id), self.status, HEADERS.get(self.status))


@dataclass(frozen=True)
class Entry:
    """An error of the catalogue. example: what fills the gaps of its message in the documentation."""

    status: int
    code: str
    message: str
    example: tuple[object, ...] = ()

    def __call__(self, *gaps: object) -> ApiError:
        return ApiError(self.status, self.code, self.message.format(*gaps))


MALFORMED_HTTP = Entry(400, "malformed_http", "This is not an HTTP request.")
BAD_REQUEST = Entry(400, "bad_request", "Bad request.")
UNAUTHORIZED = Entry(401, "unauthorized", "This needs a key.")
NOT_FOUND = Entry(404, "not_found", "There is nothing at this path. GET / is the page, POST /predict takes an image.")
METHOD_NOT_ALLOWED = Entry(405, "method_not_allowed", "This path does not take this method; see the Allow header.")
BODY_TOO_SLOW = Entry(408, "body_too_slow", f"The body did not arrive within {BODY_DEADLINE_S:.0f} seconds.")
BODY_TOO_LARGE = Entry(413, "body_too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
TOO_MANY_REQUESTS = Entry(429, "overloaded", "Too many requests at once. Try again in a moment.")
HEADERS_TOO_LARGE = Entry(431, "headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES:,} bytes.")
INTERNAL = Entry(
    500, "internal", "Something went wrong here, not in your request. It has been logged under this request's id."
)
OVERLOADED = Entry(503, "overloaded", "The service cannot answer now. Try again in a moment.")

EMPTY_IMAGE = Entry(400, "empty_image", "The image is empty.")
UNREADABLE_IMAGE = Entry(400, "unreadable_image", "The image is damaged or incomplete.")
UNREADABLE_FORM = Entry(400, "malformed_form", "The form cannot be read: {}", ("Missing boundary in multipart.",))
OTHER_FORM = Entry(400, "malformed_form", "The form must hold one file, in the field image, and nothing else.")
IMAGE_TOO_LARGE = Entry(
    413,
    "image_too_large",
    "{} may have up to {:,} pixels: make it smaller, or send a plain JPEG (not progressive) of up to "
    f"{JPEG_PIXELS:,}.",
    ("A WEBP image", 4_000_000),
)
NOT_AN_IMAGE = Entry(415, "unsupported_media_type", "This is no image: send PNG, JPEG, WebP, BMP, GIF or TIFF.")
OTHER_FORMAT = Entry(
    415,
    "unsupported_media_type",
    "This is {}, which is not read here: save it as JPEG or PNG, and send that.",
    ("a HEIC picture",),
)
IMAGE_EXPECTED = Entry(415, "unsupported_media_type", "Send an image, as the body or as the form's file image.")

MALFORMED_JSON = Entry(
    400, "malformed_json", "The body is not JSON: {}.", ("EOF while parsing a value at line 1 column 0",)
)
BATCH_TOO_LARGE = Entry(413, "batch_too_large", f"A batch holds at most {MAX_BATCH:,} images.")
PIXELS_EXPECTED = Entry(
    415,
    "unsupported_media_type",
    f"Send application/json, or application/octet-stream with {SIDE * SIDE} bytes an image.",
)
INVALID_PIXELS = Entry(422, "invalid_pixels", "{}.", ("pixels[27][27]: Input should be less than or equal to 255",))
UNKNOWN_NAMES = Entry(422, "invalid_pixels", "There are names or texts beyond pixels, batch and scale.")
BROKEN_IMAGES = Entry(
    422, "invalid_pixels", f"The body has {{:,}} bytes; expected a multiple of {SIDE * SIDE}.", (785,)
)

ANYWHERE = (MALFORMED_HTTP, UNAUTHORIZED, BODY_TOO_SLOW, BODY_TOO_LARGE, HEADERS_TOO_LARGE, OVERLOADED)
OF_IMAGES = (
    *(EMPTY_IMAGE, UNREADABLE_IMAGE, UNREADABLE_FORM, OTHER_FORM),
    *(IMAGE_TOO_LARGE, NOT_AN_IMAGE, OTHER_FORMAT, IMAGE_EXPECTED),
)
OF_PIXELS = (MALFORMED_JSON, BATCH_TOO_LARGE, PIXELS_EXPECTED, INVALID_PIXELS, UNKNOWN_NAMES, BROKEN_IMAGES)

_BY_STATUS = {
    entry.status: entry
    for entry in (UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_MANY_REQUESTS, INTERNAL, OVERLOADED)
}


def catalogue() -> tuple[Entry, ...]:
    """All of them."""
    return tuple(one for one in globals().values() if isinstance(one, Entry))


def of_status(status: int) -> ApiError:
    """The error for a bare HTTP status, as a framework answers it. A missed deadline (504) counts as overload."""
    if status == 504:
        return OVERLOADED()
    return _BY_STATUS.get(status, INTERNAL if status >= 500 else BAD_REQUEST)()
