"""What reading images takes in memory, and that what was bounded is read as before."""

import io
import struct
import threading

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks import memory as bench
from serving import images
from serving.errors import ApiError
from serving.images import memory


@pytest.mark.slow
@pytest.mark.parametrize("form", bench.FORMS)
def test_the_largest_of_each_form_stay_within_the_bar_and_larger_ones_are_refused(form):
    side = bench.largest(form)
    megabytes, _, status = bench.measured(bench.FORMS[form](side), bench.AT_ONCE)
    assert status == 200
    assert megabytes < bench.BAR
    assert refusal(bench.FORMS[form](side + 8)) == 413


def plainly(data):
    """What Pillow's own way of decoding a file as a whole gives, made smaller."""
    image: Image.Image = Image.open(io.BytesIO(data))
    shrink = -(-max(image.size) // 1024)
    image.draft(None, (image.width // shrink, image.height // shrink))
    ImageOps.exif_transpose(image, in_place=True)
    left = -(-max(image.size) // 1024)
    if image.mode.startswith("I"):
        values = np.asarray(image)
        image = Image.fromarray((values >> max(int(values.max()).bit_length() - 8, 0)).astype(np.uint8))
    if image.mode == "F":
        values = np.asarray(image)
        image = Image.fromarray((values * (255 if values.max() <= 1 else 1)).clip(0, 255).astype(np.uint8))
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    return images.to_grey(image.convert(mode).reduce(left))


@pytest.mark.parametrize("form", bench.FORMS)
@pytest.mark.parametrize("side", [600, 1504])
def test_what_is_read_has_the_values_of_pillow_s_own_way(form, side):
    data = bench.FORMS[form](side)
    assert (images.read(data) == plainly(data)).all()


def photo(kind, size, mode="RGB", **options):
    file = io.BytesIO()
    bench.picture(mode, 500).resize(size, Image.Resampling.BICUBIC).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "size", "options"),
    [
        ("JPEG", (4032, 3024), {"progressive": True}),
        ("JPEG", (4032, 3024), {"subsampling": 0}),
        ("JPEG", (6000, 4000), {"quality": 30}),
        ("JPEG", (5000, 4000), {"quality": 30, "progressive": True}),
        ("PNG", (4032, 3024), {}),
        ("WEBP", (2048, 1536), {"quality": 50, "method": 0}),
        ("WEBP", (2000, 2000), {"quality": 50, "method": 0}),
        ("TIFF", (2592, 1944), {"compression": "tiff_adobe_deflate"}),
        ("BMP", (1600, 1200), {}),
    ],
)
def test_pictures_as_people_send_them_are_read(kind, size, options):
    assert images.read(photo(kind, size, **options)).size <= 1024**2


def test_two_pictures_in_one_jpeg_as_telephones_make_them_are_read():
    other = bench.picture("RGB", 100)
    assert images.read(photo("MPO", (6000, 4000), quality=30, save_all=True, append_images=[other])).any()


def refusal(data):
    with pytest.raises(ApiError) as caught:
        images.read(data)
    return caught.value.status


@pytest.mark.parametrize("before", [b"", b"\xff\xd0", b"\xff"])
def test_a_jpeg_whose_colours_come_one_after_the_other_counts_as_kept_whole(before):
    data = photo("JPEG", (5000, 4999), quality=10, subsampling=0)
    start = data.index(b"\xff\xda")
    one_colour = before + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    assert refusal(data[:start] + one_colour + data[start + 14 :]) == 413


def test_a_small_tiff_of_huge_tiles_is_refused():
    tags = [
        (256, 10),
        (257, 10),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, 32_768),
        (323, 32_768),
        (324, 8),
        (325, 8),
    ]
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    assert refusal(b"II*\0" + struct.pack("<IH", 8, len(tags)) + packed + bytes(4)) == 413


def test_who_takes_much_waits_until_it_is_free_and_who_takes_little_does_not():
    order = []

    def take(size):
        with memory.reserve(size):
            order.append(size)

    waiting = threading.Thread(target=take, args=(memory.LITTLE + 1,))
    with memory.reserve(memory.BUDGET):
        waiting.start()
        take(memory.LITTLE)
        waiting.join(0.1)
        assert order == [memory.LITTLE]
    waiting.join(10)
    assert order == [memory.LITTLE, memory.LITTLE + 1]


@pytest.mark.slow
def test_what_was_taken_is_free_again_however_it_ends():
    data = bench.FORMS["PNG RGB"](3000)
    for _ in range(50):
        refusal(data[: len(data) // 2])
    with memory.reserve(memory.BUDGET):
        pass
