"""The stage draw: what it writes, and that neither cores nor chance change it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import draw
from pipeline.data.store import load_drawn, load_sheets, load_split
from pipeline.paths import DRAWN, PROCESSED, SHEETS
from tests.pipeline.processed import process
from tests.pipeline.workspace import contents, prepare


@pytest.mark.slow
def test_it_draws_for_training_and_calibration_and_repeats_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "mnist")
    process(known=True)
    monkeypatch.setattr(draw, "SHEETS", {"train": 30, "val": 20})
    draw.main([])
    first = contents(Path("data/drawn"))
    drawn = load_drawn(DRAWN)
    count = len(load_split(PROCESSED, "train")[1])
    assert (len(drawn.digits), len(drawn.labels)) == (int(draw.FORMS * count),) * 2
    assert len(drawn.non_digits) == int(draw.NON_DIGITS * count)
    for split, most in draw.SHEETS.items():
        sheets, rows = load_sheets(SHEETS, split)
        assert len(sheets) == most == len(set(rows))
        assert np.median(sheets) > 200

    monkeypatch.setattr(draw.os, "cpu_count", lambda: 1)
    draw.main([])
    assert contents(Path("data/drawn")) == first
