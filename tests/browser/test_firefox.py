"""The page in Debian's Firefox, which reads CSS, draws and takes keys by code of its own."""

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.firefox import Firefox
from tests.browser.visitor import SEVEN, SIZES, dark

SCREENS = {
    "desktop": (*SIZES["desktop"].values(), 1),
    "phone": (*SIZES["phone"].values(), 1),
    "landscape": (844, 390, 1),
    "at 200 %": (640, 430, 2),
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    program = shutil.which("firefox-esr")
    if not program:
        pytest.skip("there is no Firefox: Debian's package firefox-esr brings one")
    with Firefox.started(program, tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture
def firefox(started: Firefox) -> Iterator[Firefox]:
    """The same window for all; nothing may go wrong behind their back."""
    started.troubles.clear()
    yield started
    started.run("1")  # what was logged meanwhile has arrived
    assert started.troubles == []


@pytest.mark.parametrize("screen", SCREENS)
def test_a_digit_is_drawn_and_its_answer_is_seen_beside_it(firefox, url, screen):
    width, height, ratio = SCREENS[screen]
    firefox.arrives(f"{url}/?{screen[:5]}", width, height, ratio)
    firefox.sees("#said", "Waiting for your pen")
    firefox.draw(SEVEN)
    firefox.sees("#digit", "7")
    assert firefox.run("devicePixelRatio") == ratio
    assert 0.02 < dark(firefox.looks_at("#paper")).mean() < 0.3
    assert firefox.run("document.documentElement.scrollWidth <= innerWidth")
    for part in ("#paper", "#digit", "#said", "#clear"):
        box = firefox.box(part)
        assert 0 <= box["y"] < box["y"] + box["height"] <= height, part
        assert 0 <= box["x"] < box["x"] + box["width"] <= width, part


def test_the_inside_is_looked_into_and_each_view_opens(firefox, url):
    firefox.arrives(f"{url}/?inside", *SCREENS["desktop"])
    firefox.draw(SEVEN)
    firefox.sees("#digit", "7")
    firefox.click("#tab-inside")
    firefox.sees("#steps", "Is it a digit at all?")
    lit = firefox.looks_at("#steps > li:nth-child(2) canvas")
    assert dark(lit).mean() > 0.5
    assert lit.max() > 200
    for name in firefox.run("[...document.querySelectorAll('[role=tab]')].map((tab) => tab.id)"):
        firefox.click(f"#{name}")
        panel = f"document.querySelector('[aria-labelledby={name}]')"
        firefox.waits_for(f"{panel}.offsetHeight > 100")
        assert firefox.run("document.documentElement.scrollWidth <= innerWidth"), name


def test_keys_alone_draw_undo_and_clear(firefox, url):
    firefox.arrives(f"{url}/?keys", *SCREENS["desktop"])
    firefox.press("\ue004")  # Tab
    assert firefox.run("document.activeElement.id") == "paper"
    firefox.press(*["ArrowUp"] * 9, " ", *["ArrowDown"] * 18, " ")
    firefox.sees("#digit", "1")
    firefox.sees("#spoken", "It is a 1")
    firefox.press("\ue003")  # Backspace
    firefox.sees("#said", "Waiting for your pen")
    firefox.click("#redo")
    firefox.sees("#digit", "1")
    firefox.run("document.querySelector('#paper').focus()")
    firefox.press("Escape")
    firefox.sees("#said", "Waiting for your pen")
