"""What befalls a checkout between runs: another run, a DVC that was killed, a cache that was lost."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline import __main__ as command
from pipeline import checkout
from tests.pipeline.workspace import contents, dvc_repo

GRAPH = """
stages:
  one:
    cmd: echo one >> ran; mkdir folder; echo 1 > folder/a; echo 2 > folder/b
    deps: [source]
    outs: [folder]
  two:
    cmd: echo two >> ran; cat folder/* > file
    deps: [folder]
    outs: [file]
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A project of two stages that were run once."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path("dvc.yaml").write_text(GRAPH)
    Path("source").touch()
    made = dvc_repo(tmp_path)
    made.reproduce()
    assert ran() == ["one", "two"]
    return made


def ran() -> list[str]:
    return Path("ran").read_text().split()


def test_a_second_run_in_a_checkout_is_refused_in_a_line_and_changes_nothing(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    shutil.copy(built / "params.yaml", tmp_path)
    before = Path("params.yaml").read_text()
    with checkout.held(), pytest.raises(SystemExit) as caught:
        command.main(["uci-digits"])
    assert caught.value.code == (
        f"pipeline: process {os.getpid()} runs the pipeline in this checkout: wait for it, or stop it."
    )
    assert Path("params.yaml").read_text() == before
    with checkout.held():
        pass


def note(pid: int, command: str = "dvc repro") -> None:
    """Write what DVC does while a process runs a stage."""
    info = {"pid": pid, "cmd": command}
    checkout.RWLOCK.parent.mkdir(parents=True, exist_ok=True)
    checkout.RWLOCK.write_text(json.dumps({"write": {"/here/file": info}, "read": {"/here/folder": [info]}}))


def test_a_checkout_in_which_somebody_runs_dvc_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()", "repro", "train"], stdin=subprocess.PIPE) as other:
        time.sleep(0.1)
        note(other.pid, "dvc repro evaluate")  # the process has other arguments: it has a dead one's number
        with checkout.held():
            assert not checkout.RWLOCK.exists()
        note(other.pid, "dvc repro train")
        with pytest.raises(checkout.BusyError, match=f"process {other.pid} runs DVC"), checkout.held():
            pass
        assert checkout.RWLOCK.exists()
        os.utime(checkout.RWLOCK, (0, 0))  # the process is younger than the note: it has a dead one's number
        with checkout.held():
            assert not checkout.RWLOCK.exists()
        other.communicate(b"\n")
    note(other.pid)
    with checkout.held():
        assert not checkout.RWLOCK.exists()


@pytest.mark.parametrize("text", ["", '{"write": {"/here'])
def test_what_dvc_left_half_written_does_not_stop_the_next_run(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    note(1)
    checkout.RWLOCK.write_text(text)
    with checkout.held():
        assert not checkout.RWLOCK.exists()


@pytest.mark.parametrize("committed", [False, True])
def test_a_lock_file_cut_off_anywhere_makes_no_stage_run_again(repo: Repo, committed: bool) -> None:
    whole = Path("dvc.lock").read_text()
    if committed:  # as it was before the second stage was added
        Path("dvc.lock").write_text(whole[: whole.index("  two:")])
        subprocess.run(["git", "add", "dvc.lock"], check=True)
        who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        subprocess.run(["git", *who, "commit", "--quiet", "-m", "lock"], check=True)
    mended = 0
    tried = {0, *random.sample(range(len(whole)), 10)}
    for length in range(len(whole)):
        Path("dvc.lock").write_text(whole[:length])
        mended += checkout.mend_lock()
        if length in tried:
            with Repo() as again:
                again.reproduce()
            assert Path("dvc.lock").read_text() == whole, length
    assert ran() == ["one", "two"]
    assert mended
    assert not checkout.mend_lock()


def test_a_lost_cache_is_filled_from_the_workspace_and_no_stage_runs_again(repo: Repo) -> None:
    shutil.rmtree(".dvc/cache")
    assert checkout.refill_cache() == 2
    shutil.rmtree("folder")
    with Repo() as again:
        again.checkout(force=True)
        assert not again.status()
    assert sorted(path.name for path in Path("folder").iterdir()) == ["a", "b"]
    assert ran() == ["one", "two"]
    assert checkout.refill_cache() == 0


def test_what_was_changed_is_not_taken_for_what_was_lost(repo: Repo) -> None:
    shutil.rmtree(".dvc/cache")
    Path("file").unlink()
    Path("file").write_text("otherwise")
    Path("folder/a").unlink()
    assert checkout.refill_cache() == 0


@pytest.mark.parametrize("first", [True, False])
def test_a_promotion_that_dvc_does_not_know_of_is_made_again_from_where_it_began(tmp_path, monkeypatch, first):
    def stands(name: str) -> None:
        Path("models/best").mkdir(parents=True, exist_ok=True)
        Path("models/best/model").write_text(name)

    def dvc_knows(md5: str) -> None:
        Path("dvc.lock").write_text(f"stages: {{promote: {{outs: [{{md5: {md5}}}]}}}}\n")

    monkeypatch.chdir(tmp_path)
    if not first:
        stands("old")
        dvc_knows("1")
    before = contents(Path("models"))
    checkout.settle_champion()
    for _ in range(2):
        stands("new")
        checkout.settle_champion()
        assert contents(Path("models")) == before
    stands("new")
    dvc_knows("2")
    checkout.settle_champion()
    stands("newer")
    checkout.settle_champion()
    assert Path("models/best/model").read_text() == "new"
    checkout.forget_champion()
    stands("other")
    checkout.settle_champion()
    assert Path("models/best/model").read_text() == "other"
