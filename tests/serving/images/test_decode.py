import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngInfo

from pipeline.audits.inputs.lossless import STORED
from serving import images
from serving.errors import ApiError
from tests.serving.images.pictures import close, png


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "I;16", "I", "F", "1"])
def test_every_mode_is_read_alike(scene, expected, mode):
    black_and_white = scene.point(lambda value: 255 * (value > 127))
    reference = images.normalise(np.asarray(black_and_white, np.float32))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(black_and_white).astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(np.asarray(black_and_white).astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(black_and_white, np.float32) / 255)
    else:
        image = black_and_white.convert(mode)
    data = png(image, format="TIFF" if mode in ("CMYK", "F", "I") else "PNG")
    assert close(images.decode(data), reference)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", range(8, 17))
def test_as_many_bits_count_as_are_used(scene, expected, bits, kind):
    deep = np.asarray(scene).astype(np.uint32) * (2**bits - 1) // 255
    assert close(images.decode(png(Image.fromarray(deep.astype(np.uint16)), format=kind)), expected)


@pytest.mark.parametrize(("black", "white"), [(0, 4095), (0, 1), (-1, 1), (-32768, 32767)])
def test_fractions_and_signed_numbers_count_from_the_least_to_the_bits_that_are_used(scene, expected, black, white):
    values = black + np.asarray(scene, np.float32) / 255 * (white - black)
    assert close(images.decode(png(Image.fromarray(values), format="TIFF")), expected)
    if white > 1:
        assert close(images.decode(png(Image.fromarray(values.astype(np.int32)), format="TIFF")), expected)


def test_what_is_no_number_is_no_light(scene, expected):
    values = 1 - np.asarray(scene, np.float32) / 255
    values[0, :3] = np.nan, -np.inf, 0
    assert close(images.decode(png(Image.fromarray(values), format="TIFF")), expected)


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_ink_on_nothing_is_seen(scene, expected, ink):
    drawing = Image.new("RGBA", scene.size, (*ink, 0))
    drawing.putalpha(scene.point(lambda value: 255 - value))
    assert close(images.decode(png(drawing)), expected, by=4)


def test_a_card_with_a_transparent_margin_keeps_its_paper(scene, expected):
    card = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    card.paste(scene.convert("RGBA"), (40, 60))
    assert close(images.decode(png(card)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_undone(scene, expected, orientation):
    stored = scene.transpose(STORED[orientation]) if orientation in STORED else scene
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert close(images.decode(png(stored, exif=exif)), expected)


def test_only_the_first_frame_counts(scene, expected):
    frames = {"save_all": True, "append_images": [Image.new("L", scene.size, 255)]}
    for kind in ("GIF", "TIFF", "PNG"):
        assert close(images.decode(png(scene, format=kind, **frames)), expected)


@pytest.mark.parametrize("colour", [0, 255, 128])
def test_a_blank_sheet_holds_no_ink(colour):
    assert not images.decode(png(Image.new("L", (50, 40), colour))).any()
    assert not images.decode(png(Image.new("RGBA", (50, 40), (colour, colour, colour, 0)))).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (28, 28), (1, 3000), (3000, 1), (27, 29), (4000, 4000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_odd_sizes(size, kind):
    image = Image.new("L", size, 255)
    image.putpixel((size[0] // 2, size[1] // 2), 0)
    assert images.decode(png(image, format=kind)).shape == (28, 28)


def test_the_values_stay_in_range():
    random = np.random.default_rng(0)
    for shape in [(28, 28)] * 50 + [tuple(random.integers(5, 60, 2)) for _ in range(150)]:
        noise = random.integers(0, 256, shape).astype(np.uint8)
        got = images.decode(png(Image.fromarray(noise)))
        assert got.min() >= 0
        assert got.max() <= 255


def test_a_large_photo_gives_what_a_small_one_gives(scene, expected):
    large = scene.resize((3600, 2700), Image.Resampling.BICUBIC)
    assert np.abs(images.decode(png(large)) - expected).mean() < 8


def whole(data, shrink):
    """What a large file gives when it is read, then converted, then made smaller, each as a whole."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB").reduce(shrink)
    return images.to_grey(image)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "keyed"])
@pytest.mark.parametrize("size", [(1500, 2100), (3001, 1303), (300, 4999), (70_001, 30)])
def test_converting_in_tiles_changes_no_bit(mode, size):
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 9, size[0] // 9, 4), np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    options = {"transparency": (1, 2, 3)} if mode == "keyed" else {}
    data = png(picture.convert("RGB" if mode == "keyed" else mode), compress_level=1, **options)
    assert (images.read(data) == whole(data, -(-max(size) // 1024))).all()


def test_a_large_picture_is_turned_too(scene):
    large = scene.resize((3600, 2700)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "JPEG"):
        upright = images.read(png(large.transpose(STORED[6]), format=kind, exif=exif))
        assert close(upright, images.read(png(large, format=kind)), by=20)


def test_a_large_picture_that_ends_too_early_is_damaged(scene):
    data = png(scene.resize((3600, 2700)).convert("RGB"))
    with pytest.raises(ApiError) as caught:
        images.read(data[: len(data) // 2])
    assert caught.value.status == 400


PEAK = """
import resource, sys
from pathlib import Path
from serving import images
small, large = (Path(path).read_bytes() for path in sys.argv[1:])
images.decode(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images.decode(large)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("kind", "mode", "largest"),
    [
        ("PNG", "RGB", (4000, 4000)),
        ("PNG", "RGBA", (4000, 4000)),
        ("PNG", "RGBA", (16_000, 1000)),
        ("PNG", "RGBA", (4_000_000, 4)),
        ("PNG", "P", (4000, 4000)),
        ("JPEG", "RGB", (5000, 5000)),
        ("GIF", "P", (2449, 2449)),
    ],
)
def test_a_large_picture_with_colours_takes_little_memory(kind, mode, largest, tmp_path, scene):
    for name, size in (("small", scene.size), ("large", largest)):
        picture = scene.convert("RGB").resize(size).convert(mode)
        (tmp_path / name).write_bytes(png(picture, format=kind))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "small"), str(tmp_path / "large")]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert kilobytes < 80_000


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty_image"),
        (b"GIF", 415, "unsupported_media_type"),
        (b"<html>", 415, "unsupported_media_type"),
        (b"\x89PNG\r\n\x1a\n", 400, "unreadable_image"),
    ],
)
def test_what_is_no_image_is_refused(data, status, code):
    with pytest.raises(ApiError) as caught:
        images.decode(data)
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize(
    ("kind", "size", "limit"),
    [
        ("JPEG", (5000, 5000), "25,000,000"),
        ("PNG", (4000, 4000), "16,000,000"),
        ("WEBP", (2000, 2000), "4,000,000"),
        ("GIF", (3000, 2000), "6,000,000"),
        ("BMP", (3000, 2000), "6,000,000"),
        ("TIFF", (3000, 2000), "6,000,000"),
    ],
)
def test_each_format_is_read_up_to_its_limit_and_refused_beyond(kind, size, limit):
    most = Image.new("L", size, 255)
    assert images.read(png(most, format=kind)).all()
    beyond = png(most.resize((size[0], size[1] + 1)), format=kind)
    assert limit in refusal(beyond)
    if kind in ("JPEG", "PNG", "GIF", "BMP"):
        assert limit in refusal(beyond[:1000])  # by its header alone


@pytest.mark.parametrize(
    ("mode", "subsampling", "size", "limit"),
    [
        ("L", 0, (5000, 5000), "25,000,000"),
        ("RGB", 2, (4472, 4472), "20,000,000"),
        ("RGB", 1, (3872, 3872), "15,000,000"),
        ("RGB", 0, (3162, 3162), "10,000,000"),
        ("CMYK", 0, (2738, 2738), "7,500,000"),
    ],
)
def test_a_progressive_jpeg_s_limit_is_what_its_coefficients_take(mode, subsampling, size, limit):
    options = {"format": "JPEG", "progressive": True, "subsampling": subsampling, "quality": 10}
    most = Image.new(mode, size)
    assert images.read(png(most, **options)).any() == (mode == "CMYK")
    assert limit in refusal(png(most.resize((size[0], size[1] + 2)), **options))


def refusal(data):
    """What is said of a file that is refused as too large."""
    with pytest.raises(ApiError) as caught:
        images.read(data)
    assert (caught.value.status, caught.value.code) == (413, "image_too_large")
    assert "make it smaller" in caught.value.message
    return caught.value.message


def test_pillow_tells_how_fine_a_jpeg_s_colours_are(scene):
    """An attribute without documentation: of each component its id, its samples across and down, its table."""
    for subsampling, fine in ((0, 1), (1, 2), (2, 2)):
        image = Image.open(io.BytesIO(png(scene.convert("RGB"), format="JPEG", subsampling=subsampling)))
        assert isinstance(image, JpegImageFile)
        assert image.layer[0][1:3] == (fine, 2 if subsampling == 2 else 1)
        assert [layer[1:3] for layer in image.layer[1:]] == [(1, 1)] * 2


def test_a_png_s_packed_texts_are_not_unpacked_beyond_a_few_megabytes(scene):
    def texts(count):
        info = PngInfo()
        for index in range(count):
            info.add_text(f"text {index}", "a" * 1_000_000, zip=True)
        return png(scene, pnginfo=info)

    assert images.read(texts(3)).any()
    with pytest.raises(ApiError) as caught:
        images.read(texts(5))
    assert (caught.value.status, caught.value.code) == (400, "unreadable_image")
