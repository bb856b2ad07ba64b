"""The stage that makes of a trained network what is served: by which pictures, and what it writes."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import export as stage
from pipeline.artifact.export import Known
from pipeline.data.drawn import load as load_drawn
from pipeline.data.store import load_split
from tests.pipeline.processed import off_paper, process
from tests.pipeline.workspace import prepare

RUN = {"network": "convnet", "source": "mnist", "run_key": "0123456789abcdef"}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    """By what the stage exports a network in a project of made-up digits."""
    asked: list[Known] = []

    def export(network: object, known: Known, last_layer: object, config: object, identity: dict[str, str]) -> bytes:
        assert identity == {"name": "convnet", "source": "mnist", "run_key": RUN["run_key"]}
        asked.append(known)
        return b"a model"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "export", export)
    monkeypatch.setattr(stage, "prepared", off_paper)
    monkeypatch.setattr(stage, "load_network", lambda folder: None)
    monkeypatch.setattr(stage, "publish_export", lambda network: None)
    monkeypatch.setattr(stage, "inputs", lambda name: SimpleNamespace(key=name, record=lambda *_: {}))
    prepare(tmp_path, "mnist")
    process(known=True)
    trained = Path("models/trained/convnet")
    trained.mkdir(parents=True)
    (trained / "run.json").write_text(json.dumps(RUN))
    stage.main(["convnet"])
    [one] = asked
    return one


def test_novelty_and_thresholds_are_of_what_was_drawn_too_each_picture_with_its_label(known):
    drawn = load_drawn(Path("data/drawn"))
    np.testing.assert_array_equal(known.forms[0], drawn.forms)
    np.testing.assert_array_equal(known.forms[1], drawn.form_labels)
    np.testing.assert_array_equal(known.non_digits, drawn.non_digits)
    for (images, labels), split in ((known.train, "train"), (known.val, "val")):
        expected = load_split(Path("data/processed"), split)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
    sent, labels = known.train_sent
    assert (sent[:, 0, 1] == labels).all()
    assert set(sent[:, 0, 0]) == set(known.train[0][:, 0, 0])
    assert set(known.val_sent[:, 0, 0]) == set(known.val[0][:, 0, 0])


def test_it_writes_the_model_with_the_records_of_training_and_export(known):
    folder = Path("models/candidates/convnet")
    assert (folder / "model.onnx").read_bytes() == b"a model"
    assert json.loads((folder / "run.json").read_text()) == RUN
    record = json.loads((folder / "export.json").read_text())
    assert record == {"run_key": RUN["run_key"], "export_key": "export@convnet"}
