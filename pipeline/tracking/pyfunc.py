"""The registered model, as MLflow loads it: the recogniser with the service's own rules and its own preparation.

MLflow keeps this file's text beside the ONNX file and a copy of serving/, and runs it to load the model: nothing is
pickled. It answers whoever has no service to ask: a notebook, `mlflow models serve`, an evaluation, a Spark job.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from serving import schema
from serving.contract import SIDE
from serving.images import normalise_all
from serving.model.recogniser import Recogniser

COLUMNS = {"digit": object, "confidence": float, "prediction_set": object, "abstained": bool, "reason": object}
"""Of the service's answer. An object may be None."""


class PixelsModel(PythonModel):
    """Answers as POST /predict_pixels does, for any number of images."""

    def load_context(self, context: PythonModelContext) -> None:
        self.recogniser = Recogniser(Path(context.artifacts["model"]))
        self.digits_alone = bool(context.model_config.get("digits_alone"))

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame | NDArray[np.int64]:
        """A row for each image, with those of the service's fields that COLUMNS names.

        A model that was loaded with model_config={"digits_alone": True} gives the most probable digits instead, int64
        [N], also where it would abstain: what `mlflow.models.evaluate` asks of a classifier.

        Args:
            model_input: the images, bright ink on a dark ground, uint8 or float, [N, 28, 28] or [N, 784]; or a table of
                784 columns, or of one whose cells hold an image each.
            params: `scale`, "0-1" or "0-255", where every value lies in 0..1 and they are no bytes.

        Raises MlflowException where the shape, the range or a number is not as the service takes it.
        """
        pixels = scaled(as_images(model_input), (params or {}).get("scale"))
        predictions = self.recogniser.predict(normalise_all(pixels))
        if self.digits_alone:
            return predictions.digit
        answers = schema.answers(predictions, self.recogniser)
        columns = {name: [answer[name] for answer in answers] for name in COLUMNS}
        return pd.DataFrame({name: pd.Series(columns[name], dtype=kind) for name, kind in COLUMNS.items()})


def as_images(given: Any) -> NDArray[Any]:
    """The images in an array, a list or a table, [N, 28, 28] of uint8 or float32."""
    if isinstance(given, pd.DataFrame):
        given = [list(cell) for cell in given.iloc[:, 0]] if given.shape[1] == 1 else given.to_numpy()
    try:
        array = np.asarray(given)
        array = array if array.dtype == np.uint8 else array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise refused(f"the images are no numbers of one shape: {error}") from error
    if array.shape[1:] not in ((SIDE, SIDE), (SIDE * SIDE,)):
        raise refused(f"the images are {list(array.shape)}; expected [N, {SIDE}, {SIDE}] or [N, {SIDE * SIDE}]")
    return array.reshape(-1, SIDE, SIDE)


def scaled(images: NDArray[Any], scale: str | None) -> NDArray[np.float32]:
    """The images in 0..255, float32. `scale` is what their values reach to, told as the service is told it."""
    brightest = images.max(initial=0)
    if scale not in (None, "0-1", "0-255"):
        raise refused(f'the scale is {scale!r}; expected "0-1" or "0-255"')
    if scale is None and images.dtype != np.uint8 and 0 < brightest <= 1:
        raise refused('every value lies in 0..1: say which scale is meant, params={"scale": "0-1"} or "0-255"')
    if not ((images >= 0) & (images <= (1 if scale == "0-1" else 255))).all():
        raise refused(f"the values must be finite and lie in {'0..1' if scale == '0-1' else '0..255'}")
    return images.astype(np.float32) * np.float32(255 if scale == "0-1" else 1)


def refused(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


set_model(PixelsModel())
