"""The service meets its gates over HTTP, and answers as the network does offline."""

import numpy as np
import pytest

from pipeline.audits.gates import GATES
from serving.model.recogniser import Recogniser

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", GATES)
def test_the_service_meets_the_gate(audited, name):
    [gate] = [gate for gate in audited[1].gates if gate["name"] == name]
    assert gate["status"] != "failed", gate["told"]


def test_nothing_is_passed_that_http_does_not_tell(audited):
    status = {gate["name"]: gate["status"] for gate in audited[1].gates}
    assert status["ood_auroc"] == "not measurable"
    assert status["error"] in ("passed", "close")


def test_every_kind_of_picture_was_asked_about(audited):
    kinds = {name.partition("/")[0] for name in audited[0].sets}
    assert kinds >= {"test", "corruption", "canvas", "lossless", "small", "non_digit"}


def test_digits_are_answered_as_the_network_answers_them_offline(audited, service, bento):
    found = audited[0]
    recogniser = Recogniser(bento / "src" / "model.onnx")
    if recogniser.sha256 != service.get("/model").json()["sha256"]:
        pytest.skip(f"{service.base_url} serves another model than {bento}")
    predictions = recogniser.predict(found.images.astype(np.float32))
    assert (found.predictions.digit == predictions.digit).all()
    assert (found.predictions.abstained == predictions.abstained).all()
    assert np.abs(found.predictions.probabilities - predictions.probabilities).max() < 1e-4
