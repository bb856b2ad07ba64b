"""Ways of sending an image that lose nothing: each must give the answer that the image itself has."""

import io
import json
from collections.abc import Callable

import numpy as np
from PIL import Image

from pipeline.audits.inputs.picture_set import Encode

STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored of which EXIF says that it has one of these orientations; 1 is upright."""


def file(kind: str, change: Callable[[Image.Image], Image.Image] = lambda image: image, **options: object) -> Encode:
    """Encodes images, uint8 [28, 28], as files of a ``kind`` that Pillow writes, with a ``change`` before."""
    return lambda image, _: saved(change(Image.fromarray(image)), kind, **options)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(image: np.ndarray, place: int) -> bytes:
    """A PNG that is stored as a camera held in one of eight ways would, with the note that says so."""
    orientation = place % 8 + 1
    picture = Image.fromarray(image)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture.transpose(STORED[orientation]) if orientation in STORED else picture, "PNG", exif=exif)


def transparent(image: np.ndarray, _: int) -> bytes:
    """Black ink on nothing."""
    ink = np.zeros((*image.shape, 4), np.uint8)
    ink[..., 3] = image
    return saved(Image.fromarray(ink), "PNG")


FILES: dict[str, Encode] = {
    "PNG": file("PNG"),
    "BMP": file("BMP"),
    "WebP, lossless": file("WEBP", lossless=True),
    "TIFF": file("TIFF"),
    "GIF": file("GIF"),
    "PNG in colour": file("PNG", lambda image: image.convert("RGB")),
    "PNG in colour, opaque": file("PNG", lambda image: image.convert("RGBA")),
    "PNG with a palette": file("PNG", lambda image: image.convert("P")),
    "PNG of 16 bits": lambda image, _: saved(Image.fromarray(image.astype(np.uint16) * 257), "PNG"),
    "dark ink on white paper": lambda image, _: saved(Image.fromarray(255 - image), "PNG"),
    "black ink on transparency": transparent,
    "turned, with the camera's note": turned,
}
JSON: dict[str, Encode] = {
    "JSON, 0 to 255": lambda image, _: json.dumps({"pixels": image.tolist(), "scale": "0-255"}).encode(),
    "JSON, 0 to 1": lambda image, _: json.dumps({"pixels": (image / 255).tolist(), "scale": "0-1"}).encode(),
}
