"""The view "Dreams": it says what its file says, shows the pictures that the file points to, and works by keyboard."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from pipeline.showcase.sheets import COLUMNS, sheet
from tests.browser.visitor import SIZES, Visitor
from tests.browser.words import fixed

STEPS = [0, 4, 9]
UNITS = (6, 40)
"""Of each hidden layer."""


class Made:
    """A file made up, other numbers each time, and pictures that are each of one grey."""

    def __init__(self) -> None:
        rng = self.rng = np.random.default_rng()
        self.told: dict[str, Any] = {
            "name": "made up",
            "version": "0123456789ab",
            "columns": COLUMNS,
            "looked_through": int(rng.integers(1000, 9000)),
            "labels": rng.integers(0, 10, 12).tolist(),
            "layers": [
                self.layer(*of) for of in ((UNITS[0], 3, 0), (UNITS[1], None, UNITS[0]), (10, None, sum(UNITS)))
            ],
            "classes": [self.answered(digit) for digit in range(10)],
            "steps": STEPS,
            "dreams": [self.answered(digit)["network"] for digit in rng.integers(0, 10, 20 * len(STEPS)).tolist()],
            "nearest": [(digit + 1) % 10 for digit in range(10)],
            "near": [self.fooled(to, 0 if to == drawn else 1) for drawn in range(10) for to in range(10)],
            "sure": [self.fooled((digit + 1) % 10) for digit in range(10)],
            "noise": [self.fooled(digit) for digit in range(10)],
        }
        counts = {"units": sum(UNITS) + 10, "examples": 12, "frames": 20 * len(STEPS), "fools": 120}
        self.greys = {
            name: rng.integers(0, 16, count).astype(np.uint8) * np.uint8(17) for name, count in counts.items()
        }
        self.files = {f"dreams-{name}.png": sheet(flat(greys)) for name, greys in self.greys.items()}
        self.files["dreams.json"] = json.dumps(self.told).encode()

    def layer(self, units: int, kernel: int | None, first: int) -> dict[str, Any]:
        return {
            "kind": "convolution" if kernel else "dense",
            "units": units,
            "kernel": kernel,
            "sees": kernel or 28,
            "first": first,
            "own": self.rng.uniform(0.1, 3, units).round(3).tolist(),
            "best": self.rng.uniform(0.1, 3, units).round(3).tolist(),
            "examples": self.rng.integers(0, 12, (units, 4)).tolist(),
        }

    def answered(self, digit: int) -> dict[str, Any]:
        reason = ("uncertain", "not_a_digit", "multiple", None)[self.rng.integers(4)]
        return {
            "network": {"digit": digit, "confidence": round(self.rng.uniform(0.5, 0.94), 4)},
            "service": {"digit": None if reason else int(self.rng.integers(10)), "reason": reason},
        }

    def fooled(self, to: int, size: float = 1.0) -> dict[str, Any]:
        half = self.answered(int(self.rng.integers(10)))["network"]
        pixels, most = self.rng.integers(1, 255, 2).tolist()
        return {"to": to, "size": size, "pixels": pixels, "most": most, "half": half, **self.answered(to)}


def flat(greys: np.ndarray) -> np.ndarray:
    return np.broadcast_to(greys[:, None, None], (len(greys), 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def made() -> Made:
    return Made()


@pytest.fixture(params=SIZES)
def dreamer(request: pytest.FixtureRequest, browser: Browser, url: str, made: Made) -> Iterator[Visitor]:
    def answer(route: Route) -> None:
        route.fulfill(body=made.files[route.request.url.rpartition("/")[2]])

    with Visitor.arriving(browser, url, SIZES[request.param], phone=request.param == "phone") as visitor:
        visitor.page.route("**/page/show/dreams*", answer)
        visitor.click("#tab-dreams")
        yield visitor


def sees(page: Page, name: str, grey: int) -> None:
    """That the picture read out so is all of this grey."""
    picture = page.get_by_role("img", name=name, exact=True).first
    picture.scroll_into_view_if_needed()
    colour = picture.evaluate("one => [...one.getContext('2d').getImageData(14, 14, 1, 1).data].slice(0, 3)")
    assert colour == [grey] * 3, name


def percent(answer: dict[str, Any]) -> str:
    return f"{answer['digit']}, {fixed(100 * answer['confidence'])}"


def reach(page: Page, part: str) -> None:
    """Scroll there, which has its pictures loaded."""
    page.locator(f"#dreams-{part}").scroll_into_view_if_needed()
    page.locator(f"#dreams-{part} canvas").first.wait_for()


def test_it_shows_the_pictures_and_says_the_numbers_of_its_file(dreamer: Visitor, made: Made):
    page, told = dreamer.page, made.told
    reach(page, "classes")
    withheld = sum(one["service"]["digit"] is None for one in told["classes"])
    expect(page.locator("#dreams-classes")).to_contain_text(f"abstain at {withheld or 'none'} of them")
    sees(page, "What excites 7 most", made.greys["units"][sum(UNITS) + 7])

    reach(page, "units")
    layer = told["layers"][1]
    beaten = sum(own > best for own, best in zip(layer["own"], layer["best"], strict=True))
    said = page.locator("#dreams-units")
    expect(said).to_contain_text(f"{beaten} of {UNITS[1]} of these pictures")
    expect(said).to_contain_text(f"{told['looked_through']:,} training digits")
    radio = page.get_by_role("radio", name="Unit 5.")
    radio.click()
    sees(page, "What unit 5 wants to see", made.greys["units"][UNITS[0] + 4])
    expect(said).to_contain_text(f"{fixed(layer['own'][4] / layer['best'][4], 1)} times as much")
    label = told["labels"][layer["examples"][4][0]]
    expect(page.locator(".dream-examples figcaption").first).to_have_text(str(label))

    reach(page, "frames")
    page.get_by_role("radiogroup", name="Layer that dreams").get_by_role("radio", name="Layer 2").click()
    page.get_by_role("radiogroup", name="Digit that it dreams of").get_by_role("radio", name="6").click()
    place = (10 + 6) * len(STEPS) + 2
    sees(page, "The 6 after 9 steps", made.greys["frames"][place])
    expect(page.locator("#dreams-frames figcaption").last).to_contain_text(percent(told["dreams"][place]))

    reach(page, "fools")
    page.get_by_role("radiogroup", name="Digit that is drawn").get_by_role("radio", name="4").click()
    page.get_by_role("radiogroup", name="Make the 4 look like").get_by_role("radio", name="2").click()
    one = told["near"][42]
    fools = page.locator("#dreams-fools")
    for words in (f"touches {one['pixels']} of 784", f"more than {one['most']} of", percent(one["half"])):
        expect(fools).to_contain_text(words)
    expect(fools).to_contain_text(f"The network says {percent(one['network'])}")
    digit = one["service"]["digit"]
    expect(fools).to_contain_text("The service abstains" if digit is None else f"The service answers {digit}")
    sees(page, "The 4, changed", made.greys["fools"][42])

    reach(page, "noise")
    sees(page, "Noise that was made to be taken for an 8", made.greys["fools"][118])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_grid_is_one_stop_of_the_tab_key_and_arrows_choose(dreamer: Visitor):
    page = dreamer.page
    reach(page, "units")
    page.get_by_role("radio", name="Unit 1.").focus()
    for key, unit in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        expect(page.get_by_role("radio", name=f"Unit {unit}.")).to_be_focused()
    expect(page.get_by_role("img", name="What unit 2 wants to see")).to_be_visible()
    stops = page.locator("#dreams-units [role=radio][tabindex='0']")
    expect(stops).to_have_count(2)  # of the layers and of the units


def test_a_fool_can_be_put_on_the_paper_and_late_pictures_are_asked_for_again(browser: Browser, url: str, made: Made):
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(name := route.request.url.rpartition("/")[2])
        if len(asked) == 1:
            route.fulfill(status=200, body="")
        else:
            route.fulfill(body=made.files[name])

    with Visitor.arriving(browser, url, SIZES["desktop"]) as visitor:
        page = visitor.page
        page.route("**/page/show/dreams*", answer)
        visitor.click("#tab-dreams")
        expect(page.locator("#dreams-note")).to_contain_text("did not arrive")
        visitor.click("#tab-answer")
        visitor.click("#tab-dreams")
        reach(page, "classes")
        assert "dreams-fools.png" not in asked, "far below the screen"
        reach(page, "noise")
        expect(page.locator("#undo")).to_be_disabled()
        page.locator("#dreams-noise button").last.click()
        expect(page.locator("#undo")).to_be_enabled()
