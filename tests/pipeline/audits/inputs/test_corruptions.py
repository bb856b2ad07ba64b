"""The corruptions: each does what its name says, by its severity, and by its seed alone."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import canny

from pipeline.audits.inputs.corruption import corruption
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES, clouds, corrupt

ALL = CORRUPTIONS | CURVES


def digits(count: int = 40) -> np.ndarray:
    """Slanted soft strokes, none like another, within the middle 20x20: uint8 [N, 28, 28]."""
    rng = np.random.default_rng(1)
    images = np.zeros((count, 28, 28))
    for image, first, last in zip(images, *rng.integers(7, 21, (2, count)), strict=True):
        rows = np.arange(5, 23)
        image[rows, np.rint(np.linspace(first, last, len(rows))).astype(int)] = 1
    soft = ndimage.gaussian_filter(images, (0, 1, 1))
    return np.rint(255 * soft / soft.max(axis=(1, 2), keepdims=True)).astype(np.uint8)


def made(name: str, images: np.ndarray, severity: int | None = None, seed: int = 0) -> np.ndarray:
    return corrupt(images, name, np.random.default_rng(seed), severity)


def test_the_fifteen_are_mnist_cs():
    assert [*CORRUPTIONS] == [
        *("shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear"),
        *("scale", "rotate", "brightness", "translate", "stripe"),
        *("fog", "spatter", "dotted_line", "zigzag", "canny_edges"),
    ]


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_pictures_and_the_originals_stay(name):
    images = digits()
    before = images.copy()
    once, again = made(name, images), made(name, images)
    assert once.dtype == np.uint8
    assert once.shape == images.shape
    assert (once == again).all()
    assert (images == before).all()
    assert (once != images).any(axis=(1, 2)).mean() > 0.5  # a square may hide nothing
    assert made(name, images[:0]).shape == (0, 28, 28)


@pytest.mark.parametrize(
    "name", sorted(set(ALL) - {"scale", "brightness", "stripe", "canny_edges", "blur", "contrast"})
)
def test_another_seed_gives_other_pictures(name):
    assert (made(name, digits()) != made(name, digits(), seed=1)).any()


@pytest.mark.parametrize("name", [name for name, one in ALL.items() if len(one.severities) > 1 and name != "spatter"])
def test_damage_grows_with_severity(name):
    images = digits(60)
    damage = [
        np.abs(made(name, images, level).astype(float) - images).mean()
        for level in range(1, len(ALL[name].severities) + 1)
    ]
    if name == "motion_blur":  # radius and width grow, but a long trail is a faint one
        assert damage[0] < damage[1]
    else:
        assert damage[0] < damage[-1]
        assert sum(np.diff(damage) > 0) >= 3


def test_an_unknown_name_or_severity_is_refused():
    with pytest.raises(ValueError, match="no corruption 'snow'; there is: shot_noise"):
        made("snow", digits())
    with pytest.raises(ValueError, match="stripe has the severities 1 to 1, not 2"):
        made("stripe", digits(), 2)
    with pytest.raises(ValueError, match="rotate has the severities 1 to 5, not 0"):
        made("rotate", digits(), 0)


def test_shot_noise_has_a_photons_variance_and_keeps_the_mean():
    grey = np.full((100, 28, 28), 64, np.uint8)
    noisy = made("shot_noise", grey, 1) / 255
    assert noisy.mean() == pytest.approx(64 / 255, rel=0.01)
    assert noisy.var() == pytest.approx(64 / 255 / 60, rel=0.05)


def test_impulse_noise_is_as_much_salt_as_pepper():
    noisy = made("impulse_noise", np.full((100, 28, 28), 100, np.uint8))
    assert (noisy == 0).mean() == pytest.approx(0.085, rel=0.05)
    assert (noisy == 255).mean() == pytest.approx(0.085, rel=0.05)
    assert ((noisy == 100) | (noisy == 0) | (noisy == 255)).all()


def test_glass_scatters_further_than_its_blur_alone():
    dot = np.zeros((200, 28, 28), np.uint8)
    dot[:, 14, 14] = 255
    scattered = made("glass_blur", dot).astype(float)
    rows = (scattered.sum(axis=(0, 2)) @ (np.arange(28) - 14) ** 2) / scattered.sum()
    assert rows > 2 * 0.7**2 + 0.3
    assert scattered.sum() == pytest.approx(dot.sum(), rel=0.1)


def test_motion_smears_to_one_side_and_no_steeper_than_45_degrees():
    dot = np.zeros((300, 28, 28), np.uint8)
    dot[:, 14, 18] = 255
    smeared = made("motion_blur", dot)
    assert not smeared[:, :, 19:].any()
    assert smeared[:, :, :18].any(axis=(1, 2)).all()
    _, rows, columns = np.nonzero(smeared)
    assert (np.abs(rows - 14) <= 18 - columns + 1).all()
    assert (rows < 14).any()
    assert (rows > 14).any()


@pytest.mark.parametrize(("name", "degrees"), [("rotate", 22.9), ("shear", 21.3)])
def test_a_bar_leans_either_way_by_the_named_angle(name, degrees):
    bar = np.zeros((60, 28, 28), np.uint8)
    bar[:, 4:24, 13:15] = 255
    leaning = made(name, bar).astype(float)
    place = np.arange(28) - 13.5
    for picture in leaning:
        lean = (picture * place[:, None] * place).sum() / (picture * place[:, None] ** 2).sum()
        assert np.degrees(np.arctan(abs(lean))) == pytest.approx(degrees, abs=1.5)
    leans = (leaning * place[:, None] * place).sum(axis=(1, 2)) > 0
    assert 15 < leans.sum() < 45


def test_scale_shrinks_around_the_centre():
    square = np.zeros((1, 28, 28), np.uint8)
    square[:, 4:24, 4:24] = 255
    small = made("scale", square)[0]
    assert small.sum() / square.sum() == pytest.approx(0.49, abs=0.02)
    assert (small == small[::-1]).all()
    assert (small == small[:, ::-1]).all()


def test_translate_moves_to_each_of_four_corners_by_whole_pixels():
    images = digits(100)
    moved = made("translate", images)
    corners = [(down, right) for down in (-3, 3) for right in (-3, 3)]
    seen = [
        [corner for corner in corners if (ndimage.shift(image, corner, order=0) == picture).all()]
        for image, picture in zip(images, moved, strict=True)
    ]
    assert all(len(found) == 1 for found in seen)
    assert {found[0] for found in seen} == set(corners)


def test_brightness_adds_half_of_the_range():
    images = digits()
    assert np.abs(made("brightness", images) - np.minimum(images + 127.5, 255)).max() <= 0.5


def test_stripe_inverts_seven_columns_on_either_side():
    images = digits()
    striped = made("stripe", images)
    assert (striped[:, :, 7:21] == images[:, :, 7:21]).all()
    assert (striped[:, :, :7] == 255 - images[:, :, :7]).all()
    assert (striped[:, :, 21:] == 255 - images[:, :, 21:]).all()


def test_fog_leaves_a_quarter_of_the_contrast():
    blank, stroke = np.zeros((50, 28, 28), np.uint8), np.zeros((50, 28, 28), np.uint8)
    stroke[:, 10:18, 10:18] = 255
    blank[:, 0, 0] = stroke[:, 0, 0] = 255
    foggy, plain = made("fog", stroke).astype(float), made("fog", blank).astype(float)
    assert np.abs((foggy - plain)[:, 10:18, 10:18] - 255 / 4).max() <= 1
    assert 0.2 < plain.mean() / 255 < 0.55


def test_clouds_fill_their_range_wrap_around_and_are_smooth():
    maps = clouds(8, 2.0, np.random.default_rng(0))
    assert (maps.min(axis=(1, 2)) == 0).all()
    assert (maps.max(axis=(1, 2)) == 1).all()
    steps = [np.abs(maps - np.roll(maps, shift, 2)).mean() for shift in (1, 8, 64)]
    assert 4 * steps[0] < steps[1] < steps[2]
    edge = np.abs(maps[:, :, 0] - maps[:, :, -1]).mean()
    assert edge < 3 * np.abs(maps[:, :, 1] - maps[:, :, 0]).mean()


def test_mud_is_dark_and_covers_some_of_the_picture():
    white = np.full((200, 28, 28), 255, np.uint8)
    spattered = made("spatter", white)
    assert 0.05 < (spattered < 128).mean() < 0.35
    assert spattered.min() >= 63


def test_lines_only_add_ink():
    images = digits(100)
    for name in ("dotted_line", "zigzag"):
        assert (made(name, images) >= images).all()


def test_a_dotted_line_has_gaps_of_two_columns():
    line = made("dotted_line", np.zeros((50, 28, 28), np.uint8)).max(axis=1) > 0
    columns = np.arange(27)
    assert (line[:, :27] == (columns % 4 >= 2)).all()


def test_a_zigzag_swings_around_its_middle_from_left_to_right():
    drawn = made("zigzag", np.zeros((100, 28, 28), np.uint8)).astype(float)
    whole = drawn[(drawn[:, 0] == 0).all(axis=1) & (drawn[:, -1] == 0).all(axis=1)]
    assert len(whole) > 20
    middle = np.einsum("nrc,r->nc", whole, np.arange(28)) / np.maximum(whole.sum(axis=1), 1)
    inner = middle[:, 4:23]
    fitted = [np.polyval(np.polyfit(np.arange(19), line, 1), np.arange(19)) for line in inner]
    swings = np.sign(inner - fitted)
    assert ((np.diff(swings, axis=1) != 0).sum(axis=1) >= 4).all()
    assert np.abs(inner - fitted).max(axis=1).min() > 1.2
    assert (whole[:, :, 3:24].max(axis=1) > 100).all()


def test_canny_finds_the_edges_that_scikit_image_finds_one_by_one():
    images = digits(30)
    alone = np.stack([canny(image / 255) for image in images])
    assert ((made("canny_edges", images) > 0) == alone).all()


def test_occlusion_blackens_one_square_and_nothing_else():
    white = np.full((50, 28, 28), 255, np.uint8)
    for level, side in enumerate(CURVES["occlusion"].severities, start=1):
        for black in made("occlusion", white, level) == 0:
            rows, columns = np.nonzero(black)
            assert black.sum() == side**2
            assert np.ptp(rows) == np.ptp(columns) == side - 1


def test_contrast_keeps_the_mean_and_shrinks_the_range():
    images = digits()
    faded = made("contrast", images, 4).astype(float)
    assert np.ptp(faded, axis=(1, 2)) == pytest.approx(np.ptp(images, axis=(1, 2)) / 5, abs=1)
    assert faded.mean() == pytest.approx(images.mean(), abs=0.5)


def test_a_corruption_is_known_as_soon_as_its_function_is_written():
    try:

        @corruption("everything black", (0.5, 1.0), 2)
        def blackout(images, share, rng):
            return images * (1 - share)

        assert CORRUPTIONS["blackout"].description == "everything black"
        assert CORRUPTIONS["blackout"].published is None
        assert "blackout" not in CURVES
        assert not made("blackout", digits()).any()
    finally:
        del CORRUPTIONS["blackout"]


def test_published_figures_are_the_papers():
    published = np.array([one.published for one in CORRUPTIONS.values()])
    assert published.mean(axis=0) == pytest.approx([0.7592, 0.8976], abs=1e-4)


def test_severities_are_told_in_units_that_people_know():
    told = {name: [one.told(value) for value in one.severities] for name, one in CURVES.items() if one.told}
    assert set(told) == set(CURVES)
    assert told["rotate"][1] == "23°"
    assert told["shear"][1] == "21°"
    assert told["scale"][2] == "70 %"
    assert told["noise"][0] == "±10 %"
    assert told["blur"][1] == "1 px"
