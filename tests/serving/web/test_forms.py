"""A form is read in memory, and only its one file is taken."""

import tempfile
import time

import numpy as np
import pytest

from serving import errors
from serving.contract import MAX_BODY_BYTES
from serving.errors import ApiError
from serving.web import forms

KIND = "multipart/form-data; boundary=line"
IMAGE = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n'


def form(*parts, end=b"--line--\r\n"):
    return b"".join(b"--line\r\n%b\r\n%b\r\n" % part for part in parts) + end


def refusal(body, kind=KIND):
    with pytest.raises(ApiError) as raised:
        forms.image_of(kind, body)
    return raised.value


@pytest.mark.parametrize("headers", [b"", b"Content-Type: image/png\r\n", b"Content-Transfer-Encoding: Binary\r\n"])
def test_whatever_bytes_a_file_has_are_given_back(headers):
    random = np.random.default_rng()
    for size in (0, 1, *random.integers(2, 3_000_000, 5)):
        content = random.choice(np.frombuffer(b"\r\n-line\0\xff", np.uint8), size).tobytes().replace(b"\r\n--line", b"")
        assert forms.image_of(KIND, form((IMAGE + headers, content))) == content


def test_a_file_of_a_type_needs_no_name():
    assert (
        forms.image_of(KIND, form((b'Content-Disposition: form-data; name="image"\r\nContent-Type: a/b\r\n', b"x")))
        == b"x"
    )


def test_nothing_is_written_to_a_disk(monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "_get_default_tempdir", full)
    monkeypatch.setattr(tempfile, "tempdir", None)
    content = bytes(MAX_BODY_BYTES - 1000)
    assert forms.image_of(KIND, form((IMAGE, content))) == content


@pytest.mark.parametrize(
    ("names", "told"),
    [(["file"], '"file"'), (["image", "image"], '"image", "image"'), (["x" * 99], '"' + "x" * 40 + '"'), ([], "none")],
)
def test_other_fields_are_named(names, told):
    parts = [(IMAGE.replace(b"image", name.encode()), b"") for name in names]
    assert refusal(form(*parts)).message == errors.OTHER_FORM(told).message


@pytest.mark.parametrize("header", [b"Content-Encoding: gzip", b"Content-Transfer-Encoding: base64"])
def test_an_encoded_file_is_named(header):
    error = refusal(form((IMAGE + header + b"\r\n", b"x")))
    assert (error.status, error.code) == (415, "unsupported_encoding")
    assert header.decode() in error.message


def test_a_text_is_told_from_a_file():
    assert "not a file" in refusal(form((b'Content-Disposition: form-data; name="image"\r\n', b"seven.png"))).message


@pytest.mark.parametrize("end", [b"", b"--line", b"--line\r\n"])
def test_a_form_that_is_cut_off_is_refused(end):
    assert refusal(form((IMAGE, b"abc"), end=end)).code == "malformed_form"


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + 300 * "x"])
def test_a_boundary_that_is_missing_or_too_long_is_refused(boundary):
    assert refusal(form((IMAGE, b"abc")), "multipart/form-data" + boundary).code == "malformed_form"


@pytest.mark.parametrize("block", [b"\r\n--line\r\n\r\n", b"\r\n--linex"])
def test_what_would_take_long_to_read_is_refused_at_once(block):
    began = time.process_time()
    refusal(form((IMAGE, block * (MAX_BODY_BYTES // len(block) - 100))))
    assert time.process_time() - began < 0.5
