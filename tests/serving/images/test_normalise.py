import numpy as np
import pytest
from PIL import Image

from serving import images
from tests.serving.images.pictures import close, png


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
    salt[1:27:4, [1, 3, 25]] = 255
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
