"""Looking inside, and the tab about the model."""

import io

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.visitor import SEVEN, SIZES, ZERO, Visitor, dark, greenish, reddish


def step(visitor, words):
    """The selector of the step whose title holds these words."""
    return f'#steps > li:has(h2:has-text("{words}"))'


def test_each_step_from_the_ink_to_the_answer_is_shown(visitor):
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    with visitor.page.expect_response("**/explain") as asked:
        visitor.click("#tab-inside")
    told = asked.value.json()
    expect(visitor.page.locator("#steps > li")).to_have_count(len(told["layers"]) + 5 + bool(told["reading"]["turned"]))

    arrived = visitor.looks_at(f"{step(visitor, 'What arrives')} canvas")
    assert 0.01 < dark(arrived).mean() < 0.3
    assert (arrived[..., 2] > arrived[..., 0] + 80).any(), "the frame around the ink is blue"
    seen = visitor.looks_at(f"{step(visitor, 'What the network sees')} canvas")
    assert dark(seen).mean() > 0.6
    assert (seen.sum(axis=-1) > 700).any(), "bright ink on dark"

    weights = visitor.looks_at(
        f"{step(visitor, 'Its first stencils')} .grids, {step(visitor, 'first units look for')} .grids"
    )
    assert greenish(weights).mean() > 0.02
    assert reddish(weights).mean() > 0.02
    for layer in range(1, len(told["layers"])):
        lit = visitor.looks_at(f"{step(visitor, f'Layer {layer} lights up')} canvas")
        assert lit.max() > 200, "something is lit"
        assert dark(lit).mean() > 0.1, "and something is not"
    spoke = visitor.looks_at(f"{step(visitor, 'Which strokes spoke for 7')} canvas")
    assert greenish(spoke).mean() > 0.02
    assert (spoke.sum(axis=-1) > 700).mean() > 0.5, "paper stays paper"
    assert all(len(text) > 40 for text in visitor.page.locator("#steps p").all_inner_texts())


def test_it_changes_with_the_drawing(desktop):
    desktop.click("#tab-inside")
    expect(desktop.page.locator("#waiting")).to_be_visible()
    desktop.draw(ZERO)
    desktop.sees_digit(0)
    selector = f"{step(desktop, 'Layer 1 lights up')} canvas"
    desktop.waits()
    first = desktop.looks_at(selector)
    desktop.click("#clear")
    expect(desktop.page.locator("#story")).to_be_hidden()
    desktop.draw(SEVEN)
    expect(desktop.page.locator(step(desktop, "Which strokes spoke for 7"))).to_be_visible()
    desktop.waits()
    assert (np.abs(desktop.looks_at(selector) - first).sum(axis=-1) > 60).mean() > 0.02


def test_while_the_inside_is_on_its_way_it_says_so(desktop):
    desktop.draw(SEVEN)
    desktop.sees_digit(7)
    held = []
    desktop.page.route("**/explain", lambda route: held.append(route))
    desktop.click("#tab-inside")
    expect(desktop.page.locator("#waiting")).to_have_text("Looking inside…")
    while not held:
        desktop.page.wait_for_timeout(20)
    held[0].continue_()
    expect(desktop.page.locator("#waiting")).to_be_hidden()
    desktop.click("#clear")
    expect(desktop.page.locator("#waiting")).to_contain_text("Draw something first")


def test_the_layers_light_up_one_after_another(browser, url):
    with Visitor.arriving(browser, url, SIZES["desktop"], reduced_motion="no-preference") as visitor:
        visitor.draw(SEVEN)
        visitor.click("#tab-inside")
        expect(visitor.page.locator("#steps .lit").first).to_be_visible()
        last = visitor.page.locator("#steps .figure canvas").last
        dim = np.asarray(Image.open(io.BytesIO(last.screenshot())).convert("L")).std()
        delays = visitor.page.evaluate("document.getAnimations().map((one) => one.effect.getTiming().delay)")
        assert delays == sorted(set(delays))
        visitor.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
        lit = np.asarray(Image.open(io.BytesIO(last.screenshot())).convert("L")).std()
        assert lit > 2 * dim


def test_one_can_go_step_by_step(visitor):
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    visitor.click("#tab-inside")
    now = visitor.page.locator("#steps > li.now h2")
    expect(now).to_have_text("What arrives")
    expect(visitor.page.locator("#back")).to_be_disabled()
    visitor.page.locator("#next").focus()
    visitor.page.keyboard.press("Enter")
    expect(now).to_have_text("What the network sees")
    expect(now).to_be_in_viewport()
    steps = visitor.page.locator("#steps > li").count()
    for _ in range(steps - 2):
        visitor.click("#next")
    expect(now).to_have_text("Is it a digit at all?")
    expect(now).to_be_in_viewport()
    expect(visitor.page.locator("#next")).to_be_disabled()


def test_the_model_tells_its_figures_its_origin_and_its_mistakes(visitor):
    model = visitor.page.request.get("/model").json()
    card = visitor.page.request.get("/page/card.json").json()
    visitor.click("#tab-model")
    expect(visitor.page.locator("#about")).to_contain_text(model["version"])
    expect(visitor.page.locator("#lineage")).to_contain_text(model["sha256"])
    expect(visitor.page.locator("#lineage")).to_contain_text(model["run_key"])
    expect(visitor.page.locator("#figures tr")).to_have_count(len(card["figures"]) + 1)
    hidden = visitor.page.locator(".scroll").evaluate("element => element.scrollWidth - element.clientWidth")
    assert hidden <= 0, "every column is seen"
    expect(visitor.page.locator("#wrong")).to_contain_text(f"{card['mistakes']['images']:,} digits")
    mistakes = card["mistakes"]["surest"]
    expect(visitor.page.locator("#mistakes button")).to_have_count(len(mistakes))
    if mistakes:
        first = visitor.looks_at("#mistakes canvas")
        assert dark(first).mean() > 0.4
        assert (first.sum(axis=-1) > 700).any()
        visitor.click("#mistakes button")
        visitor.sees_digit(mistakes[0]["digit"])
        expect(visitor.page.locator("#story")).to_be_visible()


def test_the_address_keeps_the_tab(desktop):
    desktop.click("#tab-model")
    assert desktop.page.url.endswith("#model")
    desktop.page.reload()
    expect(desktop.page.locator("#model")).to_be_visible()
    expect(desktop.page.locator("#answer")).to_be_hidden()


def test_the_stepper_follows_whoever_scrolls(visitor):
    visitor.draw(SEVEN)
    visitor.sees_digit(7)
    visitor.click("#tab-inside")
    steps, now, where = (visitor.page.locator(one) for one in ("#steps > li", "#steps > li.now h2", "#where"))
    expect(now).to_have_text("What arrives")
    visitor.waits()
    for place in (4, 2, steps.count() - 3):
        title = steps.nth(place).locator("h2").inner_text()
        steps.nth(place).evaluate("step => scrollBy({ top: step.getBoundingClientRect().top - 50 })")
        expect(now).to_have_text(title)
        expect(where).to_contain_text(title)
    visitor.click("#next")
    expect(now).to_have_text(steps.nth(steps.count() - 2).locator("h2").inner_text())
    visitor.page.wait_for_timeout(300)
    visitor.page.evaluate("scrollTo({ top: 0 })")
    expect(now).to_have_text("What arrives")
    visitor.page.evaluate("scrollTo({ top: document.documentElement.scrollHeight })")
    expect(now).to_have_text("Is it a digit at all?")


def test_an_address_that_changes_opens_its_tab(desktop):
    for name in ("model", "inside", ""):
        desktop.page.evaluate("name => { location.hash = name; }", name)
        expect(desktop.page.locator(f"#{name or 'answer'}")).to_be_visible()
