import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import idx, mnist
from pipeline.data.errors import DataError

FILES = (
    mnist.TRAIN.images,
    mnist.TRAIN.labels,
    mnist.TRAIN.table,
    mnist.TEST.images,
    mnist.TEST.labels,
    mnist.TEST.table,
)


def table(labels: np.ndarray, writers: dict[int, tuple[range, int]], rng: np.random.Generator) -> np.ndarray:
    """A table in QMNIST's columns: for each HSF series its writers and how many images are theirs, in random order."""
    rows = np.zeros((60_000, 8), np.int64)
    known = [(series, rng.choice(who, count)) for series, (who, count) in writers.items()]
    series = np.concatenate([np.full(len(names), number) for number, names in known])
    order = rng.permutation(len(series))
    rows[: len(labels), 0] = labels
    rows[: len(labels), 1] = series[order]
    rows[: len(labels), 2] = np.concatenate([names for _, names in known])[order]
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A set that keeps the contract: black images, random labels, and writers in no order."""
    folder, rng = tmp_path_factory.mktemp("raw"), np.random.default_rng(0)
    for contract, writers in (
        (mnist.TRAIN, {0: (range(289), 30_950), 4: (range(2100, 2350), 29_050)}),
        (mnist.TEST, {0: (range(326, 374), 4_999), 4: (range(2351, 2600), 5_001)}),
    ):
        labels = rng.integers(0, 10, sum(contract.written_by.values()), dtype=np.uint8)
        (folder / contract.images).write_bytes(idx.encode(np.zeros((len(labels), 28, 28), np.uint8)))
        (folder / contract.labels).write_bytes(idx.encode(labels))
        np.savetxt(folder / contract.table, table(labels, writers, rng), fmt="%d", delimiter="\t")
    return folder


@pytest.fixture
def raw(whole, tmp_path) -> Path:
    """The same files, each free to be replaced."""
    for name in FILES:
        os.link(whole / name, tmp_path / name)
    return tmp_path


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def edit(path: Path, change: Callable[[np.ndarray], object]) -> None:
    """Change a table's rows in place."""
    rows = mnist.read_table(path)
    change(rows)
    path.unlink()
    np.savetxt(path, rows, fmt="%d", delimiter="\t")


def test_population_and_writer_come_from_their_columns_not_from_the_row(raw):
    train, test = mnist.read(raw)
    for part, contract in ((train, mnist.TRAIN), (test, mnist.TEST)):
        rows = mnist.read_table(raw / contract.table)[: len(part.labels)]
        np.testing.assert_array_equal(part.populations == "students", rows[:, 1] == 4)
        np.testing.assert_array_equal(part.populations == "employees", rows[:, 1] == 0)
        np.testing.assert_array_equal(part.writers, rows[:, 2])
        assert part.images.shape == (len(part.labels), 28, 28)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "short", "long"])
def test_a_damaged_file_is_refused_by_name(raw, name, damage):
    content = (raw / name).read_bytes()
    (raw / name).unlink()
    if damage != "missing":
        (raw / name).write_bytes(content[: len(content) // 2] if damage == "short" else content + content[-1000:])
    with pytest.raises(DataError) as caught:
        mnist.read(raw)
    assert str(raw / name) in str(caught.value)
    assert "python -m pipeline.download" in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="train-images-idx3-ubyte cannot be read: No such file"):
        mnist.read(tmp_path)


def test_fewer_images_are_refused(raw):
    replace(raw / mnist.TEST.images, idx.encode(np.zeros((9_999, 28, 28), np.uint8)))
    replace(raw / mnist.TEST.labels, idx.encode(np.zeros(9_999, np.uint8)))
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte holds 9999 images, not 10000"):
        mnist.read(raw)


def test_a_label_that_differs_is_refused(raw):
    labels = idx.read(raw / mnist.TRAIN.labels, 1).copy()
    was, labels[30_000] = labels[30_000], (labels[30_000] + 1) % 10
    replace(raw / mnist.TRAIN.labels, idx.encode(labels))
    with pytest.raises(DataError, match=rf"in 1 of 60000 labels .*row 30000 is {was} .* and {labels[30_000]} in"):
        mnist.read(raw)


def test_a_wrong_number_of_a_population_is_refused(raw):
    def one_more_employee(rows: np.ndarray) -> None:
        rows[np.flatnonzero(rows[:10_000, 1] == 4)[0], 1] = 0

    edit(raw / mnist.TEST.table, one_more_employee)
    with pytest.raises(DataError, match=r"5000 images are by employees \(column 1 is 0\), not 4999"):
        mnist.read(raw)


def test_an_unknown_population_is_refused(raw):
    def another_series(rows: np.ndarray) -> None:
        rows[np.flatnonzero(rows[:10_000, 1] == 4)[0], 1] = 1

    edit(raw / mnist.TEST.table, another_series)
    with pytest.raises(DataError, match=r"5000 images are by students \(column 1 is 4\), not 5001"):
        mnist.read(raw)


def test_a_writer_of_both_parts_is_refused(raw):
    def a_training_writer(rows: np.ndarray) -> None:
        rows[np.flatnonzero(rows[:10_000, 1] == 0)[0], 2] = 17

    edit(raw / mnist.TEST.table, a_training_writer)
    with pytest.raises(DataError, match="writer 17 is in the training and in the test table"):
        mnist.read(raw)


@pytest.mark.parametrize(
    "content", [b"7\t4\n", b"7\tfour\t2578\t69\t37\t279260\t0\t0\n", b"1\t2\n1\n", b"\x1f\x8b\x08"]
)
def test_what_is_no_table_is_refused(raw, content):
    replace(raw / mnist.TEST.table, content)
    with pytest.raises(DataError, match=r"qmnist-test-labels\.tsv"):
        mnist.read(raw)
