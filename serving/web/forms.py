"""A form's file, read in memory: of what a client sends, nothing is written to a disk."""

import json
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving import errors

FIELD = "image"
PLAIN = (b"binary", b"8bit", b"7bit", b"identity")  # encodings of a part that leave its bytes as they are
ENCODINGS = (b"content-encoding", b"content-transfer-encoding")
MOST_PARTS = 20  # that a form's fields are told of: more of them, or of what only looks like their beginning, take long
LONGEST_NAME = 40  # characters of a field's name that are told again


@dataclass
class Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)

    @property
    def disposition(self) -> dict[bytes, bytes]:
        return parse_options_header(self.headers.get(b"content-disposition"))[1]

    @property
    def name(self) -> str:
        return self.disposition.get(b"name", b"").decode(errors="replace")

    @property
    def is_file(self) -> bool:
        return b"filename" in self.disposition or b"content-type" in self.headers


def image_of(content_type: str, body: bytes) -> bytes:
    """The file in the field `image` of a multipart form, which is all that it holds.

    Raises ApiError: 400 for another form, 415 where the file is encoded.
    """
    parts = _parts(content_type, body)
    if [part.name for part in parts] != [FIELD]:
        raise errors.OTHER_FORM(_named(parts))
    [part] = parts
    if not part.is_file:
        raise errors.TEXT_FIELD()
    for name in ENCODINGS:
        encoding = part.headers.get(name, PLAIN[0])
        if encoding.lower() not in PLAIN:
            raise errors.ENCODED("form's file", f"{name.decode().title()}: {encoding.decode(errors='replace')[:40]}")
    return bytes(part.content)


def _parts(content_type: str, body: bytes) -> list[Part]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise errors.NO_BOUNDARY()
    if body.count(b"\r\n--" + boundary) > MOST_PARTS:
        raise errors.UNREADABLE_FORM()
    parts: list[Part] = []
    header = bytearray()
    whole = False

    def begin() -> None:
        parts.append(Part())

    def header_field(data: bytes, start: int, end: int) -> None:
        header[:] = data[start:end].lower()

    def header_value(data: bytes, start: int, end: int) -> None:
        parts[-1].headers[bytes(header)] = data[start:end].strip()

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1].content += memoryview(data)[start:end]

    def finish() -> None:
        nonlocal whole
        whole = True

    try:
        MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_header_field": header_field,
                "on_header_value": header_value,
                "on_part_data": content,
                "on_end": finish,
            },
        ).write(body)
    except FormParserError as error:
        raise errors.UNREADABLE_FORM() from error
    if not whole:
        raise errors.UNREADABLE_FORM()
    return parts


def _named(parts: list[Part]) -> str:
    """The names of a form's fields, as they are told again."""
    return ", ".join(json.dumps(part.name[:LONGEST_NAME], ensure_ascii=False) for part in parts) or "none"
