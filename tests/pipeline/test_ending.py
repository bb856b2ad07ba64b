"""What ends a stage ends its workers too, wherever in the chain above it falls, and nothing goes on writing."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos import named, processes, signals_as_in_a_terminal, told
from tests.pipeline.workspace import ROOT, dvc_repo, prepare

STANDIN = Path(__file__).with_name("standin.py")
SOON_S = 5.0
SHELL = 'python standin.py fork; echo "the shell waits for its command"'
DVC = f"""
import os, subprocess
subprocess.run(["sh", "-c", {SHELL!r}], env=os.environ | {{"DVC_STAGE": "standin"}})
"""
"""Stands for DVC, with a shell that does not become its command."""

BUSY = 'pool.map(write, range(2)); import hashlib; hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)'
"""C code of many minutes, which no signal breaks off."""

IMPORTING = """
import pipeline, time
open("worker-0", "w"), open("worker-1", "w")
time.sleep(60)
"""
"""A stage whose imports take long."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command in the test's folder, in a group of its own, and wait until both workers write."""
    shutil.copy(STANDIN, tmp_path)

    def started(*command: str, **options: Any) -> subprocess.Popen[bytes]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(("DVC_", "MAKE", "MLFLOW"))}
        path = f"{Path(sys.executable).parent}:{own['PATH']}"
        environ = own | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        with (tmp_path / "log").open("ab") as log, signals_as_in_a_terminal():
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environ, stdout=log, stderr=log, start_new_session=True, **options
            )
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("worker-*"))) < 2:
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.02)
        return process

    yield started
    for process in processes(tmp_path):
        process.kill()


def assert_nothing_is_left(folder: Path) -> None:
    deadline = time.monotonic() + SOON_S
    while left := processes(folder):
        assert time.monotonic() < deadline, [told(one) for one in left]
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("spawn", signal.SIGTERM),
        ("spawn", signal.SIGKILL),
        ("fork", signal.SIGHUP),
        ("fork", signal.SIGINT),
        ("fork", signal.SIGKILL),
    ],
)
def test_a_stage_ends_with_its_workers(start, tmp_path, method, number):
    stage = start("python", "standin.py", method)
    stage.send_signal(number)
    assert stage.wait(SOON_S) == (-number if number == signal.SIGKILL else 128 + number)
    assert_nothing_is_left(tmp_path)
    assert (tmp_path / "closed").exists() == (number != signal.SIGKILL)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert said.count("The same command goes on") == (number != signal.SIGKILL)


def test_a_stage_whose_main_thread_does_not_come_back_ends_nevertheless(start, tmp_path):
    text = STANDIN.read_text().replace("list(pool.map(write, range(2)))", BUSY)
    (tmp_path / "standin.py").write_text(text)
    stage = start("python", "standin.py", "fork")
    stage.send_signal(signal.SIGTERM)
    assert stage.wait(SOON_S) == 128 + signal.SIGTERM
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("part", ["pipeline.ending", "-c", "standin.py fork"])
def test_a_stage_ends_with_whoever_runs_it(start, tmp_path, part):
    """The launcher of DVC, DVC's shell, which is left with nobody to wait for, and the stage under it."""
    (tmp_path / "standin_for_dvc.py").write_text(DVC)
    run = start("python", "-m", "pipeline.ending", "standin_for_dvc")
    named(sorted(processes(tmp_path), key=lambda one: one.create_time()), part)[0].kill()
    assert_nothing_is_left(tmp_path)
    assert run.wait() is not None


@pytest.mark.parametrize("part", ["pipeline.ending", "-c"])
def test_a_stage_that_still_imports_ends_with_whoever_runs_it(start, tmp_path, part):
    (tmp_path / "standin_for_dvc.py").write_text(DVC)
    (tmp_path / "standin.py").write_text(IMPORTING)
    start("python", "-m", "pipeline.ending", "standin_for_dvc")
    named(sorted(processes(tmp_path), key=lambda one: one.create_time()), part)[0].kill()
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("by", [[], ["sh", "-c", '"$@"; true', "sh"]], ids=["DVC itself", "its shell"])
def test_a_stage_whose_run_is_gone_before_it_looks_does_not_begin(tmp_path, by):
    shutil.copy(STANDIN, tmp_path)
    script = f"import os, subprocess; subprocess.Popen({[*by, sys.executable, 'standin.py', 'fork']!r})"
    environ = os.environ | {"PYTHONPATH": str(ROOT), "DVC_STAGE": "standin"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environ, start_new_session=True, check=True)
    deadline = time.monotonic() + 30
    while processes(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(tmp_path.glob("worker-*"))


@pytest.mark.parametrize(("prefix", "stays"), [("", False), ("nohup ", True), ("setsid ", True)])
def test_a_stage_by_hand_ends_with_the_script_that_began_it_but_under_nohup(start, tmp_path, prefix, stays):
    script = start("sh", "-c", f"{prefix}python standin.py fork & read forever", stdin=subprocess.PIPE)
    script.kill()
    script.wait()
    if stays:
        time.sleep(1)
        assert processes(tmp_path)
        return
    assert_nothing_is_left(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["make", "-m pipeline uci-digits"])
def test_make_run_ends_with_all_that_it_began(start, tmp_path, part):
    """As with SIGKILL, which nobody can pass on. DVC is run by `python -m pipeline`, which make runs."""
    prepare(tmp_path, "uci-digits")
    dvc_repo(tmp_path, scm=False)
    (tmp_path / "dvc.yaml").write_text("stages:\n  standin:\n    cmd: python standin.py spawn\n")
    make = start("make", "-f", str(ROOT / "Makefile"), "-o", ".venv/.installed", "run", "DATA=uci-digits")
    stages = [one for one in named(processes(tmp_path), "standin.py") if "-c" not in one.cmdline()]  # no shell's line
    assert len(stages) == 1
    named(processes(tmp_path), part)[0].kill()
    assert_nothing_is_left(tmp_path)
    assert make.wait()


SERVER = """
import subprocess, sys, time
from contextlib import nullcontext
from pathlib import Path
from pipeline import serve

serve.command = lambda *_: [sys.executable, "server.py"]
serve._await_ready = lambda *_: None
with serve.running(Path("bento")):
    Path("worker-0").touch()
    time.sleep(60)
"""


def test_a_server_that_is_tried_ends_with_the_stage_that_tries_it(start, tmp_path):
    (tmp_path / "server.py").write_text(
        "import subprocess, sys; subprocess.run([sys.executable, 'worker.py'], start_new_session=True)"
    )
    (tmp_path / "worker.py").write_text("import time; open('worker-1', 'w'); time.sleep(60)")
    stage = start(sys.executable, "-c", SERVER)
    assert len(processes(tmp_path)) == 4, "the stage, its server, the server's worker and its guard"
    stage.kill()
    stage.wait()
    assert_nothing_is_left(tmp_path)
