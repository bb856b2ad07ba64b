"""The stage that lets the networks of the folds predict whom they never saw: what each is exported by."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import cross_predict, params
from pipeline.artifact import export as artifact
from pipeline.artifact.export import Known
from pipeline.cross_predict import places
from pipeline.data.drawn import load as load_drawn
from pipeline.models import load
from tests import toy_model
from tests.pipeline.processed import WRITERS, off_paper, process
from tests.pipeline.workspace import prepare

FOLDS, VALIDATION = 3, 4


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Known]:
    """By what the stage exports the network of each fold, in a project of made-up digits."""
    known: list[Known] = []
    model = toy_model.write(tmp_path / "toy.onnx").read_bytes()

    def export(network: object, given: Known, *_: object) -> bytes:
        known.append(given)
        return model

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifact, "export", export)
    monkeypatch.setattr(artifact, "prepared", off_paper)
    monkeypatch.setattr(load, "with_weights", lambda config, file: None)
    prepare(tmp_path, "mnist")
    process(known=True)
    dealt = pd.read_parquet("data/processed/samples.parquet", columns=["split", "row", "label", "writer"])
    writers = dealt.pop("writer")
    dealt["fold"] = writers % FOLDS
    for fold in range(FOLDS):
        dealt[f"val_{fold}"] = (dealt["fold"] != fold) & (writers // FOLDS % VALIDATION == 0)
    folder = Path("models/folds/perceptron")
    folder.mkdir(parents=True)
    dealt.to_parquet(folder / "folds.parquet", index=False)
    (folder / "config.json").write_text(json.dumps(params.load("networks.perceptron").model_dump()))
    cross_predict.main(["perceptron"])
    return known


def test_no_fold_is_exported_by_anything_that_its_writers_wrote(asked):
    assert len(asked) == FOLDS
    for fold, known in enumerate(asked):
        rest = {writer for writer in range(WRITERS) if writer % FOLDS != fold}
        chosen = {writer for writer in rest if writer // FOLDS % VALIDATION == 0}
        of = {name: set(getattr(known, name)[0][:, 0, 0]) for name in ("train", "train_sent", "val")}
        assert of["train"] == of["train_sent"] == rest - chosen
        assert of["val"] == set(known.val_sent[:, 0, 0]) == chosen


def test_each_picture_stands_with_its_label_and_each_fold_knows_all_that_nobody_wrote(asked):
    drawn = load_drawn(Path("data/drawn"))
    for known in asked:
        for images, labels in (known.train, known.train_sent, known.val, known.forms):
            assert (images[:, 0, 1] == labels).all()
        np.testing.assert_array_equal(known.forms[0], drawn.forms)
        np.testing.assert_array_equal(known.non_digits, drawn.non_digits)


def test_every_image_is_predicted_once(asked):
    predicted = pd.read_parquet("reports/out_of_fold/perceptron.parquet")
    dealt = pd.read_parquet("models/folds/perceptron/folds.parquet")
    keys = ["split", "row", "fold", "label"]
    pd.testing.assert_frame_equal(predicted[keys], dealt[keys])


def test_a_splits_images_are_found_wherever_the_table_has_them():
    dealt = pd.DataFrame({"split": ["val", "train", "train", "val", "train"], "row": [1, 2, 0, 0, 1]})
    np.testing.assert_array_equal(places(dealt, "train"), [2, 4, 1])
    np.testing.assert_array_equal(places(dealt, "val"), [3, 0])
