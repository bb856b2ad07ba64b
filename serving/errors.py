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


ROWS = f"{SIDE} rows of {SIDE} numbers"
FORM = "curl -F image=@seven.png"
BODY = 'curl --data-binary @seven.png -H "Content-Type: image/png"'

MALFORMED_HTTP = Entry(
    400,
    "malformed_http",
    "This is no request in HTTP/1.1, which is what is spoken here: for https://, or HTTP/2 from the first byte on, a"
    " proxy has to stand in front.",
)
BAD_REQUEST = Entry(400, "bad_request", "Bad request.")
UNAUTHORIZED = Entry(
    401,
    "unauthorized",
    'This needs a key: send "Authorization: Bearer KEY", or the key as the password (curl -u :KEY).',
)
NOT_FOUND = Entry(
    404,
    "not_found",
    "There is nothing at {}. POST /predict takes an image, POST /predict_pixels arrays; GET / is the page, and GET"
    " /docs describes all paths.",
    ("/nowhere",),
)
ELSEWHERE = Entry(404, "not_found", "There is nothing at {}: what you want may be {}.", ("/predict/", "POST /predict"))
METHOD_NOT_ALLOWED = Entry(
    405,
    "method_not_allowed",
    f"{{}} takes {{}}, not {{}}. An image goes to POST /predict, as {FORM} sends it; GET / is the page.",
    ("/predict", "POST", "GET"),
)
BODY_TOO_SLOW = Entry(408, "body_too_slow", f"The body did not arrive within {BODY_DEADLINE_S:.0f} seconds.")
BODY_TOO_LARGE = Entry(
    413,
    "body_too_large",
    f"The body is larger than {MAX_BODY_BYTES:,} bytes: make the picture smaller, or send fewer in one request.",
)
ENCODED = Entry(
    415,
    "unsupported_encoding",
    "The {} is encoded ({}), which is not undone here: send its bytes as they are, without this header.",
    ("body", "Content-Encoding: gzip"),
)
TOO_MANY_REQUESTS = Entry(429, "overloaded", "Too many requests at once. Try again in a moment.")
HEADERS_TOO_LARGE = Entry(431, "headers_too_large", f"The headers are larger than {MAX_HEADER_BYTES:,} bytes.")
INTERNAL = Entry(
    500, "internal", "Something went wrong here, not in your request. It has been logged under this request's id."
)
OVERLOADED = Entry(503, "overloaded", "The service cannot answer now. Try again in a moment.")

EMPTY_IMAGE = Entry(
    400, "empty_image", "The image has no bytes: see whether its file is empty, and whether the request sends it."
)
UNREADABLE_IMAGE = Entry(400, "unreadable_image", "The image is damaged or incomplete.")
UNREADABLE_FORM = Entry(
    400,
    "malformed_form",
    f"The form is damaged, cut off or of too many parts: send one file in the field image, as {FORM} does.",
)
NO_BOUNDARY = Entry(
    400,
    "malformed_form",
    "The form's Content-Type names no boundary between its parts: leave that header to the client, which writes both.",
)
OTHER_FORM = Entry(
    400,
    "malformed_form",
    f"The form's fields are {{}}: send one file, in the field image, and nothing else, as {FORM} does.",
    ('"file"',),
)
TEXT_FIELD = Entry(
    400,
    "malformed_form",
    f"The form's field image is a text, not a file: with curl write an @, as in {FORM}; in JavaScript append a Blob.",
)
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
TEXT_FOR_IMAGE = Entry(
    415,
    "unsupported_media_type",
    f"This is {{}}, but an image's own bytes are read here: send its file, as {FORM} or {BODY} does."
    " Arrays of pixels go to POST /predict_pixels.",
    ("base64",),
)
IMAGE_EXPECTED = Entry(
    415,
    "unsupported_media_type",
    f"The body came as {{}}, not as an image: send it as {BODY} does, or as the file image of a form, as {FORM} does.",
    ("application/x-www-form-urlencoded",),
)

MALFORMED_JSON = Entry(
    400, "malformed_json", "The body is not JSON: {}.", ("EOF while parsing a value at line 1 column 0",)
)
BATCH_TOO_LARGE = Entry(
    413, "batch_too_large", f"A batch holds at most {MAX_BATCH:,} images: send more in several requests."
)
PIXELS_EXPECTED = Entry(
    415,
    "unsupported_media_type",
    f'The body came {{}}: send {{{{"pixels": {ROWS}}}}} as Content-Type: application/json, or {SIDE * SIDE} bytes an'
    " image as application/octet-stream. An image file goes to POST /predict.",
    ("as image/png",),
)
NOT_AN_OBJECT = Entry(
    422,
    "invalid_pixels",
    f'The body is no object: send {{{{"pixels": {ROWS}}}}}, or {{{{"batch": a list of such images}}}}.',
)
UNKNOWN_FIELD = Entry(
    422,
    "invalid_pixels",
    f'There is no field {{}}: send {{{{"pixels": {ROWS}}}}} or {{{{"batch": a list of such images}}}}, and beside it'
    ' "scale" where the values lie in 0..1.',
    ('"instances"',),
)
NO_LIST = Entry(
    422,
    "invalid_pixels",
    f"{{}} should be {{}}: an image is {ROWS}, and a flat list of {SIDE * SIDE} has to be cut into rows.",
    ("pixels[0]", f"a row of {SIDE} numbers"),
)
NO_NUMBER = Entry(
    422,
    "invalid_pixels",
    f"{{}} should be a number: an image is {ROWS}, without an axis for colours.",
    ("pixels[0][0]",),
)
WRONG_LENGTH = Entry(422, "invalid_pixels", f"{{}} has {{}} {{}}: an image is {ROWS}.", ("pixels[0]", 56, "numbers"))
EMPTY_BATCH = Entry(422, "invalid_pixels", "batch is empty: it should hold an image or more.")
WRONG_SCALE = Entry(422, "invalid_pixels", 'scale should be "0-255", which goes without saying, or "0-1".')
OUT_OF_RANGE = Entry(
    422,
    "invalid_pixels",
    '{} should lie in 0..255, or in 0..1 with "scale": "0-1": undo a normalisation by mean and deviation.',
    ("pixels[27][27]",),
)
INVALID_PIXELS = Entry(
    422, "invalid_pixels", "{}.", ('Every value lies in 0..1: say which scale is meant, "scale": "0-1" or "0-255"',)
)
UNKNOWN_NAMES = Entry(
    422,
    "invalid_pixels",
    "There are names or texts beyond pixels, batch and scale: numbers stand without quotation marks.",
)
BROKEN_IMAGES = Entry(
    422,
    "invalid_pixels",
    f"The body has {{:,}} bytes; expected a multiple of {SIDE * SIDE}, a byte a pixel, row by row. An image file goes"
    " to POST /predict.",
    (785,),
)
WRONG_QUESTION = Entry(
    422,
    "invalid_query",
    "{}: GET /docs says what may stand behind the question mark.",
    ("layer should be less than or equal to 7",),
)

ANYWHERE = (MALFORMED_HTTP, UNAUTHORIZED, BODY_TOO_SLOW, BODY_TOO_LARGE, HEADERS_TOO_LARGE, OVERLOADED)
OF_IMAGES = (
    *(EMPTY_IMAGE, UNREADABLE_IMAGE, UNREADABLE_FORM, NO_BOUNDARY, OTHER_FORM, TEXT_FIELD),
    *(IMAGE_TOO_LARGE, NOT_AN_IMAGE, OTHER_FORMAT, TEXT_FOR_IMAGE, IMAGE_EXPECTED, ENCODED),
)
OF_PIXELS = (
    *(MALFORMED_JSON, BATCH_TOO_LARGE, PIXELS_EXPECTED, ENCODED),
    *(NOT_AN_OBJECT, UNKNOWN_FIELD, NO_LIST, NO_NUMBER, WRONG_LENGTH, EMPTY_BATCH, WRONG_SCALE, OUT_OF_RANGE),
    *(INVALID_PIXELS, UNKNOWN_NAMES, BROKEN_IMAGES),
)

_BY_STATUS = {entry.status: entry for entry in (UNAUTHORIZED, TOO_MANY_REQUESTS, INTERNAL, OVERLOADED)}


def catalogue() -> tuple[Entry, ...]:
    """All of them."""
    return tuple(one for one in globals().values() if isinstance(one, Entry))


def of_status(status: int, method: str, path: str, allow: str) -> ApiError:
    """The error for a bare HTTP status, as a framework answers a request of `method` to `path`. allow: the header of a
    405. A missed deadline (504) counts as overload."""
    if status == 404:
        return NOT_FOUND(path)
    if status == 405:
        return METHOD_NOT_ALLOWED(path, allow, method)
    if status == 504:
        return OVERLOADED()
    return _BY_STATUS.get(status, INTERNAL if status >= 500 else BAD_REQUEST)()
