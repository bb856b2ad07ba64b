"""What somebody before the page does, and what they see: pixels, not elements, where that is what eyes would tell."""

import io
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

Stroke = Sequence[tuple[float, float]]

SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
PATIENCE_MS = 20_000  # a busy machine answers late
expect.set_options(timeout=PATIENCE_MS)

SEVEN: list[Stroke] = [[(0.27, 0.22), (0.73, 0.22), (0.45, 0.82)]]
ZERO: list[Stroke] = [
    [(0.5 + 0.2 * math.sin(turn / 10 * math.pi), 0.5 - 0.33 * math.cos(turn / 10 * math.pi)) for turn in range(21)]
]
STAR: list[Stroke] = [
    [(0.5 + 0.4 * math.sin(turn * 0.8 * math.pi), 0.5 - 0.4 * math.cos(turn * 0.8 * math.pi)) for turn in range(6)]
]
LADDER: list[Stroke] = [
    [(0.3, 0.1), (0.3, 0.9)],
    [(0.7, 0.1), (0.7, 0.9)],
    *([(0.3, height), (0.7, height)] for height in (0.2, 0.4, 0.6, 0.8)),
]
HOUSE: list[Stroke] = [[(0.2, 0.8), (0.2, 0.45), (0.5, 0.15), (0.8, 0.45), (0.8, 0.8), (0.2, 0.8), (0.8, 0.45)]]


class Visitor:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.troubles: list[str] = []
        self._coming: set[Request] = set()
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("request", lambda request: self._coming.add(request))
        page.on("requestfinished", lambda request: self._coming.discard(request))
        page.on("requestfailed", lambda request: self._coming.discard(request))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._hear)

    @classmethod
    @contextmanager
    def arriving(cls, browser: Browser, url: str, size: Any, phone: bool = False, **options: Any) -> Iterator[Self]:
        calm = {"reduced_motion": "reduce"}
        context = browser.new_context(
            viewport=size, has_touch=phone, is_mobile=phone, base_url=url, **{**calm, **options}
        )
        visitor = cls(context.new_page())
        visitor.page.goto("/")
        yield visitor
        context.close()
        assert visitor.troubles == []
        assert visitor.hosts <= {url.split("/")[2]}, "the page asked another host"

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(message.text)

    def each_view(self) -> Iterator[Locator]:
        """Each tab, once it is opened and what its view loads has come, or is not there: a champion that was released
        before the views has none of it."""
        for tab in self.page.get_by_role("tab").all():
            tab.click()
            expect(tab).to_have_attribute("aria-selected", "true")
            self.settles()
            yield tab
        self.troubles = [one for one in self.troubles if "404" not in one]

    def settles(self) -> None:
        """Until nothing has been on its way for a moment."""
        end, calm = time.monotonic() + PATIENCE_MS / 1000, 0
        while calm < 3:
            self.page.wait_for_timeout(60)
            calm = 0 if self._coming else calm + 1
            assert time.monotonic() < end, self._coming

    def draw(self, strokes: list[Stroke], lift: bool = True) -> None:
        box = self.page.locator("#paper").bounding_box()
        assert box
        mouse = self.page.mouse
        for stroke in strokes:
            points = [(box["x"] + right * box["width"], box["y"] + down * box["height"]) for right, down in stroke]
            mouse.move(*points[0])
            mouse.down()
            for point in points[1:]:
                mouse.move(*point, steps=5)
            if lift:
                mouse.up()

    def draw_by_finger(self, stroke: Stroke, where: str = "#paper") -> None:
        box = self.page.locator(where).bounding_box()
        assert box
        session = self.page.context.new_cdp_session(self.page)
        kinds = ["touchStart", *["touchMove"] * (len(stroke) - 1)]
        for kind, (right, down) in zip(kinds, stroke, strict=True):
            point = {"x": box["x"] + right * box["width"], "y": box["y"] + down * box["height"]}
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def sees_digit(self, digit: int | str) -> None:
        expect(self.page.locator("#digit")).to_have_text(str(digit))

    def waits(self) -> None:
        """Until nothing more is to come."""
        expect(self.page.locator("#reading")).to_have_attribute("aria-busy", "false")

    def reads(self, words: str) -> None:
        expect(self.page.locator("#said")).to_contain_text(words)

    def click(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def looks_at(self, selector: str, place: int = 0) -> np.ndarray:
        """What is on the screen there, once nothing above it grows any more: int [height, width, 3]."""
        there = self.page.locator(selector).nth(place)
        there.scroll_into_view_if_needed()
        box, shot = there.bounding_box(), there.screenshot()
        while box != (box := there.bounding_box()):
            shot = there.screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def greenish(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 1] > pixels[..., 0] + 40) & (pixels[..., 1] > pixels[..., 2] + 20)


def reddish(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > pixels[..., 1] + 40) & (pixels[..., 0] > pixels[..., 2] + 40)


def dark(pixels: np.ndarray) -> np.ndarray:
    return pixels.sum(axis=-1) < 200
