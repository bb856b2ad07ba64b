"""What surrounds a command changes nothing that it does: the terminal's encoding, a proxy, a user without a name."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.workspace import ROOT, prepare

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN_1 = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}
NOBODY = "127.0.0.1:1"
"""Where no proxy answers."""


def run(folder: Path, *command: str, **environ: str) -> str:
    """What a Python command prints in a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environ
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(environ.get("PYTHONIOENCODING", "ascii"))


@pytest.mark.parametrize(("locale", "shown"), [(ASCII, "? 8?8"), (LATIN_1, "? 8×8")])
def test_what_a_terminal_cannot_show_is_a_question_mark(tmp_path: Path, locale: dict[str, str], shown: str) -> None:
    assert run(tmp_path, "-c", r"import pipeline; print('\u2192 8\xd78')", **locale).strip() == shown


@pytest.mark.slow
def test_a_stage_that_prints_a_table_does_so_on_any_terminal(tmp_path: Path) -> None:
    prepare(tmp_path, "uci-digits")
    for stage in ("download", "preprocess"):
        printed = run(tmp_path, "-m", f"pipeline.{stage}", **ASCII)
    assert "?" in printed, "the degrees of slant"
    assert (tmp_path / "data/processed/samples.parquet").exists()


@pytest.fixture
def here() -> Iterator[str]:
    """A server on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


ASK = """
import sys
import pipeline
import httpx, requests  # by the one Inkwell asks, by the other MLflow
print(httpx.get(sys.argv[1]).status_code, requests.get(sys.argv[1], timeout=9).status_code)
"""


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("spared", ["", "example.org", "*"])
def test_no_proxy_is_asked_for_what_is_on_this_machine(tmp_path: Path, here: str, kind: str, spared: str) -> None:
    if kind == "socks5":
        pytest.importorskip("socksio", reason="socksio is not installed: make setup")
    proxies = {"HTTP_PROXY": f"{kind}://{NOBODY}", "ALL_PROXY": f"{kind}://{NOBODY}", "NO_PROXY": spared}
    assert run(tmp_path, "-c", ASK, here, **proxies).split() == ["204", "204"]


NAMELESS = """
import os, pwd

def nobody(uid):
    raise KeyError(uid)

pwd.getpwuid = nobody
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
import pipeline
from dvc.repo import Repo
from mlflow.tracking.context.default_context import DefaultRunContext
Repo(".", uninitialized=True).site_cache_dir
print(DefaultRunContext().tags()["mlflow.user"])
"""


def test_a_user_without_a_name_is_called_by_number(tmp_path: Path) -> None:
    assert run(tmp_path, "-c", NAMELESS).strip() == str(os.getuid())
