"""The stage that tries a recipe on folds of the writers: who learns from whom, and what it writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import cross_validate
from pipeline.data import store
from pipeline.models import folds
from tests.pipeline.workspace import prepare

WRITERS, DIGITS, VALIDATION = 60, 20, 5


def process(known: bool) -> None:
    """Write data/processed/: every image tells by two of its pixels who wrote it and which digit it is."""
    writer = np.repeat(np.arange(WRITERS), DIGITS)
    labels = np.random.default_rng(0).integers(0, 10, len(writer)).astype(np.uint8)
    images = np.zeros((len(writer), 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = writer, labels
    split = np.where(writer % VALIDATION == 0, "val", "train")
    samples = pd.DataFrame({"split": split, "label": labels}).reindex(columns=list(store.COLUMNS))
    if known:
        samples["writer"], samples["population"] = writer, np.where(writer % 2, "students", "employees")
    samples[["source_row", "components"]] = 0
    parts = {name: samples[samples["split"] == name] for name in ("train", "val")}
    table = pd.concat([part.assign(row=range(len(part))) for part in parts.values()])
    store.save(
        Path("data/processed"), {name: (images[part.index], labels[part.index]) for name, part in parts.items()}, table
    )


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[folds.Fold]:
    """The trainings that the stage asks for, in a project of its own; each reads all digits right."""
    asked: list[folds.Fold] = []

    def read(given: Sequence[folds.Fold], *_: Any) -> Iterator[tuple[str, pd.DataFrame]]:
        asked.extend(given)
        for one in reversed(given):
            digit = one.images[:, 0, 1].astype(np.int64)
            yield one.name, pd.DataFrame({"digit": digit, "confidence": np.float32(1), "abstained": digit == 3})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folds, "read", read)
    monkeypatch.setattr(cross_validate, "inputs", lambda stage: SimpleNamespace(key=stage))
    Path(".resume/cross_validate@convnet").mkdir(parents=True)
    prepare(tmp_path, "mnist")
    return asked


def table(network: str) -> pd.DataFrame:
    return pd.read_parquet(f"reports/cross_validation/{network}.parquet")


def test_no_network_learns_from_a_writer_whom_it_reads_nor_is_chosen_by_one(jobs):
    process(known=True)
    cross_validate.main(["convnet"])
    assert len(jobs) == 5
    for job in jobs:
        taught, chosen, read = (set(images[:, 0, 0]) for images in (job.train[0], job.val[0], job.images))
        assert not taught & chosen
        assert not (taught | chosen) & read
        assert taught | chosen | read == set(range(WRITERS))
        assert (job.train[0][:, 0, 1] == job.train[1]).all()
    assert len({job.seed for job in jobs}) == 5


def test_every_image_is_read_once_and_stands_with_its_label(jobs, capsys):
    process(known=True)
    cross_validate.main(["convnet"])
    read = table("convnet")
    assert not read.duplicated(["split", "row"]).any()
    assert len(read) == WRITERS * DIGITS
    assert (read["digit"] == read["label"]).all()
    assert (read["abstained"] == (read["label"] == 3)).all()
    assert sorted(read["fold"].unique()) == [0, 1, 2, 3, 4]
    labels = np.concatenate([store.load_split(Path("data/processed"), name)[1] for name in ("train", "val")])
    np.testing.assert_array_equal(read["label"], labels)
    assert "convnet, fold 5 of 5: 0 of 240 images misread" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("network", "known", "why"), [("mlp", True, "audit.folds.mlp is 0"), ("convnet", False, "nobody knows who wrote")]
)
def test_where_there_is_nothing_to_try_the_table_is_empty_and_it_says_why(jobs, capsys, network, known, why):
    process(known)
    cross_validate.main([network])
    assert not jobs
    assert table(network).empty
    assert why in capsys.readouterr().out
