"""How far a sweep is: lines where they are read later, a bar where somebody looks on."""

import pickle
from pathlib import Path

import pytest
from ray.tune.experiment import Trial

from pipeline.sweeps.progress import Told
from tests.pipeline.sweeps.in_process import fail, trial

LAST = {"epoch": 3, "epochs": 3, "kept": 0.5}


@pytest.fixture
def four(tmp_path: Path) -> list[Trial]:
    """One that has ended, two that train and one that waits."""
    found = [trial(tmp_path, number, {"dropout": 0.1}) for number in (1, 2, 3, 4)]
    for one, status in zip(found, (Trial.TERMINATED, Trial.RUNNING, Trial.RUNNING, Trial.PENDING), strict=True):
        one.set_status(status)
    return found


def test_each_trial_that_ends_has_a_line_and_why_it_failed(
    four: list[Trial], capsys: pytest.CaptureFixture[str]
) -> None:
    told = pickle.loads(pickle.dumps(Told(7)))  # Ray keeps it with the sweep
    told.setup()
    four[1].update_last_result(LAST)
    told.on_trial_complete(0, four, four[1])
    fail(four[2], ValueError("first words"))
    fail(four[2], ValueError("no way:\n  the last words"))
    told.on_trial_error(0, four, four[2])
    told.on_step_end(0, four)
    told.on_experiment_end(four)
    assert capsys.readouterr() == (
        "trial 2/7: complete, 0.5000 with dropout 0.1\n"
        "trial 3/7: failed after epoch 0 with dropout 0.1:   the last words\n",
        "",
    )


def test_a_terminal_has_a_bar_that_goes_when_the_sweep_is_over(
    four: list[Trial], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("TERM", raising=False)
    told = Told(4)
    told.setup()
    told.on_step_end(0, four)
    told.bar.refresh()
    shown = capsys.readouterr().err
    assert "training 2, 3" in shown
    assert "1/4" in shown
    four[1].set_status(Trial.ERROR)
    told.on_step_end(0, four)
    told.on_experiment_end(four)
    shown = capsys.readouterr().err
    assert "training 3 " in shown
    assert "2/4" in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the line is wiped"
