"""Faults planted on purpose: the gate that names each refuses it, and passes the same network without it.

The networks are trained for seconds, so the thresholds here are lenient ones of their own; the suite's real ones, with
the ConvNet, are held against the same faults by `python -m pipeline.audits.faults`.
"""

import gzip
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import faults
from pipeline.audits.faults import Network
from pipeline.audits.gates import GATES
from pipeline.audits.results import Results
from pipeline.data import mnist
from pipeline.data.sources import MNIST, mnist_sample
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.audits.made_up import handwriting
from tests.pipeline.workspace import REAL_MNIST, ROOT, needs_mnist

BLUR = 3.0  # pixels: a perceptron does not mind less
LENIENT = dict.fromkeys(GATES, 0.9) | {
    "error": 0.15,
    "digit_recall": 0.75,
    "population_gap": 6.0,
    "students_error": 0.2,
    "ece_excess": 0.02,
    "coverage": 0.9,
}


def made(images: np.ndarray, labels: np.ndarray, samples: pd.DataFrame, folder: Path) -> Network:
    """Test images with an untrained recogniser, held to lenient gates."""
    recogniser = Recogniser(toy_model.write(folder / "model.onnx"))
    told = recogniser.predict(images.astype(np.float32))
    return Network(recogniser, Results(images, labels, samples, told, seed=0, source="mnist-sample"), LENIENT)


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    """The 5,000 packaged digits, shuffled."""
    images, labels = mnist_sample()
    order = np.random.default_rng(0).permutation(len(labels))
    return images[order], labels[order]


@pytest.fixture(scope="module")
def sound(sample, tmp_path_factory) -> Network:
    """A network trained on 4,000 digits and tested on 1,000, which made-up writers are said to have written."""
    images, labels = sample
    samples = handwriting(np.random.default_rng(0), students=25, employees=25, digits=20, label=labels[4000:])
    untrained = made(images[4000:], labels[4000:], samples, tmp_path_factory.mktemp("toy"))
    return faults.trained(untrained, images[:4000], labels[:4000])


def test_faults_in_serving_are_caught_each_by_its_gate(sound):
    planted = {one.fault: one for one in faults.in_serving(sound, BLUR)}
    assert {fault: (one.faulty.gate.name, one.caught) for fault, one in planted.items()} == {
        "a constant network": ("digit_recall", True),
        "confidence forced to 1": ("ece_excess", True),
        "pixels scaled twice": ("error", True),
        "the students' images blurred": ("population_gap", True),
        "the employees' images blurred": ("error", True),
    }
    assert planted["confidence forced to 1"].others == []
    assert "population_gap" not in planted["the employees' images blurred"].others


def test_flipped_labels_are_named_by_their_digit(sample, sound):
    images, labels = sample
    faulty = faults.trained(sound, images[:4000], faults.flipped(labels[:4000], 0.6))
    found = faults.plant("flipped", "digit_recall", sound, faulty)
    assert found.caught
    assert found.worst_digit == 9


def test_what_is_no_fault_is_not_caught(sound):
    assert not faults.plant("nothing", "error", sound, sound).caught
    hopeless = sound.broken_by(faults.constant)
    assert not faults.plant("both", "error", hopeless, hopeless).caught


def test_flipping_changes_the_share_asked_for_and_nothing_else():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 10)
    changed = faults.flipped(labels, 0.6)
    assert (changed[labels == 9] == 4).sum() == 6
    assert np.array_equal(changed[labels != 9], labels[labels != 9])


def test_the_table_names_what_caught_what(sound):
    nothing = faults.plant("nothing", "error", sound, sound)
    (row,) = faults.table([nothing]).to_dict("records")
    assert row["gate"] == "error"
    assert not row["caught"]
    assert row["without"] == row["with"]


@needs_mnist
@pytest.mark.slow
def test_faults_in_training_on_real_writers_are_caught(tmp_path):
    for file in MNIST:
        with gzip.open(REAL_MNIST / f"{file.name}.gz") as packed, (tmp_path / file.name).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    train, test = mnist.read(tmp_path)
    samples = pd.DataFrame(
        {"population": test.populations, "writer": test.writers, "label": test.labels, "components": 1}
    )
    untrained = made(test.images, test.labels, samples, tmp_path)
    held = replace(untrained, thresholds=LENIENT | {"digit_recall": 0.85, "population_gap": 6.0})
    found = list(faults.in_training(held, train.images, train.labels, train.populations))
    assert [(one.faulty.gate.name, one.caught) for one in found] == [("digit_recall", True), ("population_gap", True)]
    assert found[0].worst_digit == 9


def test_torch_is_loaded_only_where_something_is_trained():
    code = "import sys; import pipeline.audits.faults; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
