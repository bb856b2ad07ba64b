import numpy as np
import pytest

from serving.model.recogniser import Predictions
from serving.web.metrics import Metrics


def test_what_is_answered_and_what_is_not_is_counted():
    metrics = Metrics()
    metrics.predictions(
        Predictions(
            digit=np.array([7, 7, 7, 3]),
            confidence=np.array([0.97, 0.999, 0.975, 0.4], np.float32),
            probabilities=np.zeros((4, 10), np.float32),
            novelty=np.ones(4, np.float32),
            prediction_set=np.zeros((4, 10), np.bool_),
            abstained=np.array([False, False, False, True]),
            reason=np.array([None, None, None, "uncertain"], object),
        )
    )
    metrics.request("/predict", 413, "body_too_large", 0.003)
    metrics.request("/predict", 413, "body_too_large", 3)
    metrics.publish()
    metrics.publish()
    value = metrics.registry.get_sample_value
    assert value("inkwell_answers_total", {"digit": "7"}) == 3
    assert value("inkwell_answers_total", {"digit": "3"}) == 0
    assert value("inkwell_abstentions_total", {"reason": "uncertain"}) == 1
    assert value("inkwell_confidence_bucket", {"le": "0.3"}) == 0
    assert value("inkwell_confidence_bucket", {"le": "0.95"}) == 1
    assert value("inkwell_confidence_bucket", {"le": "0.98"}) == 3
    assert value("inkwell_confidence_count") == 4
    assert value("inkwell_confidence_sum") == pytest.approx(0.97 + 0.999 + 0.975 + 0.4)
    assert value("inkwell_errors_total", {"code": "body_too_large"}) == 2
    labels = {"endpoint": "/predict", "status": "413"}
    assert value("inkwell_request_seconds_bucket", {**labels, "le": "0.002"}) == 0
    assert value("inkwell_request_seconds_bucket", {**labels, "le": "0.005"}) == 1
    assert value("inkwell_request_seconds_bucket", {**labels, "le": "+Inf"}) == 2
