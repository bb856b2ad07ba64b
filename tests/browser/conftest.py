"""A browser before the page: the system's Chromium or Playwright's, and the champion, served by this code."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.page import chromium
from pipeline import package, params, serve
from tests.browser.visitor import SIZES, Visitor


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        champion = serve.find(params.load("data.source")) / "src"
    except serve.ServeError as error:
        pytest.skip(str(error))
    card = json.loads((champion / "card.json").read_text())
    folder = tmp_path_factory.mktemp("champion")
    show = champion / "show"  # which one that was released before the views has not
    built = package.build(champion / "model.onnx", package.SERVING, folder, card, show if show.is_dir() else None)
    with serve.running(Path(shutil.copytree(built, folder / "served"))) as url:
        yield url


@pytest.fixture(scope="module")  # Playwright's event loop must be gone before other tests run theirs
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium(playwright)
        if not Path(path).exists():
            pytest.skip("no browser: Debian's chromium-headless-shell or `playwright install chromium` brings one")
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def visitor(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Visitor]:
    """Somebody before the page, on a desktop and on a phone. Nothing may go wrong behind their back."""
    with Visitor.arriving(browser, url, SIZES[request.param], phone=request.param == "phone") as visitor:
        yield visitor


@pytest.fixture
def desktop(browser: Browser, url: str) -> Iterator[Visitor]:
    with Visitor.arriving(browser, url, SIZES["desktop"]) as visitor:
        yield visitor
