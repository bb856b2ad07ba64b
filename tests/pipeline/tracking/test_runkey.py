import hashlib
import shutil
from pathlib import Path

import pytest
from dvc.dependency.param import MissingParamsError

from pipeline.tracking import runkey
from tests.pipeline.tracking import project as made_up


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path, dirs_exist_ok=True))


def test_inputs_are_what_dvc_yaml_declares_for_the_item(root: Path) -> None:
    read = runkey.inputs("train@convnet", root)
    assert read.params["networks.convnet.width"] == 32
    assert read.params["train.trainer.precision"] == "bf16-mixed"
    assert not [name for name in read.params if not name.startswith(("train.", "networks.convnet."))]
    assert list(read.data) == ["data/processed/train", "data/processed/val"]
    assert read.code == {"pipeline/train.py": hashlib.sha256((root / "pipeline/train.py").read_bytes()).hexdigest()}


def test_the_key_changes_with_what_is_read_and_with_nothing_else(root: Path) -> None:
    def key() -> str:
        return runkey.inputs("train@convnet", root).key

    keys = [key()]
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("width: 32", "width: 16"))
    keys.append(key())
    made_up.write(root / "pipeline/train.py", "print('changed')\n")
    keys.append(key())
    made_up.write(root / "data/processed/val/labels.npy", "changed")
    keys.append(key())
    assert len(set(keys)) == len(keys)

    params.write_text(params.read_text().replace("learning_rate: 0.02", "learning_rate: 0.03"))
    made_up.write(root / "data/processed/test/labels.npy", "not read")
    made_up.write(root / "data/processed/val/__pycache__/labels.pyc", "Python's own")
    assert key() == keys[-1]
    assert runkey.inputs("train@perceptron", root).key != keys[-1]


def test_the_key_is_that_of_the_inputs_in_run_json(root: Path) -> None:
    record = runkey.inputs("train@convnet", root).record("convnet", "mnist")
    assert record["run_key"] == runkey.digest(record["inputs"])[:16]


@pytest.mark.parametrize("stage", ["train@resnet", "train", "evaluate@convnet"])
def test_an_unknown_stage_is_refused_by_name(root: Path, stage: str) -> None:
    with pytest.raises(KeyError, match=stage):
        runkey.inputs(stage, root)


def test_a_parameter_that_params_yaml_lacks_is_refused_by_name(root: Path) -> None:
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("calibration:", "other:"))
    with pytest.raises(MissingParamsError, match="calibration"):
        runkey.inputs("export@convnet", root)
