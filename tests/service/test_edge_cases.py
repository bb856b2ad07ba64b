"""Rows of the table of edge cases (a tester's list, by number) that the contract's own tests do not hold already.

Which digit it is, the behaviour's tests ask, with a network that has learnt; here two pictures get the same answer.
"""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.audits.inputs.lossless import STORED
from tests.service.test_contract import JSON, OCTETS, encode, error_of, pixels_with
from tests.toy_model import image


@pytest.fixture(scope="module")
def seven():
    """A 7 in white ink on black, 120 by 100."""
    picture = Image.new("L", (100, 120))
    ImageDraw.Draw(picture).line([(20, 20), (80, 20), (45, 105)], fill=255, width=10, joint="curve")
    return picture


def save(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def ask(client, data):
    response = client.post("/predict", content=data)
    assert response.status_code == 200, response.text
    return response.json()


def same(one, other, tolerance=1e-5):
    return one["probabilities"] == pytest.approx(other["probabilities"], abs=tolerance)


def test_row_1_both_polarities(client, seven):
    assert same(ask(client, save(seven)), ask(client, save(seven.point(lambda value: 255 - value))))


def as_palette(picture):
    return save(picture.convert("P"))


def as_16_bits(picture):
    return save(Image.fromarray(np.asarray(picture).astype(np.uint16) * 257))


def with_alpha(picture):
    return save(picture.convert("LA"))


def black_on_transparent(picture):
    ink = Image.new("RGBA", picture.size)
    ink.putalpha(picture)
    return save(ink)


def white_on_transparent(picture):
    ink = Image.new("RGBA", picture.size, "white")
    ink.putalpha(picture)
    return save(ink)


def with_text(picture):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("comment", "x" * 100_000, zip=True)
    return save(picture, pnginfo=text)


FORMS = {
    "BMP": lambda picture: save(picture, "BMP"),
    "GIF": lambda picture: save(picture, "GIF"),
    "TIFF": lambda picture: save(picture, "TIFF"),
    "WebP": lambda picture: save(picture, "WEBP", lossless=True),
    "RGB": lambda picture: save(picture.convert("RGB")),
    "palette": as_palette,
    "16 bits": as_16_bits,
    "LA": with_alpha,
    "float TIFF": lambda picture: save(Image.fromarray(np.asarray(picture, np.float32) / 255), "TIFF"),
    "text": with_text,
}


@pytest.mark.parametrize("form", FORMS)
def test_row_8_every_form_of_a_file_gets_the_same_answer(client, seven, form):
    assert same(ask(client, FORMS[form](seven)), ask(client, save(seven)), 1e-3)


@pytest.mark.parametrize("form", [black_on_transparent, white_on_transparent])
def test_row_9_ink_on_nothing_is_not_blank(client, seven, form):
    answer = ask(client, form(seven))
    assert answer["reason"] != "blank"
    assert same(answer, ask(client, save(seven)), 1e-2)


def test_row_10_every_exif_orientation_of_a_scene(client, seven):
    upright = ask(client, save(seven))
    for orientation, back in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert same(ask(client, save(seven.transpose(back), exif=exif)), upright), orientation


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
def test_row_11_the_first_frame_counts(client, seven, kind):
    other = Image.new("L", seven.size, 128)
    animated = save(seven, kind, save_all=True, append_images=[other] * 3)
    assert same(ask(client, animated), ask(client, save(seven)))


@pytest.mark.parametrize("colour", [(0, 0, 0, 255), (255, 255, 255, 255), (9, 9, 9, 0)])
def test_row_12_blank_paper(client, colour):
    assert ask(client, save(Image.new("RGBA", (60, 60), colour)))["reason"] == "blank"


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (1000, 10), (20, 300), (27, 29)])
def test_rows_7_and_22_any_shape_is_answered(client, size):
    picture = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    ask(client, encode(picture))


def png_of(width, height, data):
    """A PNG's bytes whatever they promise."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "status", "code"),
    [
        (0, 0, 400, "unreadable_image"),
        (1, 100_000_000, 413, "image_too_large"),
        (10_000, 10_000, 413, "image_too_large"),
        (30_000, 30_000, 413, "image_too_large"),
    ],
)
def test_row_22_bombs_are_refused_before_they_are_decoded(client, width, height, status, code):
    error_of(client.post("/predict", content=png_of(width, height, zlib.compress(bytes(5_000_000)))), status, code)


def test_row_22_a_gif_of_very_many_frames_costs_one(client):
    frame = save(Image.new("L", (28, 28)), "GIF")
    head, rest = frame[: frame.index(b",")], frame[frame.index(b",") : -1]
    response = client.post("/predict", content=head + rest * 50_000 + b";")
    assert response.status_code == 200
    assert response.elapsed.total_seconds() < 5


def test_row_23_a_million_fields(client):
    field = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
    form = field * (5_000_000 // len(field)) + b"--b--\r\n"
    response = client.post("/predict", content=form, headers={"Content-Type": "multipart/form-data; boundary=b"})
    error_of(response, 400, "malformed_form")


@pytest.mark.parametrize("value", [-0.0, 1e-310, 254.5])
def test_row_27_numbers_that_are_unusual_but_right(client, value):
    body = json.dumps({**pixels_with(value), "scale": "0-255"})
    assert client.post("/predict_pixels", content=body, headers=JSON).status_code == 200


@pytest.mark.parametrize("text", ["data:image/png;base64,iVBORw0KGgo=", "iVBORw0KGgo", "http://169.254.169.254/x.png"])
def test_rows_30_and_35_text_is_no_image(client, text):
    error_of(client.post("/predict", content=text), 415, "unsupported_media_type")
    error_of(client.post("/predict_pixels", json={"pixels": text}), 422, "invalid_pixels")


@pytest.mark.parametrize("body", ['{"pixels": [[' + "9" * 1_000_000 + "]]}", '{"a":' * 3000 + "1" + "}" * 3000])
def test_row_31_extreme_json(client, body):
    response = client.post("/predict_pixels", content=body, headers=JSON)
    assert response.status_code in (400, 422)
    error_of(response, response.status_code, {400: "malformed_json", 422: "invalid_pixels"}[response.status_code])


def test_row_32_order_company_and_repetition_change_nothing(client):
    images = [image(digit).tobytes() for digit in (3, 1, 4, 1, 5, 9)]

    def many(of):
        return client.post("/predict_pixels", content=b"".join(of), headers=OCTETS).json()["predictions"]

    together = many(images)
    assert many(images[::-1]) == together[::-1]
    assert [many([one])[0] for one in images] == together


@pytest.mark.parametrize("key", ["__proto__", "constructor", "pixels\r\nX-Evil: 1"])
def test_row_35_unknown_keys_are_refused_and_not_echoed_into_headers(client, key):
    response = client.post("/predict_pixels", json={key: 1, **pixels_with(9)})
    error_of(response, 422, "invalid_pixels")
    assert "x-evil" not in response.headers
