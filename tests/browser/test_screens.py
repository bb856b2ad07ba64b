"""Screens and eyes of all kinds: the answer is seen beside the paper, and what it means without colours too."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import SEVEN, SIZES, Visitor, dark

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


def shade(visitor: Visitor, selector: str, place: int = 0) -> np.ndarray:
    """The colour in the middle of what is on the screen there."""
    pixels = visitor.looks_at(selector, place)
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_forced_colours_wells_votes_gauge_and_legend_are_seen(browser: Browser, url: str, scheme: str):
    with Visitor.arriving(browser, url, SIZES["desktop"], forced_colors="active", color_scheme=scheme) as visitor:
        visitor.draw(SEVEN)
        visitor.sees_digit(7)
        assert dark(visitor.looks_at("#paper")).mean() < 0.5, "ink is dark on a light sheet"
        assert np.abs(shade(visitor, ".wells .well", 7) - shade(visitor, ".wells .well", 0)).sum() > 100
        tabs = [visitor.looks_at(f"#tab-{name}")[-2, 40] for name in ("answer", "inside")]
        assert np.abs(tabs[0] - tabs[1]).sum() > 100
        visitor.click("#tab-inside")
        visitor.waits()
        card = shade(visitor, "#said")
        for part in (".votes li:nth-child(8) i", ".votes li:nth-child(1) i", ".gauge i"):
            assert np.abs(shade(visitor, f"#steps {part}") - card).sum() > 100, part
        legend = [shade(visitor, f"#steps .legend .{kind}") for kind in ("for", "against", "neither")]
        assert all(np.abs(one - other).sum() > 60 for one, other in zip(legend, [*legend[1:], card], strict=True))


def test_print_keeps_what_colours_tell_and_leaves_the_buttons_out(browser: Browser, url: str):
    with Visitor.arriving(browser, url, SIZES["desktop"], color_scheme="dark") as visitor:
        visitor.draw(SEVEN)
        visitor.sees_digit(7)
        visitor.page.emulate_media(media="print")
        kept = "one => getComputedStyle(one).printColorAdjust"
        for part in (".wells .in .fill", "#digit"):
            assert visitor.page.locator(part).first.evaluate(kept) == "exact"
        for part in ("body", "#reading"):
            assert visitor.looks_at(part)[:4].min() > 180, "paper is white, also where the screen is dark"
        assert np.abs(shade(visitor, ".wells .well", 7) - shade(visitor, ".wells .well", 0)).sum() > 100
        controls = visitor.page.locator("button:visible:not(.plane *)")  # but for those that are the picture themselves
        expect(controls).to_have_count(0)
        visitor.page.emulate_media(media="screen")
        visitor.click("#tab-inside")
        visitor.waits()
        visitor.page.emulate_media(media="print")
        for part in (".votes i", ".gauge i", ".legend i"):
            assert visitor.page.locator(f"#steps {part}").first.evaluate(kept) == "exact"
        expect(controls).to_have_count(0)


def test_a_screen_reader_is_told_the_votes_and_the_gauge(desktop):
    desktop.draw(SEVEN)
    desktop.sees_digit(7)
    desktop.click("#tab-inside")
    desktop.waits()
    heard = desktop.page.locator("#steps").aria_snapshot()
    assert re.search(r"listitem: .*7.*points.*%", heard), heard
    assert re.search(r"meter .Strangeness", heard), heard


def test_drawing_by_keyboard_announces_when_the_pen_is_lifted(desktop):
    desktop.page.evaluate(
        """() => {
            window.heard = [];
            for (const region of document.querySelectorAll("[role=status]"))
                new MutationObserver(() => heard.push(region.textContent.trim()))
                    .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    press = desktop.page.keyboard.press
    desktop.page.locator("#paper").focus()
    for key in [*["ArrowUp"] * 9, " "]:
        press(key)
    for _ in range(18):
        press("ArrowDown")
        desktop.page.wait_for_timeout(40)
    press(" ")
    desktop.sees_digit(1)
    desktop.waits()
    heard = desktop.page.evaluate("heard")
    assert len(heard) <= 2, heard
    assert "It is a 1" in heard[-1]
