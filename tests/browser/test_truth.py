"""What the page says of an answer and of the network is so."""

import base64
import io
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from tests.browser.visitor import SEVEN, Visitor
from tests.browser.words import fixed

Told = dict[str, Any]


def numbers(raster: Told) -> np.ndarray:
    return np.frombuffer(base64.b64decode(raster["data"]), np.uint8).reshape(raster["shape"]).astype(int)


def looks_inside(visitor: Visitor, act: Callable[[], None]) -> Told:
    """What the service tells of what `act` leaves on the paper."""
    visitor.click("#tab-inside")
    with visitor.page.expect_response("**/explain"):
        act()
    visitor.waits()
    with visitor.page.expect_response("**/explain") as asked:
        visitor.click("#tab-inside")
    told: Told = asked.value.json()
    visitor.waits()
    return told


def steps(visitor: Visitor) -> dict[str, str]:
    """The text of each step, by its title."""
    page = visitor.page
    titles, texts = (page.locator(f"#steps > li > {tag}").all_inner_texts() for tag in ("h2", "p"))
    return dict(zip(titles, texts, strict=True))


def answers(visitor: Visitor, **changed: Any) -> None:
    """Let the service's answers be changed on their way."""

    def answer(route: Route) -> None:
        told = route.fetch().json()
        whole = route.request.url.endswith("/explain")
        route.fulfill(json=told | {"answer": told["answer"] | changed} if whole else told | changed)

    visitor.page.route(re.compile("/(predict|explain)$"), answer)


def opens(visitor: Visitor, image: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    visitor.page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": file.getvalue()})


def test_a_picture_that_the_network_turns_first_is_shown_turned(desktop):
    told = looks_inside(desktop, lambda: desktop.draw(SEVEN))
    turned = told["reading"]["turned"]
    assert ("It turns the picture" in steps(desktop)) == bool(turned)
    if turned:
        way = "clockwise" if turned["degrees"] > 0 else "counterclockwise"
        assert f"{abs(turned['degrees']):g}° first, {way}" in steps(desktop)["It turns the picture"]
        assert (numbers(turned["pixels"]) != numbers(told["reading"]["pixels"])).mean() > 0.05


def test_the_odds_are_those_of_the_patch_that_is_framed(desktop):
    strongest = looks_inside(desktop, lambda: desktop.draw(SEVEN))["saliency"]["strongest"]
    text = steps(desktop)["Which strokes spoke for 7"]
    [found] = re.findall(r"odds of 7 by about ([\d.,]+)\.", text)
    assert float(found.replace(",", "")) == pytest.approx(math.exp(abs(strongest["voice"])), rel=0.02, abs=0.5)
    canvas, frame = (desktop.page.locator(f"#steps > li:has(h2:text('spoke for')) {one}") for one in ("canvas", "i"))
    whole, part = canvas.bounding_box(), frame.first.bounding_box()
    assert whole
    assert part
    assert (part["y"] - whole["y"]) / whole["height"] * 28 == pytest.approx(strongest["box"][0], abs=0.2)
    assert (part["x"] - whole["x"]) / whole["width"] * 28 == pytest.approx(strongest["box"][1], abs=0.2)


@pytest.mark.parametrize("kind", ["kept", "inverted", "changed"])
def test_what_became_of_28_by_28_pixels_is_said_alike_in_both_steps(desktop, kind):
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255  # as MNIST has a one
    if kind == "changed":
        image = np.roll(image, 8, axis=1)
    told = looks_inside(desktop, lambda: opens(desktop, 255 - image if kind == "inverted" else image))
    arrived, seen = numbers(told["reading"]["picture"]), numbers(told["reading"]["pixels"])
    assert {"kept": (arrived == seen).all(), "inverted": (arrived == 255 - seen).all(), "changed": True}[kind]
    arrives, sees = steps(desktop)["What arrives"], steps(desktop)["What the network sees"]
    assert ("Nothing had to be scaled or moved" in sees) == (kind != "changed")
    assert ("unchanged" in arrives) == (kind == "kept")
    assert ("inverted" in arrives) == (kind == "inverted")
    assert "20 × 20" not in sees


def test_no_two_layers_bear_the_same_sentence_and_its_numbers_are_the_layers_own(desktop):
    layers = looks_inside(desktop, lambda: desktop.draw(SEVEN))["layers"][:-1]
    texts = [steps(desktop)[f"Layer {place} lights up"] for place in range(1, len(layers) + 1)]
    plain = [re.sub(r"\d+", "", text) for text in texts]
    assert not re.search("edge|corner|bend|loop|crossing", " ".join(plain))
    assert len(set(texts)) == len(texts)
    for layer, text in zip(layers, texts, strict=True):
        values = numbers(layer["values"]).reshape(layer["units"], -1)
        assert text.startswith(f"{layer['units']:,} ")
        if values.shape[1] > 1:
            dark = (values == 0).all(axis=1).sum()
            assert f"{dark or 'none'} of the maps" in text
            assert f"{fixed(100 * (values > 25).sum() / values.size)}\u00a0% of all places" in text


@pytest.mark.parametrize("reason", ["not_a_digit", "multiple", "uncertain"])
def test_where_it_abstains_no_strokes_are_said_to_have_spoken_for_its_answer(desktop, reason):
    answers(desktop, digit=None, abstained=True, reason=reason)
    looks_inside(desktop, lambda: desktop.draw(SEVEN))
    told = steps(desktop)
    assert not [title for title in told if "spoke for" in title]
    assert told["Its nearest guess was 7"].startswith("The network does not answer.")
    desktop.page.unroute_all(behavior="ignoreErrors")


def test_no_digit_is_said_to_be_ruled_out(desktop):
    for rest in (0.0004, 0.024):
        probabilities = [0.0] * 10
        probabilities[7], probabilities[2] = 1 - rest, rest
        answers(desktop, probabilities=probabilities, prediction_set=[7])
        desktop.draw(SEVEN)
        more = desktop.page.locator("#more")
        expect(more).to_have_text(
            "Next comes 2, with 2.4\u00a0%." if rest > 0.001 else "No other digit comes to 0.1\u00a0%."
        )
        desktop.waits()
        desktop.page.unroute_all(behavior="ignoreErrors")
        desktop.click("#clear")


def test_one_candidate_is_no_choice(desktop):
    probabilities = [0.71, 0.0, 0.0, 0.0, 0.0, 0.0, 0.29, 0.0, 0.0, 0.0]
    unsure = {"digit": None, "abstained": True, "reason": "uncertain", "probabilities": probabilities}
    for among, said in (([0], "0 comes closest, with 71\u00a0%."), ([0, 6], "It could be 0 or 6.")):
        answers(desktop, **unsure, prediction_set=among)
        desktop.draw(SEVEN)
        expect(desktop.page.locator("#more")).to_have_text(said)
        desktop.waits()
        desktop.page.unroute_all(behavior="ignoreErrors")
        desktop.click("#clear")


def test_a_mistake_that_is_opened_says_what_it_truly_is_until_something_else_lies_there(desktop):
    mistakes = desktop.page.request.get("/page/card.json").json()["mistakes"]["surest"]
    if not mistakes:
        return  # a champion without a mistake
    label, digit = mistakes[0]["label"], mistakes[0]["digit"]
    desktop.click("#tab-model")
    desktop.click("#mistakes button")
    desktop.sees_digit(digit)
    expect(desktop.page.locator("#truth")).to_have_text(
        f"It is wrong: this is labelled as a{'n' * (label == 8)} {label}."
    )
    desktop.click("#clear")
    expect(desktop.page.locator("#truth")).to_be_empty()
