"""GET /docs: what a person finds there is true, and each line that can be copied from there works as it stands."""

import json
import re
import shutil
import subprocess
import sys
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from starlette.routing import Route

from serving import errors, lines, openapi
from serving.app import ROUTES
from serving.model.recogniser import Reason
from serving.openapi import ApiRoute

DOCUMENT = openapi.document(ROUTES)
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
SAYS = {
    "/predict": {lines.SHELL: '"digit":7.*"digit":7', lines.PYTHON: r"^7 0\.9", lines.JAVASCRIPT: r"^7 0\.9"},
    "/predict_pixels": {
        lines.SHELL: '"digit":1.*' + ".*".join(f'"digit":{digit}' for digit in range(10)),
        lines.PYTHON: r"^1 0\.9|^1 1",
        lines.JAVASCRIPT: r"\[ 1, 1 \]",
    },
    "/predict_prepared": {
        lines.SHELL: ".*".join(f'"digit":{digit}' for digit in range(10)),
        **dict.fromkeys((lines.PYTHON, lines.JAVASCRIPT), r"0,\s+1,\s+2,\s+3,\s+4,\s+5,\s+6,\s+7,\s+8,\s+9"),
    },
    "/explain": {lines.SHELL: "", lines.PYTHON: "^7 by way of [2-9]", lines.JAVASCRIPT: "^7 by way of [2-9]"},
    "/unit": {lines.SHELL: '"output":', lines.PYTHON: r"gives \d", lines.JAVASCRIPT: r"gives \d"},
    "/without": {lines.SHELL: '"digit":7', lines.PYTHON: "^7 becomes 7", lines.JAVASCRIPT: "^7 becomes 7"},
    "/compare": {lines.SHELL: "", lines.PYTHON: r"^\{.*\}", lines.JAVASCRIPT: ""},
    "/model": dict.fromkeys((lines.SHELL, lines.PYTHON, lines.JAVASCRIPT), r'"name":"\w+"'),
    "/docs.json": dict.fromkeys((lines.SHELL, lines.PYTHON, lines.JAVASCRIPT), '"openapi":"3.1.0"'),
    "/schema.json": dict.fromkeys((lines.SHELL, lines.PYTHON, lines.JAVASCRIPT), '"routes":'),
    "/metrics": dict.fromkeys((lines.SHELL, lines.PYTHON, lines.JAVASCRIPT), "inkwell_answers_total"),
}
"""For each path what its lines print. The probes print nothing but a line's end."""
TRIES = {"/without": 20}
"""A busy machine refuses what takes long, and lines to copy do not ask again."""
REFUSED = {
    lines.SHELL: errors.OVERLOADED.code,
    lines.PYTHON: f"HTTP Error {errors.OVERLOADED.status}",
    lines.JAVASCRIPT: "properties of undefined (reading 'digit')",
}
"""What lines say to which the service refuses an answer."""


def run_in(language: str, source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What comes of lines that are typed, or run as a file, in a folder."""
    if language == lines.JAVASCRIPT and not shutil.which("node"):
        pytest.skip("there is no node")
    file = folder / "lines.mjs"
    file.write_text(source)
    command = {
        lines.SHELL: ["bash", "-e", str(file)],
        lines.PYTHON: [sys.executable, "-I", str(file)],
        lines.JAVASCRIPT: ["node", str(file)],
    }
    return subprocess.run(command[language], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("language", [lines.SHELL, lines.PYTHON, lines.JAVASCRIPT])
@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_lines_to_copy_work_as_they_stand(champion, path, language, tmp_path):
    [source] = [found for name, found in shown(champion.get("/docs").text)[path] if name == language]
    expected = SAYS.get(path, {}).get(language, r"^\s*$")
    for left in reversed(range(TRIES.get(path, 1))):
        done = run_in(language, source.replace(lines.SERVICE, str(champion.base_url).rstrip("/")), tmp_path)
        if done.returncode == 0 and re.search(expected, done.stdout, re.DOTALL):
            break
        said = done.stdout + done.stderr
        assert left, said
        assert REFUSED[language] in said, said
        time.sleep(1)
    if "explained.json" in source:
        assert json.loads((tmp_path / "explained.json").read_text())["answer"]["digit"] == 7


def shown(page: str) -> dict[str, list[tuple[str, str]]]:
    """For each path that the page describes, the language and the source of each of its lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for article in re.findall(r"<article.*?</article>", page, re.DOTALL):
        [path] = re.findall(r"<h3.*?</b> (.*?)</code>", article)
        pairs = re.findall(r'data-language="(.*?)".*?<code>(.*?)</code>', article, re.DOTALL)
        found[path] = [(language, unescape(source)) for language, source in pairs]
    return found


def test_every_path_is_there_and_every_error_and_every_reason(client):
    page = client.get("/docs").text
    text = unescape(re.sub(r"<.*?>", "", page))
    assert set(shown(page)) == set(DOCUMENT["paths"])
    assert all(f"{method.upper()} {path}" in text for path, method in OPERATIONS)
    assert all(text.count(entry(*entry.example).message) >= 1 for entry in errors.catalogue())
    assert all(f"<td>{entry.status}</td><td><code>{entry.code}</code></td>" in page for entry in errors.catalogue())
    assert all(f"<code>{reason}</code>" in page for reason in get_args(Reason))
    assert "$" not in text


def test_files_of_the_pages_are_no_operations():
    files = {route.path for route in ROUTES if isinstance(route, Route) and not isinstance(route, ApiRoute)}
    assert {"/", "/docs", "/page/main.js", f"{lines.SAMPLES}/seven.png"} <= files
    assert not files & set(DOCUMENT["paths"])


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_what_a_page_points_at_is_there(client, page):
    pointed: list[str] = []
    names: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            names.update(value for name, value in attrs if name == "id")
            pointed.extend(value for name, value in attrs if name in ("src", "href", "aria-labelledby"))

    Reader().feed(client.get(page).text)
    for place in pointed:
        if place.startswith(("#", "title-", "tab-")):
            assert place.lstrip("#") in names
        else:
            assert client.get(f"/{place.removeprefix('./')}").status_code == 200, place
    assert {"docs", "./"} & set(pointed), "each page leads to the other"


def test_samples_are_answered_as_the_page_says(champion):
    said = {}
    for name in ("seven.png", "photo.jpg", "twelve.png", "heart.png", "blank.png"):
        answer = champion.post("/predict", content=champion.get(f"{lines.SAMPLES}/{name}").content).json()
        said[name] = answer["digit"] if answer["reason"] is None else answer["reason"]
    assert said == {
        "seven.png": 7,
        "photo.jpg": 3,
        "twelve.png": "multiple",
        "heart.png": "not_a_digit",
        "blank.png": "blank",
    }
