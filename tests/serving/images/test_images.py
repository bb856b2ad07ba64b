import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.audits.invariance import STORED
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


@pytest.fixture(scope="module")
def conforming(expected):
    """The seven as MNIST would hold it: uint8 [28, 28]."""
    return expected.round().astype(np.uint8)


def test_a_28x28_image_in_the_convention_passes_unchanged_but_for_its_polarity(conforming):
    for mode in ("L", "RGB", "RGBA"):
        assert (images.decode(png(Image.fromarray(conforming).convert(mode))) == conforming).all()
    assert (images.decode(png(Image.fromarray(255 - conforming))) == conforming).all()


@pytest.mark.parametrize("rows", [-3, -1, 0, 1])
@pytest.mark.parametrize("columns", [-2, 0, 3])
def test_a_shifted_28x28_image_comes_back_to_the_bit(conforming, rows, columns):
    moved = np.roll(conforming, (rows, columns), (0, 1)).astype(np.float32)
    assert (images.normalise(moved) == conforming).all()
    assert (images.normalise(255 - moved) == conforming).all()


def test_lifted_paper_and_faded_ink_are_undone_in_28x28(conforming):
    seven = conforming.astype(np.float32)
    for spoilt in (seven * 0.4, 100 + seven * 0.2, 200 - seven * 0.3):
        assert np.abs(images.normalise(spoilt) - seven).max() < 20
    lifted = images.normalise(np.clip(seven + 127, 0, 255))
    assert lifted.max() == 255
    assert (lifted[seven == 0] == 0).all()
    assert lifted[seven > 127].min() > 250


def test_a_shadow_over_the_paper_is_taken_away(scene, conforming, expected):
    slope = np.linspace(0, 1, 28, dtype=np.float32)[:, None]
    uneven = images.normalise((conforming * 0.5 + 120 * slope).astype(np.float32))
    assert np.abs(uneven - conforming).mean() < 12
    assert uneven[:, [0, 1, -2, -1]].max() < 30

    paper = 240 - 110 / (1 + np.exp(-np.linspace(-4, 4, scene.width, dtype=np.float32)))
    photo = np.asarray(scene, np.float32) / 255 * 0.8 * paper + 0.2 * paper
    assert np.abs(images.normalise(photo.astype(np.float32)) - expected).mean() < 6


def test_small_ink_in_28x28_is_enlarged(scene):
    tiny = np.zeros((28, 28), np.float32)
    tiny[12:26, 4:16] = 255 - np.asarray(scene.crop((65, 15, 100, 70)).resize((12, 14), Image.Resampling.BOX))
    got = images.normalise(tiny)
    rows, columns = np.nonzero(got > 50)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)


def test_noise_in_28x28_leaves_place_and_size_alone(conforming):
    salt = conforming.copy()
    salt[[0, 2, 4, 2, 0, 4, 0], [0, 2, 0, 5, 4, 3, 7]] = 255
    assert (images.normalise(salt.astype(np.float32)) == salt).all()


def test_a_28x28_image_on_two_papers_is_left_alone(conforming):
    banded = conforming.astype(np.float32)
    banded[:, :7] = 255 - banded[:, :7]
    banded[:, 21:] = 255 - banded[:, 21:]
    assert (images.normalise(banded) == banded).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_28x28_image_behind_rough_clouds_is_left_alone(conforming, seed):
    random = np.random.default_rng(seed)
    clouds = sum(
        depth
        * np.asarray(
            Image.fromarray(random.random((size, size), np.float32)).resize((28, 28), Image.Resampling.BILINEAR)
        )
        for size, depth in ((3, 120), (6, 50), (14, 40))
    )
    foggy = np.round(conforming / 6 + clouds).clip(0, 255).astype(np.float32)
    assert (images.normalise(foggy) == foggy).all()


def test_a_camera_s_noise_does_not_move_the_box(scene, expected):
    large = np.asarray(scene.resize((240, 180), Image.Resampling.BICUBIC), np.float32)
    noisy = 200 + (large - 255) / 4 + np.random.default_rng(0).normal(0, 6, large.shape)
    got = images.normalise(noisy.astype(np.float32))
    assert np.abs(got - expected).mean() < 12


@pytest.mark.parametrize("shape", [(28, 28), (40, 52)])
def test_many_pictures_at_once_are_brought_to_the_same_as_one_by_one(conforming, shape):
    random = np.random.default_rng(0)
    pictures = np.zeros((60, *shape), np.float32)
    pictures[:, :28, :28] = conforming
    pictures[10:20] = np.roll(pictures[10:20], (1, 2), (1, 2))
    pictures[20:30] = 255 - pictures[20:30]
    pictures[30:40] *= random.random((10, 1, 1), np.float32)
    pictures[40:50] = random.integers(0, 256, (10, *shape))
    pictures[50:] = 0
    one_by_one = np.stack([images.normalise(picture) for picture in pictures])
    together = images.normalise_all(pictures)
    assert together.dtype == np.float32
    assert (together == one_by_one).all()


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


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (28, 28), (1, 3000), (3000, 1), (27, 29), (4096, 4096)])
def test_odd_sizes(size):
    image = Image.new("L", size, 255)
    image.putpixel((size[0] // 2, size[1] // 2), 0)
    assert images.decode(png(image)).shape == (28, 28)


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
@pytest.mark.parametrize("size", [(1500, 2100), (3001, 1303), (300, 4999)])
def test_reading_in_strips_changes_no_bit(mode, size, monkeypatch):
    monkeypatch.setattr(images, "STRIP_PIXELS", 40_000)
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 9, size[0] // 9, 4), np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    options = {"transparency": (1, 2, 3)} if mode == "keyed" else {}
    data = png(picture.convert("RGB" if mode == "keyed" else mode), **options)
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
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("GIF", "P")]
)
def test_a_large_picture_with_colours_takes_little_memory(kind, mode, tmp_path, scene):
    for name, size in (("small", scene.size), ("large", (4999, 4999))):
        picture = scene.convert("RGB").resize(size).convert(mode)
        (tmp_path / name).write_bytes(png(picture, format=kind))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "small"), str(tmp_path / "large")]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert kilobytes < 60_000


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
