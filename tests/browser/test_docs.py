"""The page about the service: what a person does there, and sees."""

import json

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from serving import lines, openapi
from serving.app import ROUTES
from tests.browser.visitor import SIZES, Visitor

POSTS = ["/predict", "/predict_pixels", "/predict_prepared", "/explain", "/unit", "/without", "/compare"]
TRIES = {"/without": 20}
"""A busy machine refuses what takes long, and lines to copy do not ask again."""


@pytest.fixture
def reader(visitor: Visitor) -> Visitor:
    """Somebody who came by the drawing page's footer."""
    visitor.click("footer a")
    expect(visitor.page).to_have_title("Inkwell: how to ask it")
    return visitor


@pytest.fixture
def at_a_desk(desktop: Visitor) -> Visitor:
    desktop.page.goto("/docs")
    return desktop


def told(page: Page) -> dict:
    """The answer that stands there."""
    expect(page.locator("#json")).to_be_visible()
    return json.loads(page.locator("#json").inner_text())


def test_a_sample_is_asked_about_and_the_answer_is_seen(reader):
    for name in ("Two digits", "A seven"):
        with reader.page.expect_response("**/predict") as answered:
            reader.page.get_by_role("button", name=name).click()
        expect(reader.page.locator("#told")).to_contain_text("200 after")
        assert told(reader.page) == answered.value.json()
    expect(reader.page.locator("#json")).to_be_in_viewport()


def test_a_picture_of_ones_own_is_asked_about_and_what_is_none_is_refused_in_words(at_a_desk):
    page = at_a_desk.page
    picture = page.request.get(f"{lines.SAMPLES}/photo.jpg").body()
    for data, said in ((picture, "200 after"), (b"no image", "415 after")):
        page.locator("#picture").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": data})
        page.get_by_role("button", name="Send it").click()
        expect(page.locator("#told")).to_contain_text(said)
    assert told(page)["error"]["code"] == "unsupported_media_type"
    at_a_desk.troubles = [one for one in at_a_desk.troubles if "415" not in one]


def test_a_silent_service_is_named(at_a_desk):
    at_a_desk.page.route("**/predict", lambda route: route.abort())
    at_a_desk.page.get_by_role("button", name="A seven").click()
    expect(at_a_desk.page.locator("#told")).to_contain_text("does not answer")
    expect(at_a_desk.page.locator("#json")).to_be_hidden()
    at_a_desk.troubles = [one for one in at_a_desk.troubles if "ERR_FAILED" not in one]


def test_one_language_is_shown_and_it_is_chosen_by_keyboard(reader):
    page = reader.page
    expect(page.locator(".lines:visible")).to_have_count(len(openapi.document(ROUTES)["paths"]))
    page.get_by_role("radio", name=lines.SHELL).focus()
    page.keyboard.press("ArrowRight")
    for figure in page.locator("article#predict .lines:visible, article#model .lines:visible").all():
        assert figure.get_attribute("data-language") == lines.PYTHON


def test_lines_name_the_service_that_is_before_one_and_can_be_copied(browser: Browser, url: str):
    rights = ["clipboard-read", "clipboard-write"]
    with Visitor.arriving(browser, url, SIZES["desktop"], permissions=rights) as visitor:
        visitor.page.goto("/docs")
        assert lines.SERVICE not in visitor.page.locator("#endpoints").inner_text()
        visitor.page.locator("article#predict").get_by_role("button", name="Copy").click()
        expect(visitor.page.locator("article#predict .copy:visible")).to_have_text("Copied")
        copied = visitor.page.evaluate("navigator.clipboard.readText()")
        assert copied == lines.of("/predict")[lines.SHELL].rstrip().replace(lines.SERVICE, url)


@pytest.mark.parametrize("path", POSTS)
def test_the_javascript_works_in_the_pages_own_console(at_a_desk, path):
    said = []
    at_a_desk.page.on("console", lambda message: said.append(message.text))
    source = at_a_desk.page.locator(f"article{path.replace('/', '#')} [data-language=JavaScript] code").text_content()
    for left in reversed(range(TRIES.get(path, 1))):
        try:
            at_a_desk.page.evaluate(f"async () => {{ {source} }}")
            break
        except Error:
            if not left or not any("503" in one for one in at_a_desk.troubles):
                raise
            at_a_desk.troubles = [one for one in at_a_desk.troubles if "503" not in one]
            at_a_desk.page.wait_for_timeout(1000)
    assert said


def test_nothing_is_wider_than_the_screen_and_dark_is_dark(browser: Browser, url: str):
    for size in SIZES.values():
        with Visitor.arriving(browser, url, size, phone=size is SIZES["phone"], color_scheme="dark") as visitor:
            visitor.page.goto("/docs")
            visitor.page.get_by_role("button", name="A seven").click()
            told(visitor.page)
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert visitor.looks_at("body")[:4].mean() < 60


def test_print_has_every_language_and_no_script_is_needed_to_read(browser: Browser, url: str):
    with Visitor.arriving(browser, url, SIZES["desktop"], java_script_enabled=False) as visitor:
        visitor.page.goto("/docs")
        paths = len(openapi.document(ROUTES)["paths"])
        expect(visitor.page.locator(".lines:visible")).to_have_count(3 * paths)
        expect(visitor.page.locator(".errors tbody tr").first).to_be_visible()
        expect(visitor.page.locator(".languages")).to_be_hidden()
    with Visitor.arriving(browser, url, SIZES["desktop"]) as visitor:
        visitor.page.goto("/docs")
        visitor.page.emulate_media(media="print")
        expect(visitor.page.locator(".lines:visible")).to_have_count(3 * paths)
        expect(visitor.page.locator(".contents:visible, form:visible, button:visible")).to_have_count(0)
