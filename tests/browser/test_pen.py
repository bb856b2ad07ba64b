"""The pen, the eraser, what is taken back, and images that are opened over a drawing."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.visitor import SEVEN, ZERO, Visitor, dark


def opens(visitor: Visitor, data: bytes, name: str = "x.png") -> None:
    visitor.page.locator("#file").set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def file_of(image: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).resize((300, 300)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def bar() -> np.ndarray:
    """A one, bright on dark."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    return image


def ink(visitor: Visitor) -> float:
    return float(dark(visitor.looks_at("#paper")).mean())


def test_undo_undoes_clear_and_redo_clears_again(visitor):
    expect(visitor.page.locator("#undo")).to_be_disabled()
    visitor.draw(ZERO)
    visitor.sees_digit(0)
    before = ink(visitor)
    visitor.click("#clear")
    visitor.sees_digit("·")
    visitor.click("#undo")
    visitor.sees_digit(0)
    assert ink(visitor) == pytest.approx(before, rel=0.03)
    visitor.click("#redo")
    visitor.sees_digit("·")
    assert ink(visitor) == 0
    expect(visitor.page.locator("#redo")).to_be_disabled()


def test_strokes_come_back_one_by_one_by_keys_until_something_new_is_drawn(desktop):
    inks = [0.0]
    for across in (0.2, 0.5, 0.8):
        desktop.draw([[(across, 0.2), (across, 0.8)]])
        inks.append(ink(desktop))
    for left in (2, 1, 0):
        desktop.page.keyboard.press("Control+z")
        assert ink(desktop) == pytest.approx(inks[left], rel=0.03)
    desktop.page.keyboard.press("Control+y")
    desktop.page.keyboard.press("Control+Shift+Z")
    assert ink(desktop) == pytest.approx(inks[2], rel=0.03)
    desktop.draw([[(0.1, 0.1)]])
    expect(desktop.page.locator("#redo")).to_be_disabled()


def test_the_eraser_takes_ink_away_and_leaves_an_image_alone(visitor, bar):
    visitor.draw([*SEVEN, [(0.15, 0.9), (0.9, 0.9)]])
    before = ink(visitor)
    visitor.click("#eraser")
    expect(visitor.page.locator("#eraser")).to_have_attribute("aria-pressed", "true")
    visitor.draw([[(0.1, 0.9), (0.95, 0.9)]])
    assert ink(visitor) < 0.8 * before
    visitor.sees_digit(7)
    opens(visitor, file_of(255 - bar, "PNG"))
    visitor.sees_digit(1)
    picture = ink(visitor)
    visitor.draw([[(0.1, 0.5), (0.9, 0.5)]])
    assert ink(visitor) == pytest.approx(picture, rel=0.01)


def test_a_stroke_that_begins_beside_the_paper_begins_at_its_edge(desktop):
    box = desktop.page.locator("#paper").bounding_box()
    mouse, middle = desktop.page.mouse, box["x"] + box["width"] / 2
    mouse.move(middle, box["y"] - 15)
    mouse.down()
    mouse.move(middle, box["y"] + 0.85 * box["height"], steps=20)
    mouse.up()
    desktop.sees_digit(1)
    assert dark(desktop.looks_at("#paper"))[8 : 8 + 40].any()


def test_a_file_that_cannot_be_read_leaves_the_drawing(desktop):
    desktop.draw(ZERO)
    desktop.sees_digit(0)
    before = ink(desktop)
    opens(desktop, b"no image")
    desktop.reads("This is no image")
    assert ink(desktop) == before
    desktop.draw([[(0.5, 0.5)]])
    desktop.page.keyboard.press("Control+z")
    desktop.sees_digit(0)
    desktop.troubles = [one for one in desktop.troubles if "415" not in one]


def test_undo_brings_back_the_drawing_that_an_image_was_opened_over(desktop, bar):
    desktop.draw(ZERO)
    desktop.sees_digit(0)
    opens(desktop, file_of(255 - bar, "PNG"))
    desktop.sees_digit(1)
    desktop.click("#undo")
    desktop.sees_digit(0)


def test_an_image_that_only_the_service_can_read_is_seen_all_the_same(desktop, bar):
    opens(desktop, file_of(255 - bar, "TIFF"), "x.tif")
    desktop.sees_digit(1)
    assert ink(desktop) > 0.05


def test_on_a_dark_image_the_ink_is_bright(desktop, bar):
    opens(desktop, file_of(bar, "PNG"))
    desktop.sees_digit(1)
    before = desktop.looks_at("#paper")
    desktop.draw([[(0.2, 0.2), (0.2, 0.8)]])
    change = desktop.looks_at("#paper") - before
    drawn = np.abs(change).sum(axis=-1) > 300
    assert 0.02 < drawn.mean() < 0.15
    assert (change[drawn] > 0).all()
