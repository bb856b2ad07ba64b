"""What is not taken is called what it is."""

import io

import pytest
from PIL import Image

from serving import images
from serving.errors import ApiError


def box(*brands):
    """The first box of an ISO 14496-12 file: its major brand, a version, and what it is compatible with."""
    content = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return (4 + len(content)).to_bytes(4, "big") + content + b"\0\0\0\x08mdat"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (box(b"heic", b"mif1", b"heic"), "HEIC"),
        (box(b"mif1", b"miaf"), "HEIC"),
        (box(b"avif", b"mif1", b"miaf"), "AVIF"),
        (box(b"mif1", b"avif", b"miaf"), "AVIF"),
        (box(b"qt  "), "video"),
        (box(b"crx ", b"isom"), "raw"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), "JPEG 2000"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a drawing -->\n<SVG/>", "SVG"),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_to_send(data, name):
    with pytest.raises(ApiError) as caught:
        images.read(data)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")
    assert name in caught.value.message
    assert "JPEG or PNG" in caught.value.message


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000"])
def test_files_as_pillow_writes_them_are_named(kind):
    file = io.BytesIO()
    Image.new("RGB", (28, 28)).save(file, kind)
    with pytest.raises(ApiError, match=f"{kind[:4]}.*JPEG or PNG"):
        images.read(file.getvalue())


@pytest.mark.parametrize("data", [b"hello", b"the <svg tag", bytes(100), b"\0\0\0"])
def test_what_has_no_name_is_no_image(data):
    with pytest.raises(ApiError, match="This is no image"):
        images.read(data)
