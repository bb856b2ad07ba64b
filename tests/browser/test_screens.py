"""Screens and eyes of all kinds: the answer is seen beside the paper, and what it means without colours too."""

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import SEVEN, SIZES, Visitor

LANDSCAPE = {"phone": (844, 390), "small phone": (667, 375), "1280 x 860 at 200 %": (640, 430), "at 200 %": (720, 450)}


@pytest.mark.parametrize("name", [*LANDSCAPE, "upright"])
def test_paper_and_answer_are_on_the_screen_together(browser: Browser, url: str, name: str):
    width, height = LANDSCAPE.get(name, tuple(SIZES["phone"].values()))
    phone = "%" not in name
    with Visitor.arriving(browser, url, {"width": width, "height": height}, phone=phone) as visitor:
        visitor.draw(SEVEN)
        visitor.sees_digit(7)
        for part in ("#paper", "#digit", "#said", "#more", "#wells", "#clear", "#eraser", "#open"):
            box = visitor.page.locator(part).bounding_box()
            assert box
            assert box["y"] >= 0, part
            assert box["y"] + box["height"] <= height, part
            assert box["x"] + box["width"] <= width, part
        paper = visitor.page.locator("#paper").bounding_box()
        assert paper
        assert paper["width"] >= 0.5 * min(width, height)
        assert visitor.page.evaluate("scrollY") == 0
