"""An overloaded service, a silent one and a slow line: what is going on is said, and it ends by itself."""

import time

import numpy as np
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.visitor import SEVEN, SIZES, Visitor

REFUSAL = {"error": {"code": "overloaded", "message": "Too many."}, "request_id": "0"}


def without(visitor: Visitor, *kinds: str) -> None:
    """Forget the troubles that were meant."""
    visitor.troubles = [one for one in visitor.troubles if not any(kind in one for kind in kinds)]


def test_an_overloaded_service_is_left_alone_for_as_long_as_it_says(desktop):
    seconds, asked = 2, []

    def refuse_once(route: Route) -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            route.fulfill(status=503, json=REFUSAL, headers={"Retry-After": str(seconds)})
        else:
            route.continue_()

    desktop.page.route("**/predict", refuse_once)
    desktop.draw(SEVEN)
    expect(desktop.page.locator("#note")).to_contain_text("busy")
    desktop.reads("Waiting for the service")
    desktop.sees_digit(7)
    assert asked[1] - asked[0] >= seconds
    expect(desktop.page.locator("#note")).to_be_hidden()
    without(desktop, "503")


def test_after_an_outage_it_asks_again_by_itself(desktop):
    desktop.page.route("**/predict", lambda route: route.abort())
    desktop.draw(SEVEN)
    desktop.reads("The service does not answer")
    expect(desktop.page.locator("#note")).to_contain_text("I ask again in")
    desktop.page.unroute("**/predict")
    desktop.sees_digit(7)
    desktop.reads("It is a 7")
    without(desktop, "ERR_FAILED")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_on_a_slow_line_something_moves(browser: Browser, url: str, motion: str):
    held: list[Route] = []
    with Visitor.arriving(browser, url, SIZES["desktop"], reduced_motion=motion) as visitor:
        visitor.page.route("**/predict", lambda route: route.continue_() if held else held.append(route))
        visitor.draw(SEVEN)
        note = visitor.page.locator("#note")
        expect(note).to_contain_text("Waiting for an answer")
        if motion == "reduce":
            expect(note).to_contain_text("1 s")
        else:
            first = visitor.looks_at("#note")
            visitor.page.wait_for_timeout(200)
            assert np.abs(visitor.looks_at("#note") - first).sum(axis=-1).max() > 60
        held[0].continue_()
        visitor.sees_digit(7)
        expect(note).to_be_hidden()


def test_before_the_script_has_come_it_is_said_that_it_will(browser: Browser, url: str):
    context = browser.new_context(base_url=url)
    page = context.new_page()
    held: list[Route] = []
    page.route("**/ask.js", lambda route: held.append(route))
    page.goto("/", wait_until="commit")
    expect(page.locator("#said")).to_have_text("The page is on its way…")
    page.wait_for_timeout(100)
    for route in held:
        route.continue_()
    expect(page.locator("#said")).to_have_text("Waiting for your pen.")
    context.close()
