"""Debian's Firefox, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi): Playwright drives only its own."""

import asyncio
import base64
import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import numpy as np
from PIL import Image

from tests.browser.visitor import PATIENCE_MS, Stroke

PATIENCE_S = PATIENCE_MS / 1000
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
PREFERENCES = {
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.auto": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "ui.prefersReducedMotion": 1,
}
KEYS = {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Escape": "\ue00c"}


class Firefox:
    """A window, and what somebody before it does and sees. troubles: what went wrong behind their back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket, self._sent = loop, socket, 0
        self.troubles: list[str] = []
        self._command("session.new", capabilities={})
        self._command("session.subscribe", events=["log.entryAdded"])
        [window] = self._command("browsingContext.getTree")["contexts"]
        self._window = {"context": window["context"]}

    @classmethod
    @contextmanager
    def started(cls, program: str, profile: Path) -> Iterator[Self]:
        """Firefox, without a screen, with a profile of its own."""
        lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        loop = asyncio.new_event_loop()
        assert process.stderr
        try:
            address = next(found[1] for line in process.stderr if (found := LISTENING.search(line)))
            client = loop.run_until_complete(_client())
            socket = loop.run_until_complete(client.ws_connect(f"{address}/session", max_msg_size=0))
            yield cls(loop, socket)
            loop.run_until_complete(client.close())
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()
            loop.close()

    def _command(self, method: str, **params: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(asyncio.wait_for(self._answered(method, params), PATIENCE_S))

    async def _answered(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        while True:
            told = await self._socket.receive_json()
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.troubles.append(told["params"]["text"])
            elif told.get("id") == self._sent:
                assert told["type"] == "success", told
                result: dict[str, Any] = told["result"]
                return result

    def arrives(self, url: str, width: int, height: int, ratio: float = 1) -> None:
        """Open an address in a window of so many CSS pixels, each `ratio` pixels of the screen wide."""
        size = {"width": width, "height": height}
        self._command("browsingContext.setViewport", **self._window, viewport=size, devicePixelRatio=ratio)
        self._command("browsingContext.navigate", **self._window, url=url, wait="complete")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, which may be a promise."""
        whole = f"(async () => JSON.stringify(await ({script})))()"
        told = self._command("script.evaluate", expression=whole, target=self._window, awaitPromise=True)
        assert told["type"] == "success", told
        return json.loads(told["result"].get("value", "null"))

    def waits_for(self, script: str) -> None:
        """Wait until an expression holds."""
        end = time.monotonic() + PATIENCE_S
        while not self.run(script):
            assert time.monotonic() < end, script
            time.sleep(0.05)

    def sees(self, selector: str, words: str) -> None:
        """Wait until words stand there."""
        where = f"document.querySelector({json.dumps(selector)})"
        self.waits_for(f"{where}.textContent.includes({json.dumps(words)})")

    def box(self, selector: str) -> dict[str, float]:
        """Where an element is on the screen: x, y, width and height."""
        box: dict[str, float] = self.run(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()")
        return box

    def _brought(self, selector: str) -> dict[str, float]:
        """Where an element is that was brought onto the screen, once nothing above it grows any more."""
        before, box = None, None
        while box is None or box != before:
            self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{ block: 'center' }})")
            before, box = box, self.box(selector)
            time.sleep(0.1)
        return box

    def looks_at(self, selector: str) -> np.ndarray:
        """What is on the screen there: int [height, width, 3]."""
        box = {side: value for side, value in self._brought(selector).items() if side in ("x", "y", "width", "height")}
        shot = self._command("browsingContext.captureScreenshot", **self._window, clip={"type": "box", **box})
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")).astype(int)

    def click(self, selector: str) -> None:
        self._points([_to(self._brought(selector), 0.5, 0.5), DOWN, UP])

    def draw(self, strokes: list[Stroke]) -> None:
        """Draw on the paper, with places as shares of its sides."""
        box = self.box("#paper")
        for stroke in strokes:
            first, *others = [_to(box, right, down) for right, down in stroke]
            self._points([first, DOWN, *others, UP])

    def press(self, *keys: str) -> None:
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": actions})

    def _points(self, actions: list[dict[str, Any]]) -> None:
        mouse = {"pointerType": "mouse"}
        self._act({"type": "pointer", "id": "mouse", "parameters": mouse, "actions": actions})

    def _act(self, source: dict[str, Any]) -> None:
        self._command("input.performActions", **self._window, actions=[source])


DOWN, UP = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))


async def _client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _to(box: dict[str, float], right: float, down: float) -> dict[str, Any]:
    """A move to a place in a box; it takes some milliseconds, on which moves between are made."""
    x, y = box["x"] + right * box["width"], box["y"] + down * box["height"]
    return {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 60}
