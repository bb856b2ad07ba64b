"""The stage that trains a network on folds of the writers: who learns from whom, and what it writes."""

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
from tests.pipeline.processed import DIGITS, WRITERS, process
from tests.pipeline.workspace import prepare


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[folds.Fold]:
    """The trainings that the stage asks for, in a project of its own; each writes its name for weights."""
    asked: list[folds.Fold] = []

    def train(given: Sequence[folds.Fold], config: Any, options: Any, folder: Path) -> Iterator[tuple[str, Path]]:
        asked.extend(given)
        for one in reversed(given):
            weights = folder / one.name
            weights.write_text(one.name)
            yield one.name, weights

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folds, "train", train)
    monkeypatch.setattr(cross_validate, "inputs", lambda stage: SimpleNamespace(key=stage))
    Path(".resume/cross_validate@convnet").mkdir(parents=True)
    prepare(tmp_path, "mnist")
    return asked


def table(network: str) -> pd.DataFrame:
    return pd.read_parquet(f"models/folds/{network}/folds.parquet")


def test_no_network_learns_from_a_writer_of_its_fold_nor_is_chosen_by_one(jobs):
    process(known=True)
    cross_validate.main(["convnet"])
    dealt = table("convnet")
    images = np.concatenate([store.load_split(Path("data/processed"), name)[0] for name in ("train", "val")])
    assert len(jobs) == 5
    for fold, job in enumerate(jobs):
        taught, chosen = (set(images[:, 0, 0]) for images in (job.train[0], job.val[0]))
        held = set(images[dealt["fold"] == fold, 0, 0])
        assert not taught & chosen
        assert not (taught | chosen) & held
        assert taught | chosen | held == set(range(WRITERS))
        assert (job.train[0][:, 0, 1] == job.train[1]).all()
        assert len(job.train[0]) + len(job.val[0]) == (dealt["fold"] != fold).sum()
        np.testing.assert_array_equal(job.val[0], images[dealt[f"val_{fold}"]])
        np.testing.assert_array_equal(job.train[0], images[(dealt["fold"] != fold) & ~dealt[f"val_{fold}"]])
    assert len({job.seed for job in jobs}) == 5


def test_every_image_is_in_one_fold_and_stands_with_its_label(jobs, capsys):
    process(known=True)
    cross_validate.main(["convnet"])
    dealt = table("convnet")
    assert not dealt.duplicated(["split", "row"]).any()
    assert len(dealt) == WRITERS * DIGITS
    assert sorted(dealt["fold"].unique()) == [0, 1, 2, 3, 4]
    labels = np.concatenate([store.load_split(Path("data/processed"), name)[1] for name in ("train", "val")])
    np.testing.assert_array_equal(dealt["label"], labels)
    assert Path("models/folds/convnet/fold-4.safetensors").read_text() == "convnet, fold 5 of 5"
    assert "convnet, fold 5 of 5: trained" in capsys.readouterr().out
    assert not Path(".resume/cross_validate@convnet").exists()


@pytest.mark.parametrize(
    ("network", "known", "why"), [("mlp", True, "gives it no folds"), ("convnet", False, "nobody knows who wrote")]
)
def test_where_there_is_nothing_to_train_the_table_is_empty_and_it_says_why(jobs, capsys, network, known, why):
    process(known)
    cross_validate.main([network])
    assert not jobs
    assert table(network).empty
    assert why in capsys.readouterr().out


def test_folds_of_an_earlier_run_do_not_stay(jobs):
    process(known=False)
    left = Path("models/folds/convnet/fold-7.safetensors")
    left.parent.mkdir(parents=True)
    left.touch()
    cross_validate.main(["convnet"])
    assert not left.exists()
