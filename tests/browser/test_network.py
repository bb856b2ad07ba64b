"""The whole network as one picture, what is written out of its units, and networks side by side."""

import re
import time

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.visitor import SEVEN, greenish
from tests.browser.words import fixed


def looks_inside(visitor):
    """What the service tells of the drawing, once the first unit is written out."""
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    visitor.waits()
    with visitor.page.expect_response("**/explain") as asked:
        visitor.click("#tab-inside")
    expect(visitor.page.locator(".unit h3")).to_be_visible()
    return asked.value.json()


def number(text):
    return float(text.replace("−", "-").replace("+", ""))


def test_the_whole_network_is_seen_at_once_before_the_steps(visitor):
    told = looks_inside(visitor)
    nodes = visitor.page.locator(".plane .node")
    expect(nodes).to_have_count(sum(len(column["units"]) for column in told["columns"]))
    plane = visitor.page.locator(".plane").bounding_box()
    for node in (nodes.first, nodes.last):
        box = node.bounding_box()
        assert min(box["width"], box["height"]) >= 24, "large enough for a finger"
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= visitor.page.viewport_size["width"]
    assert plane["height"] < visitor.page.viewport_size["height"]
    assert greenish(visitor.looks_at(".plane")).mean() > 0.01, "links that lift"
    caption = visitor.page.locator(".network figcaption").inner_text()
    best = int(np.argmax(told["columns"][-1]["links"][7]))
    said = f"{told['columns'][-2]['units'][best]} (+{fixed(told['columns'][-1]['links'][7][best], 2)})"
    assert said in caption
    assert all(f"{layer['units']}" in caption for layer in told["layers"][:-1])


def test_each_layer_leads_to_its_step(desktop):
    told = looks_inside(desktop)
    for layer in (0, len(told["layers"]) - 1):
        desktop.page.locator(".plane .column").nth(layer).click()
        title = f"Layer {layer + 1} lights up" if layer < len(told["layers"]) - 1 else "Ten votes"
        expect(desktop.page.locator("#steps > li.now h2")).to_have_text(title)
        expect(desktop.page.locator("#steps > li.now h2")).to_be_in_viewport()
        desktop.page.evaluate("scrollTo({ top: 0 })")


def test_a_unit_that_is_touched_is_written_out_with_the_services_numbers(visitor):
    told = looks_inside(visitor)
    layer = len(told["columns"]) // 2
    node = visitor.page.locator(f'.plane .node[data-layer="{layer}"]').nth(1)
    with visitor.page.expect_response("**/unit?*") as asked:
        node.click()
    unit = asked.value.json()
    expect(visitor.page.locator(".unit h3")).to_contain_text(f"{unit['unit']} of layer {layer + 1}")
    rows = visitor.page.locator(".sum tr:has(td)")
    shown = [number(row.locator("td").last.inner_text()) for row in rows.all()]
    parts = [*(term["sum"] for term in unit["terms"]), unit["others"]["sum"], unit["bias"], unit["total"]]
    assert shown == pytest.approx(parts, abs=5.1e-5)
    assert sum(shown[:-1]) == pytest.approx(shown[-1], abs=1e-3), "the sum is whole"
    assert fixed(unit["output"], 4) in visitor.page.locator(".unit").inner_text()
    expect(visitor.page.locator(".plane .enters i")).to_be_visible()
    assert visitor.page.locator(".plane path.on").count() > 0


def test_by_keyboard_one_goes_from_unit_to_unit_and_slides_the_kernel(desktop):
    told = looks_inside(desktop)
    desktop.page.locator('.plane .node[tabindex="0"]').focus()
    desktop.page.keyboard.press("ArrowLeft")
    last = len(told["layers"]) - 1
    expect(desktop.page.locator(".unit h3")).to_contain_text(f"of layer {last}")
    expect(desktop.page.locator("#spoken")).to_contain_text(f"of layer {last}")
    for _ in range(last - 1):
        desktop.page.keyboard.press("ArrowLeft")
    expect(desktop.page.locator(".unit h3")).to_contain_text("of layer 1,")
    row, column = map(int, re.findall(r"row (\d+), column (\d+)", desktop.page.locator(".unit h3").inner_text())[0])
    desktop.page.locator(".slider").focus()
    desktop.page.keyboard.press("ArrowUp" if row else "ArrowDown")
    expect(desktop.page.locator(".unit h3")).to_contain_text(f"row {row - 1 if row else 1}, column {column}")
    expect(desktop.page.locator(".slider")).to_be_focused()


def test_a_place_in_a_step_is_written_out_there(visitor):
    looks_inside(visitor)
    step = visitor.page.locator('#steps > li[data-layer="0"]')
    canvas = step.locator(".figure canvas")
    box = canvas.bounding_box()
    columns, side, gap = 8, 26, 2
    zoom = box["width"] / (columns * (side + gap) - gap)
    canvas.click(position={"x": (3 * (side + gap) + 4.5) * zoom, "y": ((side + gap) + 7.5) * zoom})
    near = re.compile("Map 11 of layer 1, row [678], column [345]")  # a pointer stands on whole pixels of the screen
    expect(step.locator(".unit h3")).to_have_text(near)


def test_a_unit_is_switched_off_and_on_again(visitor):
    looks_inside(visitor)
    visitor.page.locator('.plane .node[data-layer="2"]').first.click()
    toggle = visitor.page.locator(".switches button").first
    expect(toggle).to_contain_text("of layer 3")
    with visitor.page.expect_response("**/without?*") as asked:
        toggle.click()
    told = asked.value.json()
    result = visitor.page.locator(".without")
    expect(result).to_contain_text(f"reads {told['without']['digit']}")
    if told["test"]:
        expect(result).to_contain_text(f"{sum(told['test']['right_without'])} right")
    expect(visitor.page.locator(".plane .off")).to_have_count(1)
    expect(toggle).to_have_attribute("aria-pressed", "true")
    visitor.page.get_by_role("button", name="Switch all on").click()
    expect(visitor.page.locator(".plane .off")).to_have_count(0)
    expect(result).to_be_empty()


def test_a_busy_service_is_asked_again_about_a_unit_that_is_off(desktop):
    looks_inside(desktop)
    asked = []

    def busy(route):
        asked.append(time.monotonic())
        if len(asked) == 1:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": {"message": "Busy."}})
        else:
            route.continue_()

    desktop.page.route("**/without?*", busy)
    desktop.page.locator(".switches button").first.click()
    expect(desktop.page.locator(".without")).to_contain_text("reads")
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 0.9
    desktop.page.unroute_all(behavior="ignoreErrors")
    assert len(desktop.troubles) == 1
    assert "503" in desktop.troubles.pop()


def test_side_by_side_says_who_reads_what(visitor):
    visitor.page.click("#tab-compare")
    expect(visitor.page.locator("#compared")).to_contain_text("Draw something first")
    answer = {"digit": 7, "points": [0.0] * 7 + [9.0, 0.0, 0.0], "probabilities": [0.0] * 7 + [1.0, 0.0, 0.0]}
    network = {"name": "one", "title": "toy of one kind", "parameters": 7850, "accuracy": 0.92, "note": None}
    other = {**answer, "digit": 2, "probabilities": [0.0, 0.0, 0.6, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0, 0.0]}
    empty = {"served": False, "saliency": None, "covered": None, "ink": None}
    raster = {"shape": [1, 1], "signed": False, "peak": 255.0, "data": "AA=="}
    readers = [
        {**empty, "network": network, "answer": answer},
        {**empty, "network": {**network, "title": "toy of another"}, "answer": other},
    ]
    visitor.page.route("**/compare", lambda route: route.fulfill(json={"pixels": raster, "readers": readers}))
    visitor.draw(SEVEN)
    expect(visitor.page.locator("#compared")).to_have_text(
        "The toy of one kind reads 7 and the toy of another reads 2."
    )
    expect(visitor.page.locator("#readers section")).to_have_count(2)
    expect(visitor.page.locator("#readers section").last.locator(".first .share")).to_have_text("60\u00a0%")
    visitor.page.unroute_all(behavior="ignoreErrors")
