"""Images in files of arrays: what they hold is read as it was written, and what is no images is told."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.errors import DataError
from pipeline.scoring import arrays
from pipeline.scoring.arrays import NoImagesError

SIDE = 28


def drawn(count: int) -> np.ndarray:
    return np.random.default_rng().integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    """As MNIST's files hold it."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, kind, values.ndim]) + sizes + values.tobytes()


def write(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        content = idx(values)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.npy", "npy"),
        ("a.idx", "idx"),
        ("a.idx.gz", "idx"),
        ("t10k-images-idx3-ubyte", "idx"),
        ("t10k-images-idx3-ubyte.gz", "idx"),
        ("a.npy.gz", None),
        ("a.png", None),
        ("a.gz", None),
    ],
)
def test_a_file_is_an_array_by_its_name(name: str, kind: str | None) -> None:
    assert arrays.kind_of(Path(name)) == kind


@pytest.mark.parametrize("name", ["a.npy", "a.idx", "images-idx3-ubyte.gz"])
def test_any_part_is_read_in_steps_as_it_was_written(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng()
    images = drawn(int(rng.integers(2, 40)))
    path = write(tmp_path / name, images)
    assert arrays.check(path, None) == len(images)
    start = int(rng.integers(len(images)))
    stop, step = int(rng.integers(start + 1, len(images) + 1)), int(rng.integers(1, 9))
    found = list(arrays.read(path, start, stop, step))
    assert [len(part) for part in found[:-1]] == [step] * (len(found) - 1)
    assert 1 <= len(found[-1]) <= step
    assert np.array_equal(np.concatenate(found), images[start:stop])


@pytest.mark.parametrize("name", ["a.npy", "a.idx", "a.idx.gz"])
def test_no_images_are_none(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, drawn(0))
    assert arrays.check(path, None) == 0
    assert list(arrays.read(path, 0, 0, 8)) == []


def test_rows_of_pixels_are_images_of_their_own_type(tmp_path: Path) -> None:
    images = drawn(5).astype(np.float64)
    path = write(tmp_path / "a.npy", images.reshape(5, -1))
    assert arrays.check(path, None) == 5
    [found] = arrays.read(path, 0, 5, 8)
    assert found.dtype == np.float64
    assert np.array_equal(found, images)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((3, 27, 28)), r"holds \[3, 27, 28\], not \[N, 28, 28\] or \[N, 784\]"),
        (np.zeros(784), r"holds \[784\], not"),
        (np.zeros((2, 784), complex), "holds complex128, not numbers"),
        (np.zeros((2, 784), bool), "holds bool, not numbers"),
        (np.full((2, 784), "7"), "holds <U1, not numbers"),
    ],
)
def test_an_array_of_something_else_is_told(tmp_path: Path, values: np.ndarray, told: str) -> None:
    with pytest.raises(NoImagesError, match=told):
        arrays.check(write(tmp_path / "a.npy", values), None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no IDX file of bytes"),
        (idx(np.zeros((2, SIDE, SIDE), ">f4"), kind=13), "is no IDX file of bytes"),
        (idx(np.zeros(9, np.uint8)), "holds an array of 1 axes, not images"),
        (idx(np.zeros((3, 20, 28), np.uint8)), "holds images of 20x28, not 28x28"),
    ],
)
@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
def test_an_idx_file_of_something_else_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(NoImagesError, match=told):
        arrays.check(tmp_path / name, None)


def test_an_idx_file_of_another_size_than_it_says_is_damaged(tmp_path: Path) -> None:
    content = idx(drawn(4))
    for damaged in (content[:-1], content + b"\0"):
        (tmp_path / "a.idx").write_bytes(damaged)
        with pytest.raises(DataError, match=rf"is damaged: {len(damaged)} bytes; 4 images take {len(content)}"):
            arrays.check(tmp_path / "a.idx", None)


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
def test_a_header_that_is_cut_short_is_told(tmp_path: Path, name: str) -> None:
    content = idx(drawn(4))
    for length in range(16):
        cut = content[:length]
        (tmp_path / name).write_bytes(gzip.compress(cut) if name.endswith("gz") else cut)
        with pytest.raises(
            (DataError, NoImagesError), match="ends within its header" if length >= 8 else "no IDX file"
        ):
            arrays.check(tmp_path / name, None)


def test_a_gzipped_file_that_is_cut_short_or_damaged_is_told(tmp_path: Path) -> None:
    """Wherever that is: a bit that turned over in a pixel too, which only the checksum tells."""
    rng = np.random.default_rng()
    whole, path, told = gzip.compress(idx(drawn(3))), tmp_path / "a.idx.gz", "a.idx.gz (is damaged|cannot be read)"
    path.write_bytes(whole)
    assert len(list(arrays.read(path, 0, arrays.check(path, None), 2))) == 2
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[rng.integers(40, len(whole) - 4)] ^= 1 << rng.integers(8)
        for content in (damaged, whole[: rng.integers(len(whole))]):
            path.write_bytes(content)
            with pytest.raises((DataError, NoImagesError), match=f"{told}|is no IDX file|holds"):
                list(arrays.read(path, 0, arrays.check(path, None), 2))


def test_what_is_shorter_than_its_header_says_is_told_as_it_is_read(tmp_path: Path) -> None:
    """A gzipped file's size says nothing of its content."""
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(idx(drawn(4))[:-1]))
    assert arrays.check(tmp_path / "a.idx.gz", None) == 4
    parts = arrays.read(tmp_path / "a.idx.gz", 0, 4, 3)
    assert len(next(parts)) == 3
    with pytest.raises(DataError, match="was cut short while it was read"):
        next(parts)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npy", b"no array"), ("a.npy", None), ("a.idx.gz", b"not gzipped"), ("a.idx.gz", b"\x1f\x8b"), ("a.idx", None)],
)
def test_what_cannot_be_read_is_told_by_its_name(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        arrays.check(tmp_path / name, None)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}] * 784, object).reshape(1, -1), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read as an array"):
        arrays.check(tmp_path / "a.npy", None)


def test_numbers_that_may_be_of_either_scale_are_asked_about(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    unclear = rng.random((9, 784)).astype(np.float32)
    unclear[0, :9] = np.nan
    path = write(tmp_path / "a.npy", unclear)
    with pytest.raises(DataError, match=r"lies in 0\.\.1: say which scale is meant, --scale 0-1 or --scale 0-255"):
        arrays.check(path, None)
    for scale in ("0-1", "0-255"):
        assert arrays.check(path, scale) == 9
    unclear[3, 5] = 1.5
    clear = (unclear, np.zeros((9, 784)), (unclear > 0.5).astype(np.uint8), rng.integers(-9, 9, (9, 784)))
    for values in clear:
        assert arrays.check(write(path, values), None) == 9
