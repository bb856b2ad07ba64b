"""The registered model answers as the service does, and says of images that are none what is expected."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModelContext

from pipeline.tracking import runs, store
from pipeline.tracking.pyfunc import COLUMNS, PixelsModel
from serving import schema
from serving.images import normalise_all
from serving.model.recogniser import Recogniser
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


class Loaded:
    """The model as MLflow has loaded it, in this process."""

    def __init__(self, path: Path, **config: Any) -> None:
        self.recogniser = Recogniser(path)
        self._context = PythonModelContext({"model": str(path)}, config)
        self._model = PixelsModel()
        self._model.load_context(self._context)

    def __call__(self, images: Any, **params: Any) -> Any:
        return self._model.predict(self._context, images, params or None)


@pytest.fixture(scope="module", params=[toy_model.METADATA, toy_model.NO_SETS], ids=["sets", "no sets"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_model.write(tmp_path_factory.mktemp("toy") / "model.onnx", request.param)


@pytest.fixture
def model(path: Path) -> Loaded:
    return Loaded(path)


@pytest.fixture
def images() -> np.ndarray:
    """Digits, full and pale, paper, and noise: uint8 [22, 28, 28]."""
    rng = np.random.default_rng()
    digits = [toy_model.image(int(digit), int(ink)) for digit in rng.permutation(10) for ink in (255, rng.integers(90))]
    return np.stack([*digits, np.zeros((28, 28), np.uint8), rng.integers(0, 256, (28, 28), np.uint8)])


def test_each_row_is_the_services_answer(model, images):
    table = model(images)
    expected = schema.answers(model.recogniser.predict(normalise_all(images.astype(np.float32))), model.recogniser)
    assert table.to_dict("records") == [{name: one[name] for name in COLUMNS} for one in expected]
    assert table["abstained"].any()
    assert not table["abstained"].all()
    assert table["digit"].isna().equals(table["abstained"])
    assert table["reason"].notna().equals(table["abstained"])


def test_where_digits_alone_are_wanted_none_is_withheld(path, images):
    told = Loaded(path, digits_alone=True)(images)
    assert told.dtype == np.int64
    np.testing.assert_array_equal(told, Recogniser(path).predict(normalise_all(images.astype(np.float32))).digit)


def forms(images: np.ndarray) -> dict[str, tuple[Any, dict[str, str]]]:
    """The same images in each form, and what is said with them."""
    flat = images.reshape(len(images), 784)
    return {
        "flat": (flat, {}),
        "float": (images.astype(np.float64), {}),
        "lists": (images.tolist(), {}),
        "a table of pixels": (pd.DataFrame(flat), {}),
        "a table of images": (pd.DataFrame({"image": list(flat)}), {}),
        "a table of lists": (pd.DataFrame({"image": images.tolist()}), {}),
        "shares": (images / 255, {"scale": "0-1"}),
        "said to be bytes": (images, {"scale": "0-255"}),
    }


@pytest.mark.parametrize("form", forms(np.zeros((1, 28, 28))))
def test_it_matters_not_in_which_form_they_come(model, images, form):
    given, said = forms(images)[form]
    pd.testing.assert_frame_equal(model(given, **said), model(images), rtol=1e-5)


def test_no_images_have_no_answers(path):
    empty = Loaded(path)(np.zeros((0, 784), np.uint8))
    assert list(empty) == list(COLUMNS)
    assert len(empty) == len(Loaded(path, digits_alone=True)(np.zeros((0, 28, 28)))) == 0


def test_where_every_value_lies_in_0_to_1_the_scale_decides(model, images):
    faint = (images[:3] > 0).astype(float)
    with pytest.raises(MlflowException, match="say which scale is meant"):
        model(faint)
    assert set(model(faint, scale="0-255")["reason"]) == {"blank"}
    assert set(model(faint.astype(np.uint8))["reason"]) == {"blank"}, "bytes are in 0 to 255"
    assert set(model(faint, scale="0-1")["reason"]) != {"blank"}
    assert model(np.zeros((1, 784)))["reason"].tolist() == ["blank"], "of zeros both say the same"


@pytest.mark.parametrize(
    ("given", "said", "why"),
    [
        (np.zeros((2, 27, 28)), {}, r"the images are \[2, 27, 28\]; expected \[N, 28, 28\] or \[N, 784\]"),
        (np.zeros((28, 28)), {}, r"the images are \[28, 28\]"),
        (np.zeros((1, 28, 28, 3)), {}, r"the images are \[1, 28, 28, 3\]"),
        (pd.DataFrame(np.zeros((3, 783))), {}, r"the images are \[3, 783\]"),
        ([[0.0] * 784, [0.0] * 783], {}, "no numbers of one shape"),
        ([["ink"] * 784], {}, "no numbers of one shape"),
        (np.full((1, 784), 256.0), {}, r"must be finite and lie in 0\.\.255"),
        (np.full((1, 784), -1), {}, r"must be finite and lie in 0\.\.255"),
        (np.full((1, 784), np.nan), {}, "must be finite"),
        (np.full((1, 784), np.inf), {}, "must be finite"),
        (np.full((1, 784), 2), {"scale": "0-1"}, r"lie in 0\.\.1"),
        (np.full((1, 784), 2), {"scale": "1-2"}, "the scale is '1-2'"),
    ],
)
def test_what_the_service_does_not_take_is_refused_and_why_is_said(model, given, said, why):
    with pytest.raises(MlflowException, match=why) as refusal:
        model(given, **said)
    assert refusal.value.error_code == "INVALID_PARAMETER_VALUE"
