from pathlib import Path

import mlflow
import numpy as np
import pytest

from pipeline.tracking import runs, store
from tests import toy_model


def test_mlflow_evaluates_the_registered_model(project: Path) -> None:
    runs.publish_export("convnet")
    store.open_store()
    uri = "models:/inkwell-mnist-sample/1"
    digits = np.random.default_rng().integers(0, 10, 60)
    images = np.stack([toy_model.image(int(digit), 250) for digit in digits])
    labels = np.where(np.arange(60) < 6, (digits + 1) % 10, digits)
    alone = mlflow.pyfunc.load_model(uri, model_config={"digits_alone": True})
    right = float((alone.predict(images) == labels).mean())
    found = mlflow.models.evaluate(
        uri,
        images.reshape(60, -1),
        targets=labels,
        model_type="classifier",
        model_config={"digits_alone": True},
        evaluator_config={"log_explainer": False},
    )
    assert found.metrics["accuracy_score"] == pytest.approx(right)
    assert found.metrics["example_count"] == 60
