"""What params.yaml may say of a sweep, what is refused, and what the drawn values become."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from pipeline import params, sweep
from pipeline.params import ParamsError
from pipeline.sweeps.results import Outcome, ranked
from pipeline.sweeps.space import applied, command, drawn
from tests.pipeline.workspace import ROOT, prepare

CHOICE = {"choice": [16, 32]}


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes params.yaml with changes to its section `sweep`, and goes there."""
    monkeypatch.chdir(tmp_path)

    def change(**changes: Any) -> None:
        prepare(tmp_path, "mnist-sample")
        text = yaml.safe_load((tmp_path / "params.yaml").read_text())
        text["sweep"] |= changes
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(text))

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"widht": CHOICE}}, r"sweep\.space\.widht: mlp has no such hyperparameter; it has .*learning_rate"),
        ({"space": {"augment.rotat": CHOICE}}, r"sweep\.space\.augment\.rotat: mlp has no such hyperparameter"),
        ({"space": {"kind": {"choice": ["convnet"]}}}, r"sweep\.space\.kind: mlp has no such hyperparameter"),
        ({"space": {"dropout": {"uniform": [0.1, 1.5]}}}, r"sweep\.space\.dropout: .*less than 1, not 1\.5"),
        ({"space": {"epochs": {"uniform": [1.5, 6.0]}}}, r"sweep\.space\.epochs: .*integer.*not 1\.5"),
        ({"space": {"dropout": {"normal": [0, 1]}}}, r"sweep\.space\.dropout\.normal: unknown key; .*uniform, loguni"),
        ({"space": {"dropout": CHOICE | {"uniform": [0, 1]}}}, r"sweep\.space\.dropout: .*one of uniform, loguniform"),
        ({"space": {"dropout": {"uniform": [0.5, 0.1]}}}, r"sweep\.space\.dropout: .*from a lower to a higher bound"),
        ({"space": {"dropout": {"loguniform": [0.0, 0.1]}}}, r"sweep\.space\.dropout: .*bound, above 0"),
        ({"space": {}}, r"sweep\.space: .*at least 1 item"),
        ({"metric": "test_accuracy"}, r"sweep\.metric: .*'val_accuracy' or 'val_loss', not 'test_accuracy'"),
        ({"network": "fast"}, r"sweep\.network: 'fast' is none of the candidates of params\.yaml, perceptron, mlp"),
        ({"early_stopping": {"grace_period": 1, "reduction_factor": 1}}, r"reduction_factor: .*greater than or equal"),
    ],
)
def test_what_no_trial_could_train_is_refused_before_the_first(changed, changes: dict[str, Any], message: str) -> None:
    changed(**changes)
    with pytest.raises(SystemExit, match=message):
        sweep.main([])


def test_trials_on_several_devices_are_refused(changed) -> None:
    changed()
    text = yaml.safe_load(Path("params.yaml").read_text())
    text["train"]["trainer"]["devices"] = 2
    Path("params.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(SystemExit, match=r"a core each: train\.trainer must name the accelerator cpu, 1 device"):
        sweep.main([])


def test_the_sweep_of_params_yaml_is_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    section, networks, candidates, train = params.load("sweep", "networks", "candidates", "train")
    sweep.check(section, networks, candidates, train)
    with pytest.raises(ParamsError):
        sweep.check(section, networks, [], train)


def test_the_line_changes_params_yaml_to_the_network_that_the_trial_trained(changed) -> None:
    """Of numbers of all sizes, of a list, of one in a section of its own, and of one that params.yaml does not name."""
    changed()
    section = params.load("sweep")
    config = params.load("networks.mlp")
    rng = np.random.default_rng()
    for exponent in range(-9, 1):
        values = drawn(
            {
                "learning_rate": float(10.0**exponent * (1 if exponent % 2 else rng.uniform(1, 9))),
                "weight_decay": 0.0,
                "hidden": f"[{rng.integers(1, 99)}, 8]",
                "augment.rotate": float(rng.uniform(1, 20)),
                "mild_fraction": float(rng.uniform(0.1, 0.9)),
                "epochs": "7",
                "ema_decay": "0.998877",
            }
        )
        prepare(Path(), "mnist-sample")
        assignment, *words = shlex.split(command(section, config, values))
        assert assignment == "OMP_NUM_THREADS=1"
        assert words[:3] + words[-1:] == ["dvc", "exp", "run", "train@mlp"]
        overrides = words[4:-1:2]
        assert set(words[3:-1:2]) == {"-S"}
        apply_overrides(Path("params.yaml"), overrides)  # as `dvc exp run -S` does it
        assert params.load("networks.mlp") == applied(config, values)
        assert (values["epochs"], values["ema_decay"]) == (7, 0.998877)


def test_the_best_trial_is_one_that_came_to_its_end() -> None:
    pruned, first, second, failed = (
        Outcome(number, {}, state, 1, kept)
        for number, (state, kept) in enumerate(
            [("pruned", 0.99), ("complete", 0.9), ("complete", 0.9), ("failed", float("nan"))]
        )
    )
    assert ranked([failed, second, pruned, first], "max") == [first, second, pruned, failed]
    better = Outcome(9, {}, "complete", 1, 0.8)
    assert ranked([first, better], "min") == [better, first]


def test_no_stage_depends_on_the_section() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    read = {key for stage in stages.values() for key in stage.get("params", [])}
    assert not {key for key in read if key.partition(".")[0] == "sweep"}
