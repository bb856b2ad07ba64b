"""Examples to begin with, and what is on the paper to take away: as a file, and as a command for a shell."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser.visitor import SEVEN, SIZES, Visitor, dark

LEAST = 8  # of ten examples, that even a champion with modest gates reads


def last_answer(visitor: Visitor) -> Any:
    """What the service says of what is on the paper."""
    visitor.page.keyboard.press("Control+z")
    visitor.waits()
    with visitor.page.expect_response("**/predict") as answered:
        visitor.page.keyboard.press("Control+y")
    visitor.waits()
    return answered.value.json()


def typed(visitor: Visitor, folder: Path) -> Any:
    """What comes of the command that the page shows, in a shell in a folder."""
    visitor.waits()
    command = visitor.page.locator("#command").inner_text()
    done = subprocess.run(["bash", "-e"], input=command, cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_example_is_drawn_as_strokes_and_read(visitor):
    examples = visitor.page.get_by_role("group", name="Examples").get_by_role("button")
    expect(examples).to_have_count(10)
    read = []
    for digit in range(10):
        assert 0.05 < dark(visitor.looks_at("#examples canvas", digit)).mean() < 0.6
        visitor.page.get_by_role("button", name=f"Draw a {digit}").click()
        visitor.waits()
        read.append(visitor.page.locator("#digit").inner_text())
    right = sum(told == str(digit) for digit, told in enumerate(read))
    assert right >= LEAST, read
    for _ in range(10):
        visitor.click("#undo")
    assert not dark(visitor.looks_at("#paper")).any(), "each was a step of its own"
    visitor.waits()


def test_the_drawing_is_saved_as_it_is_sent(desktop, tmp_path):
    expect(desktop.page.locator("#save")).to_be_disabled()
    desktop.draw(SEVEN)
    desktop.sees_digit(7)
    with desktop.page.expect_download() as download:
        desktop.click("#save")
    assert download.value.suggested_filename == "digit.png"
    download.value.save_as(tmp_path / "digit.png")
    with Image.open(tmp_path / "digit.png") as picture:
        assert picture.size == (280, 280)
        assert 0.02 < dark(np.asarray(picture.convert("RGB")).astype(int)).mean() < 0.3
    desktop.page.locator("#file").set_input_files(tmp_path / "digit.png")
    desktop.sees_digit(7)


def test_the_command_asks_this_service_about_this_drawing(browser: Browser, url: str, tmp_path):
    rights = ["clipboard-read", "clipboard-write"]
    with Visitor.arriving(browser, url, SIZES["desktop"], permissions=rights) as visitor:
        visitor.page.get_by_text("from a shell").click()
        expect(visitor.page.locator("#nothing")).to_be_visible()
        visitor.draw(SEVEN)
        expect(visitor.page.locator("#nothing")).to_be_hidden()
        expect(visitor.page.locator("#command")).to_contain_text(f"{url}/predict")
        seven = typed(visitor, tmp_path)
        assert seven["digit"] == 7
        visitor.page.get_by_role("button", name="Copy").click()
        expect(visitor.page.locator("#lines .copy")).to_have_text("Copied")
        copied = visitor.page.evaluate("navigator.clipboard.readText()")
        assert copied.strip() == visitor.page.locator("#command").inner_text().strip()
        visitor.draw([[(0.1, 0.5), (0.9, 0.5)]])
        assert typed(visitor, tmp_path) != seven, "it is the drawing as it is now"
        assert typed(visitor, tmp_path) == last_answer(visitor)
        visitor.click("#clear")
        expect(visitor.page.locator("#nothing")).to_be_visible()
        expect(visitor.page.locator("#command")).to_be_hidden()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_image_is_saved_first(desktop, tmp_path, kind):
    noise = np.random.default_rng().integers(120, 256, (300, 300, 3)).astype(np.uint8)
    noise[80:220, 140:165] = 0
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    mime = f"image/{kind.lower()}"
    desktop.page.get_by_text("from a shell").click()
    desktop.page.locator("#file").set_input_files({"name": "'; x", "mimeType": mime, "buffer": file.getvalue()})
    expect(desktop.page.locator("#command")).to_contain_text("press Save")
    with desktop.page.expect_download() as download:
        desktop.click("#save")
    download.value.save_as(tmp_path / download.value.suggested_filename)
    assert typed(desktop, tmp_path) == last_answer(desktop)
