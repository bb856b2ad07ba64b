"""How quick and how light is the page, in a browser on a desk and on a slow phone?

    python -m benchmarks.page [--visits 7] [--bento FOLDER] [--results benchmarks/page.json]

Somebody comes for the first time, draws a seven, looks inside while they draw it again, and comes a second time. Each
number is the median of all visits; the desk's are held to bars. The phone is Lighthouse's: a line of 1.6 Mbit/s with
150 ms to and fro, and a processor a quarter as fast. Ends with status 1 where a bar is missed.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.bars import Bar, hold
from benchmarks.machine import processor
from benchmarks.serving import champion
from pipeline import serve

RESULTS = Path("benchmarks/page.json")
SYSTEMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "slow phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
SLOWER = 4
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SEVEN = [[(0.27, 0.22), (0.73, 0.22)], [(0.73, 0.22), (0.45, 0.82)]]
MOVES, MOVE_MS = 30, 60  # of a stroke that is drawn slowly
BUDGETS = {"first paint, ms": 300, "first answer, ms": 150, "looks inside for a digit": 8}

WATCH = """() => {
    const watched = (window.watched = {});
    const paper = document.querySelector("#paper");
    paper.addEventListener("pointerdown", () => { watched.began ??= performance.now(); }, { capture: true });
    new MutationObserver(() => {
        const answered = watched.began && document.querySelector("#digit").textContent !== "·";
        if (answered) watched.answered ??= performance.now();
    }).observe(document.querySelector("#digit"), { childList: true, characterData: true, subtree: true });
}"""
LOADED = """() => {
    const all = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    const sum = (of) => all.reduce((total, one) => total + one[of], 0);
    return { travelled: sum("transferSize"), content: sum("decodedBodySize"), files: all.length };
}"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


def chromium(playwright: Playwright) -> str:
    """The path of the system's Chromium, or else of Playwright's, which need not be there."""
    return next(filter(None, map(shutil.which, SYSTEMS)), playwright.chromium.executable_path)


def visit(browser: Browser, url: str, device: str, move_ms: int = MOVE_MS) -> dict[str, float]:
    """What one visitor's browser measures, from a first visit with nothing kept to the end of a second."""
    context = browser.new_context(base_url=url, **DEVICES[device])
    page = context.new_page()
    if device == "slow phone":
        session = context.new_cdp_session(page)
        session.send("Network.emulateNetworkConditions", LINE)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    first = arrive(page)
    found = {"first paint, ms": page.evaluate(PAINTED)}
    page.evaluate(WATCH)
    draw(page, 0)
    page.wait_for_function("watched.answered")
    found["first answer, ms"] = page.evaluate("watched.answered - watched.began")
    settle(page)
    page.click("#clear")
    found["looks inside for a digit"] = looks(page, move_ms)
    second = arrive(page)
    context.close()
    return found | {
        "first visit, bytes on the line": first["travelled"],
        "first visit, bytes of content": first["content"],
        "first visit, files": first["files"],
        "second visit, bytes on the line": second["travelled"],
    }


def arrive(page: Page) -> dict[str, float]:
    """Come to the page; what was loaded until nothing more came."""
    page.goto("/", wait_until="networkidle")
    loaded: dict[str, float] = page.evaluate(LOADED)
    return loaded


def draw(page: Page, move_ms: int) -> None:
    """Draw a seven of two strokes, a move every so many milliseconds."""
    box = page.locator("#paper").bounding_box()
    assert box
    for (left, top), (right, bottom) in SEVEN:
        for move in range(MOVES + 1):
            across, down = (a + (b - a) * move / MOVES for a, b in ((left, right), (top, bottom)))
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            if not move:
                page.mouse.down()
            page.wait_for_timeout(move_ms)
        page.mouse.up()


def looks(page: Page, move_ms: int) -> float:
    """How often the inside is asked for while a digit is drawn there."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("#tab-inside")
    draw(page, move_ms)
    settle(page)
    page.click("#tab-answer")
    return sum(url.endswith("/explain") for url in asked)


def settle(page: Page) -> None:
    """Until no answer is awaited any more."""
    page.wait_for_selector("#reading[aria-busy=false]", state="attached")


def measured(url: str, visits: int, move_ms: int = MOVE_MS) -> dict[str, dict[str, float]]:
    """For each device the median of each number."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright))
        found = {}
        for device in DEVICES:
            all_of_them = [visit(browser, url, device, move_ms) for _ in range(visits)]
            found[device] = {what: statistics.median(one[what] for one in all_of_them) for what in all_of_them[0]}
        browser.close()
    return found


def report(found: Mapping[str, Mapping[str, float]]) -> bool:
    """Print what was measured, and say whether the desk's bars are held."""
    table = Table("", *(f"on a {device}" for device in found), title="The page")
    for what in found["desktop"]:
        table.add_row(what, *(f"{device[what]:,.0f}" for device in found.values()))
    Console().print(table)
    return hold("On a desktop", [Bar(what, found["desktop"][what], most=most) for what, most in BUDGETS.items()])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visits", type=int, default=7, help="of each device")
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the medians are kept")
    options = parser.parse_args()
    with serve.running(options.bento or champion("mnist")) as url:
        found = measured(url, options.visits)
    content = {"processor": processor(), "visits": options.visits, **found}
    options.results.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sys.exit(not report(found))


if __name__ == "__main__":
    main()
