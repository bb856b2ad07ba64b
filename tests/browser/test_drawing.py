"""Drawing, and the answer that appears meanwhile."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from pipeline import package
from pipeline.data.sources import mnist_sample
from tests.browser.visitor import HOUSE, LADDER, SEVEN, STAR, ZERO, Visitor, dark


def well(visitor, digit):
    """How high the ink stands in a digit's well, 0 to 1, as it looks: what differs from the empty top of the ninth."""
    pixels = visitor.looks_at(".wells .well", digit)
    middle = pixels[2:-4, pixels.shape[1] // 2]
    empty = visitor.looks_at(".wells .well", 1)[4, pixels.shape[1] // 2]
    return (np.abs(middle - empty).sum(axis=-1) > 60).mean()


def test_a_digit_is_read_and_its_well_is_full(visitor):
    visitor.reads("Waiting for your pen")
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    visitor.reads("It is a 7")
    assert well(visitor, 7) > 0.7
    assert well(visitor, 0) < 0.1
    assert dark(visitor.looks_at("#paper")).mean() > 0.05


@pytest.mark.parametrize("reason", [None, "uncertain"])
def test_where_no_prediction_set_is_promised_the_page_rules_nothing_in_or_out(desktop, reason):
    def answer(route: Route) -> None:
        told = route.fetch().json()
        digit = None if reason else told["digit"]
        route.fulfill(json=told | {"prediction_set": None, "reason": reason, "digit": digit, "abstained": bool(reason)})

    desktop.page.route("**/predict", answer)
    desktop.draw(SEVEN)
    desktop.reads("I am not sure enough" if reason else "It is a 7")
    more = desktop.page.locator("#more").inner_text()
    assert bool(more) == bool(reason)
    assert not re.search("rule|could be", more)
    marked = desktop.page.locator("#wells .in").all_inner_texts()
    assert [mark.splitlines()[-1] for mark in marked] == ([] if reason else ["7"])
    desktop.page.unroute_all(behavior="ignoreErrors")  # a late answer may be under way still


def test_the_answer_appears_before_the_pen_is_lifted(desktop):
    desktop.draw(SEVEN, lift=False)
    desktop.sees_digit(7)
    desktop.page.mouse.up()


def test_clear_leaves_nothing_and_undo_one_stroke_less(visitor):
    visitor.draw(ZERO)
    visitor.sees_digit(0)
    visitor.draw([[(0.5, 0.1), (0.5, 0.9)]])
    visitor.click("#undo")
    visitor.sees_digit(0)
    visitor.click("#clear")
    visitor.reads("Waiting for your pen")
    visitor.sees_digit("·")
    assert not dark(visitor.looks_at("#paper")).any()
    assert well(visitor, 0) < 0.1


def test_what_is_no_digit_is_declined_in_plain_words(visitor):
    """A champion with modest gates answers some of these; one that is fooled by all would be no recogniser."""
    for drawing in (STAR, LADDER, HOUSE):
        visitor.click("#clear")
        visitor.draw(drawing)
        visitor.waits()
        if visitor.page.locator("#digit").inner_text() == "?":
            break
    visitor.sees_digit("?")
    said = visitor.page.locator("#said").inner_text()
    assert said in (
        "This does not look like a digit.",
        "This looks like more than one digit.",
        "I am not sure enough to say.",
    )
    assert visitor.page.locator("#more").inner_text()


def test_a_finger_draws_too_and_does_not_scroll(browser, url):
    with Visitor.arriving(browser, url, {"width": 390, "height": 700}, phone=True) as visitor:
        visitor.draw_by_finger([(0.5, 0.15 + step / 30) for step in range(22)])
        visitor.sees_digit(1)
        assert visitor.page.evaluate("scrollY") == 0


def test_the_keyboard_alone_draws_reads_and_looks_inside(desktop):
    press = desktop.page.keyboard.press
    press("Tab")
    assert desktop.page.evaluate("document.activeElement.id") == "paper"
    for key in [*["ArrowUp"] * 9, " ", *["ArrowDown"] * 18, " "]:
        press(key)
    desktop.sees_digit(1)
    while desktop.page.evaluate("document.activeElement.id") != "tab-answer":
        press("Tab")
    press("ArrowRight")
    expect(desktop.page.locator("#steps > li").first).to_be_visible()
    desktop.page.locator("#paper").focus()
    press("Escape")
    desktop.reads("Waiting for your pen")


@pytest.fixture
def picture():
    """An image that the champion reads right, of its test set or, where that is not here, of the sample; its digit."""
    files = (package.IMAGES, package.LABELS)
    image, label = (array[0] for array in (map(np.load, files) if package.IMAGES.exists() else mnist_sample()))
    file = io.BytesIO()
    Image.fromarray(255 - image).resize((300, 300)).save(file, "PNG")
    return file.getvalue(), label


def test_an_image_can_be_opened(desktop, picture):
    data, label = picture
    desktop.page.locator("#file").set_input_files({"name": "digit.png", "mimeType": "image/png", "buffer": data})
    desktop.sees_digit(label)
    assert dark(desktop.looks_at("#paper")).any()


@pytest.mark.parametrize(("event", "holder"), [("paste", "clipboardData"), ("drop", "dataTransfer")])
def test_an_image_can_be_pasted_or_dropped(desktop, picture, event, holder):
    data, label = picture
    desktop.page.evaluate(
        """([name, holder, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "digit.png", { type: "image/png" }));
            const make = name === "paste" ? ClipboardEvent : DragEvent;
            document.body.dispatchEvent(new make(name, { [holder]: transfer, bubbles: true, cancelable: true }));
        }""",
        [event, holder, list(data)],
    )
    desktop.sees_digit(label)


def test_a_large_photograph_is_made_smaller_before_it_is_sent(desktop, picture):
    data, label = picture
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).resize((4000, 4000)).save(file, "PNG")
    desktop.page.evaluate(
        """() => {
            const ask = fetch;
            window.fetch = (path, options) => ((window.sent = options.body), ask(path, options));
        }"""
    )
    with desktop.page.expect_response("**/predict"):
        desktop.page.locator("#file").set_input_files(
            {"name": "l.png", "mimeType": "image/png", "buffer": file.getvalue()}
        )
    desktop.sees_digit(label)
    assert desktop.page.evaluate("createImageBitmap(sent).then(({ width }) => width)") == 1600


def test_what_is_no_image_is_told_in_words(desktop):
    with desktop.page.expect_console_message(lambda message: "415" in message.text):
        desktop.page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no image"})
    desktop.reads("This is no image")
    desktop.troubles = [one for one in desktop.troubles if "415" not in one]


def test_an_answer_that_comes_after_clear_is_not_shown(desktop):
    late: list[Route] = []
    desktop.page.route("**/predict", lambda route: late.append(route))
    with desktop.page.expect_request("**/predict"):
        desktop.draw(SEVEN)
    desktop.page.wait_for_timeout(300)
    assert len(late) == 1, "only one question is on its way at a time"
    desktop.click("#clear")
    late[0].continue_()
    desktop.page.wait_for_timeout(500)
    desktop.reads("Waiting for your pen")


def test_an_overloaded_service_is_asked_again_and_a_silent_one_is_named(desktop):
    refusal = {"error": {"code": "overloaded", "message": "Too many."}, "request_id": "0"}
    refused: list[Route] = []

    def refuse_once(route):
        if refused:
            route.continue_()
        else:
            refused.append(route)
            route.fulfill(status=503, json=refusal)

    desktop.page.route("**/predict", refuse_once)
    desktop.draw([[(0.5, 0.15), (0.5, 0.85)]])
    desktop.sees_digit(1)
    desktop.page.unroute("**/predict")
    desktop.page.route("**/predict", lambda route: route.abort())
    desktop.draw([[(0.2, 0.2)]])
    desktop.reads("The service does not answer")
    desktop.troubles = [one for one in desktop.troubles if "503" not in one and "ERR_FAILED" not in one]


def test_it_keeps_to_the_eyes_the_system_asks_for(browser, url):
    brightness = {}
    for scheme in ("light", "dark"):
        with Visitor.arriving(browser, url, {"width": 900, "height": 700}, color_scheme=scheme) as visitor:
            brightness[scheme] = visitor.looks_at("body")[:4, :, :].mean()
            visitor.draw(SEVEN)
            visitor.sees_digit(7)
            assert 0.02 < dark(visitor.looks_at("#paper")).mean() < 0.5, "ink is dark on a light sheet in both"
    assert brightness["light"] > 200
    assert brightness["dark"] < 60


def test_nothing_is_wider_than_the_screen(visitor):
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    for tab in ("answer", "inside", "model"):
        visitor.click(f"#tab-{tab}")
        visitor.waits()
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
