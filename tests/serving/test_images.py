import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from serving import images
from serving.errors import ApiError


def png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def scene():
    """A seven in black on white paper, off the centre: Pillow L, 120x90."""
    image = Image.new("L", (120, 90), 255)
    ImageDraw.Draw(image).line([(70, 20), (95, 20), (80, 65)], fill=0, width=6, joint="curve")
    return image


@pytest.fixture(scope="module")
def expected(scene):
    return images.decode(png(scene))


def close(got, expected, by=1.5):
    """Equal but for a grey level, which conversions between modes may round away."""
    return np.abs(got - expected).max() <= by


def test_the_convention(expected):
    assert expected.shape == (28, 28)
    assert expected.dtype == np.float32
    assert expected.max() == 255
    assert expected.min() == 0
    rows, columns = np.nonzero(expected > 50)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    mass = expected / expected.sum()
    grid = np.arange(28)
    assert abs((mass.sum(axis=1) * grid).sum() - 14) <= 0.5
    assert abs((mass.sum(axis=0) * grid).sum() - 14) <= 0.5


def test_a_28x28_image_passes_unchanged_but_for_its_polarity():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[2:9, 3:6] = np.random.default_rng(0).integers(1, 256, (7, 3))
    for mode in ("L", "RGB", "RGBA"):
        assert (images.decode(png(Image.fromarray(pixels).convert(mode))) == pixels).all()
    assert (images.decode(png(Image.fromarray(255 - pixels))) == pixels).all()


def test_polarity_place_and_size_do_not_matter(scene, expected):
    assert close(images.decode(png(scene.point(lambda value: 255 - value))), expected)
    moved = Image.new("L", (300, 200), 255)
    moved.paste(scene, (150, 80))
    assert close(images.decode(png(moved)), expected)
    larger = scene.resize((480, 360), Image.Resampling.BICUBIC)
    assert np.abs(images.decode(png(larger)) - expected).mean() < 8


def test_faint_ink_counts_as_ink(scene, expected):
    pencil = scene.point(lambda value: 204 + value // 5)
    assert close(images.decode(png(pencil)), expected, by=6)


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
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene.transpose(undo[orientation]) if orientation in undo else scene
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


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (27, 29), (4096, 4096)])
def test_odd_sizes(size):
    image = Image.new("L", size, 255)
    image.putpixel((size[0] // 2, size[1] // 2), 0)
    assert images.decode(png(image)).shape == (28, 28)


def test_the_values_stay_in_range():
    random = np.random.default_rng(0)
    for _ in range(200):
        noise = random.integers(0, 256, random.integers(5, 60, 2)).astype(np.uint8)
        got = images.decode(png(Image.fromarray(noise)))
        assert got.min() >= 0
        assert got.max() == 255


def test_a_large_photo_gives_what_a_small_one_gives(scene, expected):
    large = scene.resize((3600, 2700), Image.Resampling.BICUBIC)
    assert np.abs(images.decode(png(large)) - expected).mean() < 8


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


def test_too_many_pixels_are_refused(monkeypatch, scene):
    monkeypatch.setattr(images, "MAX_IMAGE_PIXELS", 120 * 90 - 1)
    with pytest.raises(ApiError) as caught:
        images.decode(png(scene))
    assert caught.value.status == 413
