"""Training: it learns, repeats itself, goes on where it was cut off, and can be shared between processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

from pipeline.models.batches import Digits
from pipeline.models.classifier import Classifier
from pipeline.models.fit import fit, supported
from pipeline.params import Trainer, load

TRAINER = Trainer(accelerator="cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")
SMALL: dict[str, dict[str, Any]] = {
    "perceptron": {"epochs": 3, "batch_size": 64},
    "mlp": {"epochs": 3, "hidden": [32], "batch_size": 64},
    "convnet": {"epochs": 3, "width": 4, "batch_size": 64, "hard_fraction": 0.5, "easy_fraction": 0.6},
}


def config(name: str) -> Any:
    return load(f"networks.{name}").model_copy(update=SMALL[name])


def digits(config: Any, count: int = 640) -> Digits:
    """Images in which the label's row is bright, with noise: learnt in seconds."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 6 + 2 * label, 4:24] = 255
    return Digits((images, labels), (images[:100], labels[:100]), config, 0)


def train(name: str, folder: Path, options: Trainer = TRAINER, seed: int = 0, **more: Any) -> Any:
    result = fit(config(name), digits(config(name)), options, seed, folder, **more)
    assert result is not None
    return result


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


class PowerCut(Callback):
    """Stops the training in the middle of its second epoch."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 1 and batch_idx == 3:
            raise ConnectionError("power cut")


@pytest.mark.parametrize("name", SMALL)
def test_it_learns(name, tmp_path):
    _, curve = train(name, tmp_path)
    assert [row["epoch"] for row in curve] == [1, 2, 3]
    assert curve[-1]["val_loss"] < curve[0]["val_loss"]
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]


@pytest.mark.slow
def test_a_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, second, other = (
        weights(train("convnet", tmp_path / str(number), seed=seed)[0]) for number, seed in enumerate((0, 0, 1))
    )
    assert same(first, second)
    assert not same(first, other)


@pytest.mark.parametrize("name", SMALL)
def test_a_training_cut_off_in_mid_epoch_ends_as_if_it_had_not_been(name, tmp_path):
    unbroken, curve = train(name, tmp_path / "unbroken")
    with pytest.raises(ConnectionError, match="power cut"):
        train(name, tmp_path / "broken", callbacks=[PowerCut()])
    seen: list[int] = []

    class Watch(Callback):
        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            seen.append(trainer.current_epoch)

    resumed, resumed_curve = train(name, tmp_path / "broken", callbacks=[Watch()])
    assert seen == [1, 2]
    assert same(weights(unbroken), weights(resumed))
    assert curve == resumed_curve


@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_it_notes_how_hard_each_image_is(name, tmp_path):
    """Images whose labels are wrong are hard."""
    data = digits(config(name))
    labels = data.train.tensors[1]
    labels[:20] = (labels[:20] + 5) % 10
    fit(config(name), data, TRAINER, 0, tmp_path)
    assert (data.difficulty > 0).all()
    assert data.difficulty.isfinite().float().mean() > 0.9
    wrong, right = (part[part.isfinite()].mean() for part in data.difficulty.tensor_split([20]))
    assert wrong > 1.1 * right


def test_a_finished_training_is_not_done_again(tmp_path):
    first, curve = train("mlp", tmp_path)
    again, same_curve = train("mlp", tmp_path, callbacks=[PowerCut()])
    assert same(weights(first), weights(again))
    assert curve == same_curve


def test_the_state_returned_is_the_best_on_validation(tmp_path):
    class Spoil(Callback):
        """Ruin the weights in the last epoch."""

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 2:
                with torch.no_grad():
                    for parameter in pl_module.parameters():
                        parameter.mul_(0).add_(0.01)

    network, curve = train("perceptron", tmp_path, callbacks=[Spoil()])
    assert curve[2]["val_loss"] > curve[1]["val_loss"]
    assert not all(torch.allclose(tensor, torch.tensor(0.01), atol=0.2) for tensor in network.state_dict().values())


def test_of_states_equally_accurate_the_one_of_the_least_loss_is_returned(tmp_path):
    class Soften(Callback):
        """Make all digits alike less probable, which changes no answer and lessens the loss."""

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            with torch.no_grad():
                pl_module.network[-1].bias.sub_(0.5)

    still = config("perceptron").model_copy(update={"learning_rate": 1e-12, "weight_decay": 0.0})
    fitted: Any = fit(still, digits(still), TRAINER, 0, tmp_path, callbacks=[Soften()])
    network, curve = fitted
    first: Any = Classifier(still, 0).network
    assert len({row["val_accuracy"] for row in curve}) == 1
    assert curve[0]["val_loss"] > curve[1]["val_loss"] > curve[2]["val_loss"]
    assert (network[-1].bias < first[-1].bias - 0.9).all()


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="this processor has no bfloat16 arithmetic")
def test_bfloat16_agrees_with_float32(tmp_path):
    exact, coarse = (
        train("convnet", tmp_path / precision, TRAINER.model_copy(update={"precision": precision}))[1]
        for precision in ("32-true", "bf16-mixed")
    )
    for one, other in zip(exact, coarse, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.05)


@pytest.mark.parametrize("limit", ["avx2", "AVX512_CORE"])
def test_bfloat16_is_left_where_onednn_would_emulate_it(limit, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    with pytest.warns(UserWarning, match="training in 32-true, not bf16-mixed"):
        assert supported("bf16-mixed", "cpu") == "32-true"
    assert supported("bf16-mixed", "gpu") == "bf16-mixed"
    assert supported("64-true", "cpu") == "64-true"


SCRIPT = """
import json, sys
from pathlib import Path
import torch
from tests.pipeline.models.test_fit import PowerCut, TRAINER, config, digits, fit
folder, options, network, cut = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
data = digits(config(network))
options = TRAINER.model_copy(update=options)
result = fit(config(network), data, options, 0, folder / "checkpoints", callbacks=[PowerCut()] if cut else [])
if result is not None:
    torch.save({**result[0].state_dict(), "difficulty": data.difficulty}, folder / "weights.pt")
    (folder / "curve.json").write_text(json.dumps(result[1]))
"""
TWO = {"devices": 2, "strategy": "ddp", "accelerator": "cpu"}


def run(folder: Path, options: dict[str, Any], network: str, cut: bool = False) -> Any:
    """Train in a process of its own, and return the weights and the curve, or None where the power is cut."""
    folder.mkdir(exist_ok=True)
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(folder), *map(json.dumps, (options, network, cut))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert cut or done.returncode == 0, done.stderr
    if cut:
        assert "power cut" in done.stderr
        return None
    return torch.load(folder / "weights.pt"), json.loads((folder / "curve.json").read_text())


@pytest.mark.slow
def test_two_processes_agree_with_one(tmp_path):
    """Each of two gets half of every batch, and the gradients are averaged: up to rounding, the steps are the same."""
    alone, curve = run(tmp_path / "one", {}, "perceptron")
    shared, shared_curve = run(tmp_path / "two", TWO, "perceptron")
    for name, tensor in alone.items():
        torch.testing.assert_close(shared[name], tensor, rtol=1e-3, atol=1e-4)
    for one, other in zip(curve, shared_curve, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.slow
def test_two_processes_that_are_cut_off_end_as_if_they_had_not_been(tmp_path):
    """The ConvNet's running statistics are each process's own, and only the first one's are in the checkpoint."""
    unbroken, curve = run(tmp_path / "unbroken", TWO, "convnet")
    run(tmp_path / "broken", TWO, "convnet", cut=True)
    resumed, resumed_curve = run(tmp_path / "broken", TWO, "convnet")
    assert same(unbroken, resumed)
    assert curve == resumed_curve
