import base64

import numpy as np
import pytest

from pipeline.showcase import card
from serving.model.recogniser import Recogniser
from tests import toy_model
from tests.pipeline.report.made_up import records, verdict


@pytest.fixture
def recogniser(tmp_path):
    return Recogniser(toy_model.write(tmp_path / "model.onnx"))


def test_the_surest_mistakes_come_first_and_what_was_declined_is_none(recogniser):
    brightness = [255, 100, 120, 0]
    images = np.stack([toy_model.image(row, level) for row, level in enumerate(brightness)])
    found = card.mistakes(recogniser, images, np.array([0, 9, 8, 7], np.uint8))
    assert (found["images"], found["answered"], found["wrong"]) == (4, 3, 2)
    assert [(one["label"], one["digit"]) for one in found["surest"]] == [(8, 2), (9, 1)]
    first, second = found["surest"]
    assert first["confidence"] > second["confidence"] > recogniser.confidence_threshold
    assert base64.b64decode(first["pixels"]) == images[2].tobytes()


def test_no_more_are_shown_than_fit(recogniser):
    images = np.stack([toy_model.image(3)] * 40)
    found = card.mistakes(recogniser, images, np.zeros(40, np.uint8))
    assert found["wrong"] == 40
    assert len(found["surest"]) == card.SHOWN


def test_the_card_has_the_audits_gates_in_words(recogniser):
    gates = records(verdict("error", 0.0072, (0.0056, 0.0091), 0.018))
    run = {"network": "mlp", "inputs": {"params": {"networks.mlp.kind": "mlp", "train.seed": 0}}}
    images, labels = toy_model.image(3)[None], np.array([3], np.uint8)
    made = card.make({"source": "mnist", "gates": gates}, run, recogniser, images, labels)
    assert made["kind"] == "multilayer perceptron"
    assert "70,000" in made["data"]
    assert made["verdict"] == "It meets 1 of the 1 requirements that this data can show."
    [figure] = made["figures"]
    assert (figure["found"], figure["asked"], figure["status"]) == ("0.72\u00a0%", "at most 1.80\u00a0%", "passed")
    assert made["mistakes"]["wrong"] == 0
