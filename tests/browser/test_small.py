"""Small drawings: they are shown with the pen that drew them, and sent with one that suits their size."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from tests.browser.visitor import Stroke, dark

WIDTH = 40 / 560  # of a stroke as it is shown, as a share of the paper
LEAST = 8  # of ten small digits, that even a champion with modest gates reads


def arc(x: float, y: float, right: float, down: float, begin: float, end: float) -> list[tuple[float, float]]:
    """Points along an ellipse, from one angle to another: degrees, clockwise from the right."""
    turns = np.radians(np.linspace(begin, end, 13))
    return [(x + right * math.cos(turn), y + down * math.sin(turn)) for turn in turns]


DIGITS: list[list[Stroke]] = [
    [arc(0.5, 0.5, 0.32, 0.48, -90, 270)],
    [[(0.5, 0.02), (0.5, 0.98)]],
    [[*arc(0.5, 0.28, 0.32, 0.26, -170, 40), (0.18, 0.97), (0.85, 0.97)]],
    [[*arc(0.45, 0.26, 0.3, 0.24, -150, 90), *arc(0.45, 0.74, 0.34, 0.24, -90, 150)]],
    [[(0.3, 0.02), (0.15, 0.6), (0.85, 0.6)], [(0.7, 0.3), (0.68, 0.98)]],
    [[(0.8, 0.03), (0.25, 0.03), (0.22, 0.45), *arc(0.45, 0.68, 0.33, 0.28, -115, 140)]],
    [[(0.68, 0.03), (0.4, 0.3), *arc(0.48, 0.7, 0.28, 0.27, -160, 200)]],
    [[(0.15, 0.05), (0.85, 0.05), (0.42, 0.97)]],
    [[*arc(0.5, 0.26, 0.25, 0.23, 90, -270), *arc(0.5, 0.74, 0.31, 0.25, -90, 270)]],
    [[*arc(0.5, 0.28, 0.27, 0.25, 0, -360), (0.77, 0.28), (0.68, 0.97)]],
]
"""A stroke or two for each digit, in a square of side 1."""


def in_a_corner(strokes: list[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """The same a tenth to a sixth as large as the paper, near one of its corners, and slanting a little."""
    side, slant = rng.uniform(0.1, 0.16), rng.normal(0, 0.08)
    right, down = (rng.choice([0.05, 0.95 - side]) for _ in range(2))
    return [[(right + side * (x + slant * (0.5 - y)), down + side * y) for x, y in stroke] for stroke in strokes]


def test_small_digits_in_a_corner_are_read(visitor):
    rng = np.random.default_rng(15)
    read = []
    for strokes in DIGITS:
        visitor.click("#clear")
        visitor.draw(in_a_corner(strokes, rng))
        visitor.waits()
        read.append(visitor.page.locator("#digit").inner_text())
    right = sum(told == str(digit) for digit, told in enumerate(read))
    assert right >= LEAST, read


@pytest.fixture
def sent(desktop):
    """What was sent last, as a picture: its darkness, float [height, width] in 0 to 1."""
    desktop.page.evaluate(
        """() => {
            const ask = fetch;
            window.fetch = (path, options) => ((window.sent = options.body), ask(path, options));
        }"""
    )

    def look() -> np.ndarray:
        desktop.waits()
        data = desktop.page.evaluate("sent.arrayBuffer().then((all) => [...new Uint8Array(all)])")
        return 1 - np.asarray(Image.open(io.BytesIO(bytes(data))).convert("L")) / 255

    return look


def test_what_is_shown_keeps_its_pen_and_what_is_sent_has_one_that_suits_the_drawing(desktop, sent):
    rng = np.random.default_rng(15)
    for length in (rng.uniform(0.1, 0.3), rng.uniform(0.7, 0.8), rng.uniform(0.1, 0.3)):
        desktop.click("#clear")
        top, across = rng.uniform(0.05, 0.15), rng.uniform(0.2, 0.8)
        desktop.draw([[(across, top), (across, top + length)]])
        middle = top + length / 2
        picture = sent()
        row = picture[round(middle * len(picture))]
        assert 0.075 < row.sum() / row.max() / (length * len(row)) < 0.125
        ink = dark(desktop.looks_at("#paper"))
        assert ink[round(middle * len(ink))].mean() == pytest.approx(WIDTH, rel=0.15)


def test_a_dot_is_sent_as_it_is_shown(desktop, sent):
    desktop.draw([[(0.5, 0.5), (0.51, 0.51)]])
    assert (sent() > 0.5).any(axis=0).mean() == pytest.approx(WIDTH, rel=0.2)


def test_strokes_over_an_image_are_sent_as_they_are_shown(desktop, sent):
    file = io.BytesIO()
    Image.new("L", (200, 200), 255).save(file, "PNG")
    desktop.page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": file.getvalue()})
    desktop.waits()
    desktop.draw([[(0.5, 0.4), (0.5, 0.6)]])
    assert (sent()[140] > 0.5).mean() == pytest.approx(WIDTH, rel=0.15)
