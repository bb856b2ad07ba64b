"""Who answers: a source's champion, a model of MLflow's registry, or an ONNX file; and its source's test digits."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import release, serve
from pipeline.paths import BEST
from pipeline.scoring.tally import Tally
from pipeline.serve import ServeError
from serving.model.recogniser import ModelError, Recogniser
from serving.model.without import read
from serving.web.assets import SHOW

HELD_OUT = Path("src") / SHOW / "held_out.png"
"""In a Bento: test digits, as many of each digit."""


def find(asked: str) -> bytes:
    """The ONNX file of a model: of a source's champion, in models/best or else the one that `pipeline.serve` finds; of
    models:/NAME@ALIAS or models:/NAME/VERSION; or of the file itself.

    Raises ModelError where there is none.
    """
    if asked.startswith("models:/"):
        return registered(asked)
    try:
        if asked.endswith(".onnx"):
            return Path(asked).read_bytes()
        if BEST.exists() and release.source_of(BEST) == asked:
            return (BEST / "model.onnx").read_bytes()
        return (serve.find(asked) / "src/model.onnx").read_bytes()
    except ServeError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot read the model {error.filename}: {error.strerror}") from error


def registered(uri: str) -> bytes:
    """The ONNX file of a registered model, from wherever MLflow keeps it. Raises ModelError."""
    from mlflow import MlflowException

    from pipeline.tracking import find, store
    from pipeline.tracking.away import StoreError

    try:
        version = find.model_version(store.open_store(), uri)
        with tempfile.TemporaryDirectory() as folder:
            import mlflow

            place = mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}", dst_path=folder)
            [path] = Path(place).rglob("*.onnx")
            return path.read_bytes()
    except (find.NotFoundError, StoreError) as error:
        raise ModelError(str(error)) from error
    except (MlflowException, OSError, ValueError) as error:
        raise ModelError(
            f"{uri} has lost its files ({str(error).splitlines()[0]}): `make refill` brings them back"
        ) from error


def test_digits(source: str) -> NDArray[np.float32] | None:
    """Test digits of a source that travel with its champion, float32 [N, 28, 28]; None where there are none."""
    try:
        path = serve.find(source) / HELD_OUT
    except ServeError:
        return None
    return read(path.read_bytes()) if path.exists() else None


def expected(recogniser: Recogniser) -> Tally | None:
    """What the recogniser says of test digits of the source that it learnt from; None where there are none."""
    digits = test_digits(recogniser.source)
    return None if digits is None else Tally.of(recogniser.predict(digits))
