"""The stage evaluate: what it writes, and tells MLflow, of a network's answers is true of the exported model."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import evaluate
from pipeline.data.store import load_split
from pipeline.tracking import store
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.workspace import contents

FOLDER = Path("reports/evaluate/convnet")
WRITTEN = {
    *("validation.json", "test.json", "test.parquet", "reliability.csv", "confusion.csv"),
    *(f"{name}.png" for name in ("confusion", "reliability", "curve", "misclassified")),
}
COUNTS = {"val": 40, "test": 60}


@pytest.fixture(scope="module")
def mistaken(built: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """How many images of each split show another digit than their label says; the toy has been asked to read them.

    The project in which it was is that around the tests.
    """
    rng, folder = np.random.default_rng(), tmp_path_factory.mktemp("evaluated")
    shutil.copytree(built, folder, dirs_exist_ok=True)
    shutil.copy(empty_database, folder / "mlflow.db")
    wrong = {"val": int(rng.integers(1, 9)), "test": int(rng.integers(1, 9))}
    for split, count in COUNTS.items():
        shown = rng.integers(0, 10, count)
        labels = np.where(np.arange(count) < wrong[split], (shown + rng.integers(1, 10, count)) % 10, shown)
        images = np.stack([toy_model.image(int(digit), int(rng.integers(60, 256))) for digit in shown])
        np.save(folder / f"data/processed/{split}/images.npy", images)
        np.save(folder / f"data/processed/{split}/labels.npy", labels.astype(np.uint8))
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        evaluate.main(["convnet"])
        yield wrong


@pytest.mark.slow
def test_the_figures_and_the_tables_are_of_the_models_answers(mistaken):
    assert contents(FOLDER).keys() >= WRITTEN
    recogniser = Recogniser(Path("models/candidates/convnet/model.onnx"))
    tables = {"val": Path("reports/validation/convnet.parquet"), "test": FOLDER / "test.parquet"}
    for split, name in (("val", "validation"), ("test", "test")):
        images, labels = load_split(Path("data/processed"), split)
        told = recogniser.predict(images.astype(np.float32))
        summary = json.loads((FOLDER / f"{name}.json").read_text())
        assert (summary["errors"], summary["images"]) == (mistaken[split], len(labels))
        assert summary["accuracy"] == pytest.approx(1 - mistaken[split] / len(labels))
        nll = -np.log(told.probabilities[np.arange(len(labels)), labels].astype(float)).mean()
        assert summary["nll"] == pytest.approx(nll, rel=1e-5)
        table = pd.read_parquet(tables[split])
        assert table["row"].tolist() == list(range(len(labels)))
        assert table["label"].tolist() == labels.tolist()
        assert table["digit"].tolist() == told.digit.tolist()
        assert (table["digit"] != table["label"]).sum() == mistaken[split]
        np.testing.assert_array_equal(table[[f"p{digit}" for digit in range(10)]], told.probabilities)
        np.testing.assert_array_equal(table["confidence"], table.filter(regex="^p").max(axis=1))
    accuracy = json.loads(Path("reports/accuracy/convnet.json").read_text())
    assert accuracy == {"convnet": pytest.approx(1 - mistaken["val"] / 40)}, "validation's: the test set chooses nobody"


def test_the_plots_are_of_the_test_set_and_of_the_training(mistaken):
    answers = pd.read_parquet(FOLDER / "test.parquet")
    pairs = pd.read_csv(FOLDER / "confusion.csv")
    assert pairs["label"].tolist() == answers["label"].tolist()
    assert pairs["answer"].tolist() == answers["digit"].tolist()
    bins = pd.read_csv(FOLDER / "reliability.csv")
    assert bins["images"].sum() == 60
    assert (bins["images"] * bins["accuracy"]).sum() == pytest.approx(60 - mistaken["test"])
    assert (bins["images"] * bins["confidence"]).sum() == pytest.approx(answers["confidence"].sum())
    for name in ("confusion", "reliability", "curve", "misclassified"):
        Image.open(FOLDER / f"{name}.png").verify()


def test_mlflow_has_the_figures_under_both_splits_names(mistaken):
    client = store.open_store()
    [run] = client.search_runs([store.experiment(client, "mnist-sample")], "tags.network = 'convnet'")
    for short, name in (("val", "validation"), ("test", "test")):
        summary = json.loads((FOLDER / f"{name}.json").read_text())
        assert {key: run.data.metrics[f"{short}/{key}"] for key in summary} == pytest.approx(summary)


def test_a_network_that_was_not_exported_is_named(mistaken):
    with pytest.raises(SystemExit, match=r"^evaluate: cannot read the model models/candidates/nobody/model\.onnx"):
        evaluate.main(["nobody"])
    assert not Path("reports/evaluate/nobody").exists()


def test_a_second_run_says_its_errors_and_writes_the_same_bytes(mistaken, capsys):
    before = contents(FOLDER)
    evaluate.main(["convnet"])
    said = capsys.readouterr().out
    for split, errors in mistaken.items():
        count = COUNTS[split]
        assert f"convnet, {split}: {errors} errors in {count}, {1 - errors / count:.2%}" in said
    assert contents(FOLDER) == before
