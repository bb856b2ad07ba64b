"""The swap of a folder: whatever it is cut off by, the old one or the new one stands there whole."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.files import recover, replacing


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "out"
    for name in ("first", "second"):
        with replacing(folder) as new:
            (new / name).touch()
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_stays_as_it_was_when_its_replacement_fails(tmp_path):
    folder = tmp_path / "out"
    with replacing(folder) as new:
        (new / "first").touch()
    with pytest.raises(IsADirectoryError), replacing(folder) as new:
        new.write_text("a file in the place of a folder")
    assert [path.name for path in folder.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_killed_process_left_is_cleared(tmp_path):
    folder = tmp_path / "out"
    (tmp_path / ".out.new").mkdir()
    (tmp_path / ".out.new/half").touch()
    with replacing(folder) as new:
        (new / "whole").touch()
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert list(tmp_path.iterdir()) == [folder]


class KilledError(BaseException):
    """The process is gone: nothing after it runs."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the ``step``-th change of the disk on, counted from 0, change nothing any more."""
    done = [0]

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            done[0] += 1
            if done[0] > step:
                raise KilledError
            return change(*given, **named)

        return run

    monkeypatch.setattr(Path, "rename", dying(Path.rename))
    monkeypatch.setattr(Path, "mkdir", dying(Path.mkdir))
    for name in ("unlink", "rmdir"):  # by which shutil.rmtree removes one thing at a time
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


@pytest.mark.parametrize("step", range(7))
@pytest.mark.parametrize("again", ["recovered", "replaced"])
def test_a_process_killed_at_any_step_leaves_one_of_the_two_whole(tmp_path, monkeypatch, step, again):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).write_text("old")
    with pytest.MonkeyPatch.context() as dead:
        killed_at(step, dead)
        finished = True
        try:
            with replacing(folder) as new:
                for name in ("one", "two"):
                    (new / name).write_text("new")
        except KilledError:
            finished = False
    if again == "recovered":
        recover(folder)
        contents = {path.read_text() for path in folder.iterdir()}
        assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
        assert len(contents) == 1
        assert contents == {"new"} or not finished
    else:
        with replacing(folder) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
        assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
    assert list(tmp_path.iterdir()) == [folder]
