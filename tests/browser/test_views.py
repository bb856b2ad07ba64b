"""Every view on every kind of screen: it fits, by finger too, in forced colours, on paper, and while the service is
busy."""

import numpy as np
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.visitor import SEVEN, SIZES, Visitor

SCREENS = {
    "tablet": (820, 1180),
    "tablet on its side": (1180, 820),
    "phone on its side": (844, 390),
    "at 400 %": (320, 640),
}
REFUSAL = {"error": {"code": "overloaded", "message": "Too many."}, "request_id": "0"}


def opens_edit(visitor: Visitor) -> None:
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    visitor.click("#tab-edit")
    expect(visitor.page.locator("#edit-said")).to_contain_text("It is a 7")


@pytest.mark.parametrize("screen", SCREENS)
def test_every_view_fits_the_screen(browser: Browser, url: str, screen: str):
    width, height = SCREENS[screen]
    with Visitor.arriving(browser, url, {"width": width, "height": height}, phone=True) as visitor:
        visitor.draw_by_finger(SEVEN[0])
        visitor.sees_digit(7)
        for tab in visitor.each_view():
            name = tab.inner_text()
            panel = visitor.page.get_by_role("tabpanel", name=name)
            expect(panel).to_be_visible()
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            wide = panel.evaluate(
                """(panel) => [...panel.querySelectorAll("button, input, canvas, p, li, h2")]
                    .filter((one) => one.checkVisibility() && !one.closest(".unseen"))
                    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                    .filter((one) => !one.closest(".scroll")).map((one) => one.outerHTML.slice(0, 80))"""
            )
            assert wide == [], name


def test_a_finger_paints_pixels_and_does_not_scroll(browser: Browser, url: str):
    with Visitor.arriving(browser, url, SIZES["phone"], phone=True) as visitor:
        opens_edit(visitor)
        visitor.page.locator("#pixels").scroll_into_view_if_needed()
        before = visitor.page.evaluate("scrollY")
        visitor.draw_by_finger([(0.1, 0.2 + step / 20) for step in range(12)], "#pixels")
        column = visitor.page.locator("#pixels").evaluate(
            "one => [...one.getContext('2d').getImageData(2, 0, 1, 28).data].filter((_, index) => index % 4 === 0)"
        )
        assert column[5:21] == [255] * 16
        assert visitor.page.evaluate("scrollY") == before
        expect(visitor.page.locator("#edit")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_forced_colours_votes_and_choices_of_the_edited_pixels_are_seen(browser: Browser, url: str, scheme: str):
    with Visitor.arriving(browser, url, SIZES["desktop"], forced_colors="active", color_scheme=scheme) as visitor:
        opens_edit(visitor)
        seven, card = (visitor.looks_at(part) for part in ("#shares li:nth-child(8) i", "#edit-more"))
        assert np.abs(seven[seven.shape[0] // 2, 20] - card[1, -1]).sum() > 100
        visitor.page.get_by_role("radio", name="3").check()
        expect(visitor.page.locator("#way")).to_be_visible()
        chosen, other = (visitor.looks_at("#towards span", digit)[4, 4] for digit in (3, 4))
        assert np.abs(chosen - other).sum() > 100
        pressed, not_pressed = (visitor.looks_at(f"#{tool}")[6, 12] for tool in ("paint", "erase"))
        assert np.abs(pressed - not_pressed).sum() > 100


def test_on_paper_the_edited_pixels_and_votes_stay_without_their_buttons(desktop):
    opens_edit(desktop)
    desktop.page.emulate_media(media="print")
    expect(desktop.page.locator("#pixels")).to_be_visible()
    expect(desktop.page.locator("#shares")).to_be_visible()
    expect(desktop.page.locator("button:visible, input:visible")).to_have_count(0)


def test_while_the_service_is_busy_the_edited_pixels_wait_and_then_have_their_votes(desktop):
    opens_edit(desktop)
    asked: list[str] = []

    def refuse_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=503, json=REFUSAL, headers={"Retry-After": "1"})
        else:
            route.continue_()

    desktop.page.route("**/predict_prepared", refuse_once)
    desktop.page.locator("#pixels").click(position={"x": 20, "y": 20})
    expect(desktop.page.locator("#edit-said")).to_contain_text("busy")
    expect(desktop.page.locator("#edit-said")).to_contain_text("It is a 7")
    expect(desktop.page.locator("#edit")).to_have_attribute("aria-busy", "false")
    assert len(asked) == 2
    desktop.troubles = [one for one in desktop.troubles if "503" not in one]
