"""A source is one entry in the registry: what it says is all that the stages know of it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import download, preprocess
from pipeline.data import idx, store
from pipeline.data.save import SPLITS
from pipeline.data.sources import IMAGES, LABELS, SOURCES, Digits, Packaged, Source
from tests.pipeline.workspace import ROOT, contents, prepare

LABELLED = np.repeat(np.arange(10, dtype=np.uint8), 20)
ENTRY = """    "bars": Source(
        about="Bars, one for each digit.",
        origin=Packaged(lambda: tuple(np.load("{package}").values()), {{IMAGES: "{images}", LABELS: "{labels}"}}),
        trial=True,
    ),
"""


def bars() -> tuple[np.ndarray, np.ndarray]:
    """An upright bar of its own width for each digit, uint8 [200, 28, 28], and the digits."""
    images = np.zeros((len(LABELLED), 28, 28), np.uint8)
    for image, digit in zip(images, LABELLED, strict=True):
        image[4:24, 10 : 12 + digit] = 255
    return images, LABELLED


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(idx.encode(array)).hexdigest()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register(monkeypatch, read: Callable[[Path], Digits]) -> None:
    """Make of bars a source of the name "bars", of whose files ``read`` makes digits."""
    images, labels = map(digest, bars())
    origin = Packaged(bars, {IMAGES: images, LABELS: labels})
    monkeypatch.setitem(SOURCES, "bars", Source(about="Bars.", origin=origin, read=read))


def test_a_source_is_added_by_one_entry_in_one_file(tmp_path):
    """In a copy of the code the entry is written, and the two stages run; no other file of the copy is another."""
    code, workspace = tmp_path / "code", tmp_path / "workspace"
    for package in ("pipeline", "serving"):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = contents(code)
    registry = code / "pipeline/data/sources.py"
    opening = "SOURCES: dict[str, Source] = {\n"
    assert registry.read_text().count(opening) == 1
    np.savez(tmp_path / "bars.npz", *bars())
    images, labels = map(digest, bars())
    entry = ENTRY.format(package=tmp_path / "bars.npz", images=images, labels=labels)
    registry.write_text(registry.read_text().replace(opening, opening + entry))

    workspace.mkdir()
    prepare(workspace, "bars")
    for stage in ("download", "preprocess"):
        subprocess.run(
            [sys.executable, "-m", f"pipeline.{stage}"],
            cwd=workspace,
            env={**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
            check=True,
        )
    after = contents(code)
    assert [name for name in after if after[name] != before.get(name)] == ["pipeline/data/sources.py"]
    sizes = {split: len(store.load_split(workspace / "data/processed", split)[0]) for split in SPLITS}
    assert sizes == {"train": 150, "val": 10, "test": 40}


def test_writers_without_a_test_set_are_split_by_writer(workspace, monkeypatch):
    """It is not MNIST that has writers: whatever source knows them has no writer in two splits."""
    writers = np.tile(np.arange(20), 10)

    def read(raw: Path) -> Digits:
        images, labels = idx.read_digits(raw / IMAGES, raw / LABELS, side=28)
        people = np.where(writers < 8, "nurses", "clerks")
        return Digits(images, labels, np.arange(200), writers=writers, populations=people)

    register(monkeypatch, read=read)
    prepare(workspace, "bars")
    download.main([])
    preprocess.main([])
    samples = pd.read_parquet("data/processed/samples.parquet")
    assert (samples.groupby("writer")["split"].nunique() == 1).all()
    assert (samples.groupby("split")["population"].nunique() == 2).all()
    assert (samples["writer"] == writers[samples["source_row"]]).all()
    assert samples.groupby("split")["writer"].nunique()["test"] == 4


def test_a_test_set_of_its_own_is_kept_where_no_writer_is_known(workspace, monkeypatch):
    theirs = np.arange(200) % 4 == 0

    def read(raw: Path) -> Digits:
        images, labels = idx.read_digits(raw / IMAGES, raw / LABELS, side=28)
        return Digits(images, labels, np.arange(200), in_test=theirs)

    register(monkeypatch, read=read)
    prepare(workspace, "bars")
    download.main([])
    preprocess.main([])
    samples = pd.read_parquet("data/processed/samples.parquet")
    assert set(samples.loc[samples["split"] == "test", "source_row"]) == set(np.flatnonzero(theirs))
    assert samples["writer"].isna().all()


def test_a_writer_in_two_splits_is_refused(workspace, monkeypatch):
    def read(raw: Path) -> Digits:
        images, labels = idx.read_digits(raw / IMAGES, raw / LABELS, side=28)
        return Digits(
            images,
            labels,
            np.arange(200),
            in_test=np.arange(200) % 4 == 0,
            writers=np.arange(200) % 3,
            populations=np.full(200, "clerks"),
        )

    register(monkeypatch, read=read)
    prepare(workspace, "bars")
    download.main([])
    with pytest.raises(SystemExit, match=r"writer \d is in 2 splits and must be in one"):
        preprocess.main([])


def test_a_package_that_holds_other_digits_is_refused(workspace, monkeypatch):
    origin = Packaged(bars, dict.fromkeys((IMAGES, LABELS), digest(bars()[0])))
    monkeypatch.setitem(SOURCES, "bars", Source(about="Bars.", origin=origin))
    prepare(workspace, "bars")
    with pytest.raises(SystemExit, match=rf"bars: sha256 of {LABELS} is .* the installed package holds other digits"):
        download.main([])
    assert not (workspace / "data/raw").exists()


def test_what_is_for_trying_out_says_so():
    for name, source in SOURCES.items():
        assert source.description.startswith(source.about)
        assert ("not for serving" in source.description) == (name != "mnist")


def test_the_registry_is_read_without_the_heavy_libraries():
    """Every stage reads it, by way of its parameters, before it knows whether it has anything to do."""
    heavy = "torch", "pandas", "scipy", "sklearn", "mlxtend", "httpx", "pooch"
    code = f"import sys, pipeline.data.sources; print(*(set({heavy}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
