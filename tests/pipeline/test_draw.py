"""The stage draw: what it writes, and that neither cores nor chance change it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import draw
from pipeline.data.store import load_drawn, load_sheets, load_split
from pipeline.paths import DRAWN, NON_DIGITS, PROCESSED, SHEETS
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
    drawn, (_, labels) = load_drawn(DRAWN), load_split(PROCESSED, "train")
    again = drawn.rows >= 0
    assert [(~again).sum(), again.sum()] == [int(share * len(labels)) for share in (draw.FORMS, draw.AGAIN)]
    assert (drawn.labels[again] == labels[drawn.rows[again]]).all()
    assert len(drawn.images) == len(again)
    assert np.load(NON_DIGITS).shape == (int(draw.NON_DIGITS * len(labels)), 28, 28)
    for split, most in draw.SHEETS.items():
        sheets, rows = load_sheets(SHEETS, split)
        assert len(sheets) == most == len(set(rows))
        assert np.median(sheets) > 200

    monkeypatch.setattr(draw.os, "cpu_count", lambda: 1)
    draw.main([])
    assert contents(Path("data/drawn")) == first
