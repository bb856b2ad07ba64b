import numpy as np
import pytest

from pipeline.data import split
from pipeline.data.errors import DataError


def people(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """50 employees who wrote about 100 digits each, and 60 students who wrote about 20 each, in random order."""
    rng = np.random.default_rng(seed)
    counts = np.concatenate([rng.integers(80, 120, 50), rng.integers(10, 30, 60)])
    writers = rng.permutation(np.repeat(np.arange(110) * 3, counts))
    return writers, np.where(writers < 150, "employees", "students")


def test_no_writer_is_on_both_sides_and_each_population_gives_its_share():
    writers, populations = people()
    chosen = split.by_writer(writers, populations, 0.2, seed=0)
    assert not set(writers[chosen]) & set(writers[~chosen])
    for population in ("employees", "students"):
        assert chosen[populations == population].mean() == pytest.approx(0.2, abs=0.02)


def test_the_seed_alone_decides_which_writers():
    writers, populations = people()
    first, again, other = (split.by_writer(writers, populations, 0.2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(writers[first]) != set(writers[other])


@pytest.mark.parametrize("share", [0.0001, 0.9999])
def test_both_sides_have_writers_of_each_population_whatever_the_share(share):
    writers, populations = people()
    chosen = split.by_writer(writers, populations, share, seed=0)
    assert set(populations[chosen]) == set(populations[~chosen]) == {"employees", "students"}


def test_a_population_of_one_writer_cannot_be_split():
    with pytest.raises(DataError, match="students: 1 writer"):
        split.by_writer(np.array([1, 2, 3]), np.array(["employees", "employees", "students"]), 0.5, seed=0)


def test_each_digit_gives_its_share():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), np.arange(100, 200, 10)))
    chosen = split.by_digit(labels, 0.2, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[chosen]), np.arange(20, 40, 2))
    np.testing.assert_array_equal(chosen, split.by_digit(labels, 0.2, seed=0))
    assert (chosen != split.by_digit(labels, 0.2, seed=1)).any()


@pytest.mark.parametrize("share", [0.0001, 0.9999])
def test_both_sides_have_each_digit_whatever_the_share(share):
    labels = np.repeat(np.arange(10), 5)
    chosen = split.by_digit(labels, share, seed=0)
    assert set(labels[chosen]) == set(labels[~chosen]) == set(range(10))


def test_a_digit_with_one_image_cannot_be_split():
    with pytest.raises(DataError, match="digit 7: 1 image"):
        split.by_digit(np.array([1, 1, 7]), 0.5, seed=0)
