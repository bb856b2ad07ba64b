"""Editing the pixels that the network is given, and the slider from one digit to another: the votes are true."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Request, expect

from tests.browser.visitor import SEVEN, ZERO, Visitor

OCTETS = {"Content-Type": "application/octet-stream"}
MOST_A_SECOND = 8


def pixels(visitor: Visitor) -> np.ndarray:
    """What is shown: int [28, 28]."""
    script = "one => [...one.getContext('2d').getImageData(0, 0, 28, 28).data]"
    return np.array(visitor.page.locator("#pixels").evaluate(script)).reshape(28, 28, 4)[..., 0]


def votes(visitor: Visitor) -> list[float]:
    """The percentages that are shown, once nothing more is to come."""
    expect(visitor.page.locator("#edit")).to_have_attribute("aria-busy", "false")
    shares = visitor.page.locator("#shares .share").all_inner_texts()
    return [float(re.sub(r"[>\s%]", "", share)) for share in shares]


def asked(visitor: Visitor) -> dict:
    """What the service answers to the pixels that are shown."""
    body = pixels(visitor).astype(np.uint8).tobytes()
    response = visitor.page.request.post("/predict_prepared", data=body, headers=OCTETS)
    [answer] = response.json()["predictions"]
    return answer


def told(answer: dict) -> Any:
    """The percentages of an answer, as far as they are shown."""
    return pytest.approx([100 * share for share in answer["probabilities"]], abs=0.6)


def place(visitor: Visitor, row: float, column: float) -> tuple[float, float]:
    """Where on the screen a pixel's middle is."""
    visitor.page.locator("#pixels").scroll_into_view_if_needed()
    box = visitor.page.locator("#pixels").bounding_box()
    assert box
    return box["x"] + box["width"] * (column + 0.5) / 28, box["y"] + box["height"] * (row + 0.5) / 28


def opens(visitor: Visitor, strokes=SEVEN) -> np.ndarray:
    """Draw and open the view; the pixels that the service says are the network's."""
    visitor.draw(strokes)
    visitor.waits()
    with visitor.page.expect_response("**/explain") as looked, visitor.page.expect_response("**/predict_prepared"):
        visitor.click("#tab-edit")
    expect(visitor.page.locator("#edit-desk")).to_be_visible()
    votes(visitor)
    raster = looked.value.json()["reading"]["pixels"]["data"]
    return np.array(visitor.page.evaluate("data => [...atob(data)].map((one) => one.charCodeAt())", raster))


def test_the_networks_pixels_are_shown_with_its_votes_and_both_follow_the_pen(visitor):
    visitor.click("#tab-edit")
    expect(visitor.page.locator("#edit-waiting")).to_contain_text("Draw something first")
    visitor.click("#tab-answer")
    given = opens(visitor)
    before = pixels(visitor)
    np.testing.assert_array_equal(before.ravel(), given)
    expect(visitor.page.locator("#edit-said")).to_contain_text("It is a 7")
    assert votes(visitor) == told(asked(visitor))

    row, column = np.argwhere(before == 0)[np.random.default_rng().integers((before == 0).sum())]
    visitor.page.mouse.click(*place(visitor, row, column))
    expect(visitor.page.locator("#pointed")).to_have_text(f"Row {row + 1}, column {column + 1}: 255")
    changed = before.copy()
    changed[row, column] = 255
    np.testing.assert_array_equal(pixels(visitor), changed)
    assert votes(visitor) == told(asked(visitor))
    visitor.click("#erase")
    visitor.page.mouse.click(*place(visitor, row, column))
    np.testing.assert_array_equal(pixels(visitor), before)

    visitor.click("#clear")
    expect(visitor.page.locator("#edit-desk")).to_be_hidden()
    visitor.draw(ZERO)
    expect(visitor.page.locator("#edit-said")).to_contain_text("It is a 0")


def test_a_drag_paints_every_pixel_on_its_way_and_asks_eight_times_a_second_at_most(desktop):
    opens(desktop)
    requests: list[Request] = []
    desktop.page.on("request", lambda request: requests.append(request))
    desktop.page.mouse.move(*place(desktop, 5, 3))
    desktop.page.mouse.down()
    for step in range(40):  # a second and more
        desktop.page.mouse.move(*place(desktop, 5 + step * 0.5, 3 if step % 2 else 24), steps=1)
        desktop.page.wait_for_timeout(30)
    seconds = [request.timing["startTime"] / 1000 for request in requests]
    desktop.page.mouse.up()
    assert sum(start < seconds[0] + 1 for start in seconds) <= MOST_A_SECOND
    assert len(seconds) > 3, "the votes are watched live"
    assert (pixels(desktop)[5:24, 3:25] == 255).all(axis=1).mean() > 0.5
    assert votes(desktop) == told(asked(desktop))
    desktop.click("#restore")
    expect(desktop.page.locator("#edit-said")).to_contain_text("It is a 7")


def test_the_keyboard_alone_changes_pixels(desktop):
    opens(desktop)
    press = desktop.page.keyboard.press
    desktop.page.locator("#pixels").focus()
    for key in [*["ArrowUp"] * 12, *["ArrowLeft"] * 9, " ", *["ArrowDown"] * 3, " ", "ArrowDown"]:
        press(key)
    assert pixels(desktop)[0:7, 4].tolist() == [0, 255, 255, 255, 255, 0, 0]
    assert votes(desktop) == told(asked(desktop))
    spoken = desktop.page.locator("#edit-said").inner_text()
    expect(desktop.page.locator("#spoken")).to_contain_text(spoken)


@pytest.mark.parametrize("digit", [3, 7])
def test_the_slider_goes_from_the_drawing_to_an_example_and_says_where_the_answer_turns(desktop, digit):
    given = opens(desktop).reshape(28, 28)
    example = np.frombuffer(desktop.page.request.get("/page/samples/ten.bin").body(), np.uint8).reshape(10, 28, 28)
    desktop.page.get_by_role("radio", name=str(digit)).check()
    expect(desktop.page.locator("#blend")).to_be_enabled()
    said = desktop.page.locator("#turns").inner_text()
    requests: list[Request] = []
    desktop.page.on("request", lambda request: requests.append(request))

    def at(step: int) -> dict:
        desktop.page.locator("#blend").fill(str(step))
        blend = (1 - step / 100) * given + step / 100 * example[digit]
        assert np.abs(pixels(desktop) - blend).max() <= 0.51
        return asked(desktop)

    for step in np.random.default_rng().integers(0, 101, 3).tolist():
        found = at(step)
        assert votes(desktop) == told(found)
    assert at(100)["digit"] in (digit, None)
    turns = [(int(step), says) for step, says in re.findall(r"From (\d+)\s% on it (.*?)\.", said)]
    for step, says in turns:
        found = at(step)["digit"]
        assert says == ("gives no answer" if found is None else f"answers {found}")
        assert at(step - 1)["digit"] != found
    assert turns or at(0)["digit"] == at(100)["digit"]
    assert not [one for one in requests if "predict_prepared" in one.url], "the page asks nothing as the slider moves"
    widths = desktop.page.locator("#strip span").evaluate_all("all => all.map((one) => one.offsetWidth)")
    assert len(widths) == len(turns) + 1
