import struct

import numpy as np
import pytest

from pipeline.data import idx
from pipeline.data.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
BYTES = struct.pack(">IIII", 0x00000803, 2, 3, 4) + bytes(range(24))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images-idx3-ubyte"


def test_the_bytes_are_those_that_the_format_prescribes(file):
    assert idx.encode(IMAGES) == BYTES
    file.write_bytes(BYTES)
    np.testing.assert_array_equal(idx.read(file, 3), IMAGES)


def test_only_bytes_are_written():
    with pytest.raises(TypeError, match="float64"):
        idx.encode(np.zeros(3))


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        (b"", "nothing", "00000803"),
        (b"\x00\x00\x08", "000008", "00000803"),
        (b"\x1f\x8b\x08\x00" + BYTES, "1f8b0800", "00000803"),
        (struct.pack(">II", 0x00000801, 2) + b"ab", "00000801", "00000803"),
        (BYTES[:2] + b"\x0d" + BYTES[3:], "00000d03", "00000803"),
        (BYTES[:10], "10 bytes", "16"),
        (BYTES[:-1], "39 bytes", "2x3x4 items take 40"),
        (BYTES + b"\x00", "41 bytes", "2x3x4 items take 40"),
        (struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(24), "40 bytes", "items take"),
    ],
)
def test_a_damaged_file_is_refused_by_name_value_and_remedy(file, content, found, expected):
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        idx.read(file, 3)
    for part in (str(file), found, expected, "python -m pipeline.download"):
        assert part in str(caught.value)


def test_a_missing_file_is_named(file):
    with pytest.raises(DataError, match="images-idx3-ubyte cannot be read: No such file"):
        idx.read(file, 3)


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (np.zeros((2, 28, 27), np.uint8), [1, 2], "28x27, not 28x28"),
        (np.zeros((2, 28, 28), np.uint8), [1, 2, 3], "2 images and .* 3 labels"),
        (np.zeros((0, 28, 28), np.uint8), [], "0 images"),
        (np.zeros((2, 28, 28), np.uint8), [1, 10], "holds 10 at row 1"),
    ],
)
def test_images_and_labels_must_match(tmp_path, images, labels, complaint):
    (tmp_path / "images").write_bytes(idx.encode(images))
    (tmp_path / "labels").write_bytes(idx.encode(np.array(labels, np.uint8)))
    with pytest.raises(DataError, match=complaint):
        idx.read_digits(tmp_path / "images", tmp_path / "labels", side=28)
