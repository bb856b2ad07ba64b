"""What travels: little on a first visit, next to nothing on a second, and few looks inside."""

import numpy as np
from playwright.sync_api import Request, expect

from tests.browser.visitor import Visitor


def loaded(visitor: Visitor) -> np.ndarray:
    """The bytes of each file that the page asked for, as they travelled and as they are: int [files, 2]."""
    visitor.reads("Waiting for your pen")
    visitor.page.wait_for_load_state("networkidle")
    script = "performance.getEntriesByType('resource').map((one) => [one.transferSize, one.decodedBodySize])"
    return np.array(visitor.page.evaluate(script))


def test_a_first_visit_brings_files_small_and_a_second_none_anew(desktop):
    first = loaded(desktop)
    assert len(first) >= 10
    assert first[:, 0].sum() < 0.7 * first[:, 1].sum()
    desktop.page.reload()
    travelled, _ = loaded(desktop).T
    heads = 1000  # an answer without a body, and GET /model, which is asked anew
    assert travelled.sum() < heads * len(travelled)
    assert travelled.sum() < first[:, 1].sum() / 4


def test_the_inside_is_looked_into_a_few_times_for_one_digit(desktop):
    requests: list[Request] = []
    desktop.page.on("request", lambda request: requests.append(request))
    desktop.click("#tab-inside")
    box = desktop.page.locator("#paper").bounding_box()
    assert box
    for top in (0.2, 0.8):  # a seven of two slow strokes
        desktop.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.2)
        desktop.page.mouse.down()
        for place in np.linspace(0, 1, 30):
            across = 0.3 + 0.4 * place if top == 0.2 else 0.7 - 0.2 * place
            down = 0.2 if top == 0.2 else 0.2 + 0.6 * place
            desktop.page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
            desktop.page.wait_for_timeout(60)
        desktop.page.mouse.up()
    desktop.sees_digit(7)
    desktop.waits()
    expect(desktop.page.locator("#steps h2").last).to_be_visible()
    assert 3 <= sum(request.url.endswith("/explain") for request in requests) <= 8
