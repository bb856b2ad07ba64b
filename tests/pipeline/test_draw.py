"""The stage draw: what it writes, and that neither cores nor chance change it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import draw
from pipeline.data.drawn import load
from pipeline.data.store import load_split
from pipeline.paths import DRAWN, PROCESSED
from tests.pipeline.processed import process
from tests.pipeline.workspace import contents, prepare


@pytest.mark.slow
def test_it_draws_what_export_wants_and_repeats_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "mnist")
    process(known=True)
    monkeypatch.setattr(draw, "SHEETS", {"train": 30, "val": 20})
    draw.main([])
    first = contents(Path("data/drawn"))
    drawn, count = load(DRAWN), len(load_split(PROCESSED, "train")[1])
    assert drawn.forms.shape == (int(draw.FORMS * count), 28, 28)
    assert len(drawn.form_labels) == len(drawn.forms)
    assert drawn.non_digits.shape == (int(draw.NON_DIGITS * count), 28, 28)
    for split, most in draw.SHEETS.items():
        assert len(drawn.sheets[split]) == most == len(set(drawn.rows[split]))
        assert np.median(drawn.sheets[split]) > 200

    monkeypatch.setattr(draw.os, "cpu_count", lambda: 1)
    draw.main([])
    assert contents(Path("data/drawn")) == first
