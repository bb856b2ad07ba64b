"""axe-core's rules of accessibility, held to the pages as they are used: it has no finding."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import SEVEN, SIZES, Visitor

LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light")]
ASKED_FOR = {"rules": {rule: {"enabled": True} for rule in ("label-content-name-mismatch", "target-size")}}
"""Rules of WCAG 2.2 at level A and AA that axe leaves out unless asked."""


def found(page: Page) -> list[str]:
    """What axe has to say against the page as it is, of each finding its rule, the element and what is wrong there."""
    results = Axe().run(page, options=ASKED_FOR).response
    return [
        f"{finding['id']}: {node['html'][:100]}: {node['failureSummary']}"
        for finding in results["violations"]
        for node in finding["nodes"]
    ]


@pytest.fixture(params=LOOKS, ids="-".join)
def reader(request: pytest.FixtureRequest, browser: Browser, url: str):
    size, scheme = request.param
    with Visitor.arriving(browser, url, SIZES[size], phone=size == "phone", color_scheme=scheme) as visitor:
        yield visitor


def test_the_page_has_no_finding_on_any_tab(reader: Visitor):
    assert found(reader.page) == [], "before anything is drawn"
    reader.draw(SEVEN)
    reader.sees_digit(7)
    for tab in reader.each_view():
        assert found(reader.page) == [], tab.inner_text()


def test_the_page_about_the_service_has_no_finding(reader: Visitor):
    reader.page.goto("/docs")
    reader.page.get_by_role("button", name="A seven").click()
    expect(reader.page.locator("#json")).to_be_visible()
    assert found(reader.page) == []
