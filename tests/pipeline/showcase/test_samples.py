"""The pictures to try are those that the code draws, and nobody's."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.showcase import samples
from tests.pipeline.workspace import ROOT

DRAWN = samples.all_of_them()
COMPRESSED = 2.0
"""How far the mean pixel of a JPEG may be off, where another version of the library wrote it."""


def test_they_are_all_there_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples.main()
    written = {path.name for path in samples.FOLDER.iterdir()}
    assert written == {path.name for path in (ROOT / samples.FOLDER).iterdir()} == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_each_is_as_the_code_draws_it(name):
    kept, drawn = (ROOT / samples.FOLDER / name).read_bytes(), DRAWN[name]
    if name.endswith((".png", ".jpg")):
        first, second = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int) for data in (kept, drawn))
        assert np.abs(first - second).mean() < (COMPRESSED if name.endswith(".jpg") else 0.01)
    else:
        assert kept == drawn
