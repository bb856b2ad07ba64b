"""Ink on any paper, in any colour and under any transparency, is read as black ink on a white sheet is."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from serving import images
from tests.serving.images.pictures import png

RANDOM = np.random.default_rng(15)
BLACK, WHITE, CLEAR = (0, 0, 0), (255, 255, 255), (0, 0, 0, 0)
LIKE_BRIGHT = {
    "yellow on white": ((255, 255, 0), WHITE),
    "red on green": ((220, 50, 50), (60, 125, 60)),
    "orange on blue": ((200, 110, 40), (80, 120, 250)),
    "blue on black": ((0, 0, 255), BLACK),
}


@pytest.fixture(params=["zero", "four", "seven"])
def ink(request):
    """Where a digit's ink lies, of a size, a pen and a place drawn anew: Pillow L, 255 on 0."""
    side = int(RANDOM.integers(100, 400))
    pen = round(side * RANDOM.uniform(0.09, 0.12))  # so wide that nothing is drawn anew
    image = Image.new("L", (round(side * 1.6), round(side * 1.5)))
    left, top = (int(RANDOM.integers(side // 5, side // 3)) for _ in range(2))
    pencil = ImageDraw.Draw(image)
    if request.param == "zero":
        pencil.ellipse([left, top, left + side * 0.7, top + side], outline=255, width=pen)
    elif request.param == "seven":
        corners: list[tuple[float, float]] = [(left, top), (left + side * 0.7, top), (left + side * 0.25, top + side)]
        pencil.line(corners, fill=255, width=pen, joint="curve")
    else:
        corners = [(left + side * 0.3, top), (left, top + side * 0.6), (left + side * 0.8, top + side * 0.6)]
        pencil.line(corners, fill=255, width=pen, joint="curve")
        pencil.line([(left + side * 0.6, top + side * 0.2), (left + side * 0.6, top + side)], fill=255, width=pen)
    return image.filter(ImageFilter.GaussianBlur(1))


def drawn(ink, colour, paper):
    return Image.composite(Image.new("RGB", ink.size, colour), Image.new("RGB", ink.size, paper), ink)


def seen(picture, alpha):
    """A picture that can be seen only where `alpha` is."""
    picture = picture.convert("RGB")
    picture.putalpha(alpha)
    return picture


def halves(ink, *colours):
    """Ink of one colour above and another below, on nothing."""
    sheet = Image.new("RGB", ink.size, colours[0])
    sheet.paste(colours[1], (0, ink.height // 2, ink.width, ink.height))
    return seen(sheet, ink)


def wider(ink, by):
    return ink.point(lambda value: 255 * (value > 100)).filter(ImageFilter.MaxFilter(2 * by + 1))


def off(picture, ink, **options):
    """By how many grey levels, on average, a picture is read otherwise than black ink on a white sheet."""
    return apart(images.decode(png(picture, **options)), images.decode(png(drawn(ink, BLACK, WHITE))))


def apart(got, expected):
    """By how many grey levels, on average, one differs from another or from that moved by a pixel, as rounding does."""
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(np.abs(np.roll(got, shift, (0, 1)) - expected).mean() for shift in shifts)


@pytest.mark.parametrize("kind", LIKE_BRIGHT)
def test_colours_of_like_brightness_are_told_apart(ink, kind):
    colour, paper = (np.array(value) for value in LIKE_BRIGHT[kind])
    strength = RANDOM.uniform(0.4, 1)
    faint = tuple(int(level) for level in np.rint(paper + strength * (colour - paper)))
    picture = drawn(ink, faint, tuple(int(level) for level in paper))
    assert off(picture, ink) < 3
    assert off(picture, ink, format="JPEG", quality=int(RANDOM.integers(60, 95))) < 10


@pytest.mark.parametrize("kind", LIKE_BRIGHT)
def test_what_keeps_mnist_s_convention_but_for_its_colours_stays_in_place(conforming, kind):
    picture = images.decode(png(drawn(Image.fromarray(conforming), *LIKE_BRIGHT[kind])))
    assert np.abs(picture - conforming).max() < 4


@pytest.mark.parametrize("colour", [BLACK, (110, 110, 115), (200, 30, 30), (30, 40, 180), (255, 150, 170)])
def test_where_grey_sees_the_ink_it_is_what_is_read(ink, colour):
    picture = drawn(ink, colour, (250, 248, 240))
    assert (images.read(png(picture)) == np.asarray(picture.convert("L"), np.float32)).all()


def test_a_coloured_note_behind_black_ink_is_no_ink(ink):
    picture = Image.new("RGB", (ink.width * 3 // 2, ink.height * 3 // 2), WHITE)
    picture.paste(drawn(ink, (20, 20, 20), (255, 240, 90)), (ink.width // 4, ink.height // 4))
    assert (images.read(png(picture)) == np.asarray(picture.convert("L"), np.float32)).all()


def test_noise_in_the_colours_of_blank_paper_is_no_ink():
    noise = RANDOM.normal(230, 10, (200, 300, 3)).clip(0, 255).astype(np.uint8)
    data = png(Image.fromarray(noise), format="JPEG")
    assert np.ptp(images.read(data)) < 128  # no more than grey's own
    assert not images.decode(png(Image.fromarray(noise).resize((150, 100), Image.Resampling.BOX))).any()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize(
    "colours", [(BLACK, BLACK), (WHITE, WHITE), (BLACK, (255, 220, 0)), ((0, 200, 220), (255, 140, 0))]
)
def test_ink_on_nothing_is_ink_whatever_its_colours(ink, kind, colours):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert off(halves(ink, *colours), ink, format=kind, **options) < (
        16 if kind == "GIF" else 3
    )  # whose edges are hard


@pytest.mark.parametrize("colours", [((160, 60, 200), (30, 60, 220)), ((255, 140, 0), (160, 60, 200))])
def test_broad_ink_of_two_colours_is_no_sheet_with_ink_on_it(ink, colours):
    broad = wider(ink, ink.width // 60)
    assert off(halves(broad, *colours), broad) < 9  # one colour is a little brighter


def test_greys_and_palettes_with_transparency_are_alike(ink):
    picture = halves(ink, BLACK, (110, 110, 110))
    expected = images.decode(png(picture))
    assert apart(images.decode(png(picture.convert("LA"))), expected) < 1
    palette = picture.quantize(64, method=Image.Quantize.FASTOCTREE)
    assert apart(images.decode(png(palette)), expected) < 8


def test_ink_that_shows_through_is_ink(ink):
    assert off(seen(Image.new("RGB", ink.size), ink.point(lambda value: value // 3)), ink) < 3


@pytest.mark.parametrize("rim", [WHITE, (255, 230, 80)])
@pytest.mark.parametrize("by", [2, 6, 12])
def test_a_bright_rim_is_a_sticker_s_paper(ink, rim, by):
    if rim == WHITE or by > 2:  # a thin one of another colour is as well ink as paper
        assert off(seen(drawn(ink, (20, 20, 60), rim), wider(ink, by)), ink) < 4


def test_a_white_halo_and_white_strokes_are_no_ink(ink):
    halo = Image.fromarray(np.maximum(ink, wider(ink, 7).filter(ImageFilter.GaussianBlur(5))))
    assert off(seen(drawn(ink, BLACK, WHITE), halo), ink) < 4
    erased = ink.copy()
    ImageDraw.Draw(erased).line([(0, ink.height * 0.9), (ink.width, ink.height * 0.1)], fill=255, width=12)
    assert off(seen(drawn(ink, BLACK, WHITE), erased), ink) < 4


@pytest.mark.parametrize(("colour", "paper"), [((40, 40, 50), (205, 200, 190)), ((235, 235, 235), (40, 60, 50))])
@pytest.mark.parametrize("shape", ["ellipse", "rectangle", "margin"])
def test_a_sheet_that_was_cut_out_keeps_its_paper(ink, colour, paper, shape):
    scene = drawn(ink, colour, paper).convert("RGBA")
    if shape == "margin":
        picture = Image.new("RGBA", (scene.width * 3 // 2, scene.height * 3 // 2), CLEAR)
        picture.paste(scene, (scene.width // 4, scene.height // 5))
    else:
        around = Image.new("RGBA", (scene.width * 3 // 2, scene.height * 3 // 2), paper)
        around.paste(scene, (scene.width // 4, scene.height // 4))
        alpha = Image.new("L", around.size)
        box = (2, 2, around.width - 3, around.height - 3)
        pencil = ImageDraw.Draw(alpha)
        pencil.ellipse(box, fill=255) if shape == "ellipse" else pencil.rounded_rectangle(box, 20, fill=255)
        picture = seen(around, alpha)
    assert off(picture, ink) < 4


@pytest.mark.parametrize("opacity", [200, 254, 255])
def test_a_sheet_that_shows_through_a_little_is_paper(ink, opacity):
    picture = seen(drawn(ink, BLACK, (230, 225, 215)), Image.new("L", ink.size, opacity))
    assert off(picture, ink) < 4


def test_an_opaque_picture_is_what_it_is_without_alpha(ink):
    picture = drawn(ink, (90, 20, 160), (200, 230, 190))
    assert (images.read(png(picture.convert("RGBA"))) == images.read(png(picture))).all()
